"""Every wrong file and its exact message: NAME.yaml and NAME.txt.

Comments at the top of a file say what else is on the command line: ``# set: KEY=VALUE``,
``# without: PLUGIN``, ``# plugins: MODULE`` (of this folder's plugins, or a toy).

``python tests/wrong/test_wrong.py`` rewrites the .txt files; read the diff before you commit.
"""

import contextlib
import io
import os
import re
import sys
from pathlib import Path

import pytest

from vadkit import plugin_manager
from vadkit.cli import main

HERE = Path(__file__).parent
FILES = sorted(HERE.glob("*.yaml"))
PLUGINS = [HERE.parent / "support" / "wrong_plugins", HERE.parent / "support" / "toys"]


def asks(path, what):
    """Return the values of the comments ``# what: value`` of a file."""
    return re.findall(rf"^# {what}: (.*)$", path.read_bytes().decode("latin-1"), re.MULTILINE)


def outcome(path):
    """Return the exit code of ``vadkit build`` and what it printed, free of this machine's paths."""
    os.environ[plugin_manager.EXTRA] = ",".join(asks(path, "plugins"))
    arguments = ["build", path.name]
    arguments += [part for value in asks(path, "set") for part in ("--set", value)]
    arguments += [part for value in asks(path, "without") for part in ("--without", value)]
    with contextlib.redirect_stderr(io.StringIO()) as said, contextlib.redirect_stdout(io.StringIO()):
        code = main(arguments)
    configs = str(plugin_manager.load_plugins().config_folders[0])
    return code, said.getvalue().replace(configs, "registry_configs")


@pytest.fixture(scope="module")
def in_folder():
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(HERE)
        patch.setenv(plugin_manager.EXTRA, "")
        for folder in PLUGINS:
            patch.syspath_prepend(str(folder))
        yield
    plugin_manager.reload_plugins()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_message(path, in_folder):
    code, message = outcome(path)
    assert message == path.with_suffix(".txt").read_text()
    assert code == 2


def test_there_are_many_and_each_has_its_message():
    assert len(FILES) >= 60
    assert [path.with_suffix(".txt").name for path in FILES] == sorted(path.name for path in HERE.glob("*.txt"))


if __name__ == "__main__":
    os.chdir(HERE)
    sys.path[:0] = map(str, PLUGINS)
    for file in FILES:
        result, text = outcome(file)
        if result != 2:
            print(f"{file.name}: exit code {result}")
        file.with_suffix(".txt").write_text(text)
