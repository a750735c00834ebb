"""``.ci/run`` runs the README's command with the checks in between, and passes on its exit code."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# In place of "pip install": modules ruff and mypy that print their arguments. FAILS names what shall fail.
INSTALL = """python -c "
import os, sysconfig
for name in ('ruff', 'mypy'):
    with open(os.path.join(sysconfig.get_path('purelib'), name + '.py'), 'w') as file:
        file.write('import os, sys; print(__file__, sys.argv[1:]); '
                   'sys.exit(bool({\\'' + name + '\\', *sys.argv} & {*os.environ[\\'FAILS\\'].split()}))')
\""""
README = """# Other

```console
$ pytest elsewhere
```

## Set up

```python
print("pytest")
```

```console
$ pip install . && vadkit demo
$ {command}
```

```console
$ pytest later
```
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    if not (ROOT / ".ci" / "run").is_file():
        pytest.fail("the tests run in a clone, and .ci/run is a part of it")
    shutil.copytree(ROOT / ".ci", tmp_path / "clone" / ".ci")
    return tmp_path / "clone"


def ci(clone: Path, *arguments: str, fails: str = "") -> subprocess.CompletedProcess[str]:
    own = {"PYTHON": sys.executable, "PYTHONPATH": "/nowhere", "TMPDIR": str(clone.parent), "FAILS": fails}
    command = [clone / ".ci" / "run", *arguments]
    return subprocess.run(
        command, env={**os.environ, **own}, capture_output=True, text=True, timeout=120, cwd=clone.parent
    )


def test_the_readme_has_the_command() -> None:
    shown = ci(ROOT, "--show")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith("pip install ") and "pytest" in shown.stdout


def test_it_reads_the_first_console_block_of_the_set_up(clone: Path) -> None:
    (clone / "README.md").write_text(README.format(command="pip install '.[test]' && pytest -q"))
    assert ci(clone, "--show").stdout == "pip install '.[test]' && pytest -q\n"


def test_a_readme_without_it_fails(clone: Path) -> None:
    (clone / "README.md").write_text("# vadkit\n\n## Set up\n\nSoon.\n")
    done = ci(clone)
    assert done.returncode == 1
    assert "README.md has no line" in done.stderr


def test_a_command_that_installs_nothing_fails(clone: Path) -> None:
    (clone / "README.md").write_text(README.format(command="pytest -q"))
    done = ci(clone)
    assert done.returncode == 1
    assert "'pytest -q' does not install before it tests" in done.stderr


def write_readme(clone: Path, tests: str) -> None:
    (clone / "install").write_text(INSTALL)
    (clone / "README.md").write_text(README.format(command=f"bash install && {tests} # pytest"))


def test_it_runs_in_a_fresh_environment_and_passes_on_the_exit_code(clone: Path) -> None:
    script = "import os, sys; print('prefix', sys.prefix, os.environ.get('PYTHONPATH'))"
    write_readme(clone, f'python -c "{script}" && echo "1 failed in 0.1s" && exit 3')
    done = ci(clone)
    assert done.returncode == 3
    lines = done.stdout.splitlines()
    at, (_, prefix_seen, path_seen) = next((i, x.split()) for i, x in enumerate(lines) if x.startswith("prefix "))
    prefix = Path(prefix_seen)
    assert prefix.name == "venv" and prefix.is_relative_to(clone.parent) and not prefix.exists()
    assert path_seen == "None"
    assert lines[-3:-1] == ["--- summary", "1 failed in 0.1s"] and lines[-1].startswith("--- exit code 3 ")
    assert [path.name for path in clone.parent.iterdir()] == ["clone"]
    checks = [line for line in lines[:at] if line.startswith(prefix_seen)]  # before the tests
    assert [line.split("site-packages/")[1] for line in checks] == [
        "ruff.py ['check']",
        "ruff.py ['format', '--check']",
        "mypy.py []",
    ]


def test_a_failed_check_fails_the_run_and_the_tests_run_all_the_same(clone: Path) -> None:
    write_readme(clone, 'echo "3 passed in 0.1s"')
    done = ci(clone, fails="mypy --check")
    assert done.returncode == 1
    summary = done.stdout.split("--- summary\n")[1].splitlines()
    assert summary[:-1] == ["FAILED ruff format --check", "FAILED mypy", "3 passed in 0.1s"]
    assert summary[-1].startswith("--- exit code 1 ")


def test_nothing_is_checked_if_it_cannot_be_installed(clone: Path) -> None:
    (clone / "README.md").write_text(README.format(command="bash -c 'exit 7' && pytest"))
    done = ci(clone)
    assert done.returncode == 7
    assert "ruff" not in done.stdout
