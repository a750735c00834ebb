"""Finding and loading plugins: each on its own, broken ones told, never fatal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from plugin_packages import COMPONENT, plugins_in, write_plugin

from vadkit import VadkitError
from vadkit.plugin_manager import EXTRA, Plugin, add_plugin_files, discover, load_plugins, reload_plugins
from vadkit.registry import Components

Load = Callable[..., dict[str, Plugin]]


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Load]:
    """Write plugins by name and source, load everything, and return the plugins by name."""
    with plugins_in(tmp_path):

        def load_them(without: tuple[str, ...] = (), **sources: str) -> dict[str, Plugin]:
            for name, source in sources.items():
                write_plugin(tmp_path, name, source)
            reload_plugins()
            return {plugin.name: plugin for plugin in load_plugins(without).plugins}

        yield load_them


def block(name: str) -> str:
    return COMPONENT.format(name=name)


def test_in_tree_plugins_all_load() -> None:
    plugins = load_plugins()
    assert plugins.broken == []
    assert all(plugin.components for plugin in plugins.plugins if plugin.package == "vadkit")


def test_discovery_imports_nothing(load: Load, tmp_path: Path) -> None:
    write_plugin(tmp_path, "bomb", "raise SystemExit('imported')")
    assert "bomb" in {plugin.name for plugin in discover()}
    assert "vadkit_bomb" not in sys.modules


def test_hook_vadkit_components(load: Load) -> None:
    plugins = load(acme=block("acme_block"))
    component = load_plugins().components.find("acme_block")
    assert component is not None and component in plugins["acme"].components
    assert plugins["acme"].origin == "vadkit-acme 1.0"


def test_hook_vadkit_configs(load: Load, tmp_path: Path) -> None:
    (tmp_path / "graphs").mkdir()
    load(
        acme=f"""
        from pathlib import Path
        from vadkit import hookimpl

        @hookimpl
        def vadkit_configs():
            return Path({str(tmp_path / "graphs")!r})
        """
    )
    assert tmp_path / "graphs" in load_plugins().config_folders


RESTATED = """
from vadkit import Restatement, hookimpl

class Plain(Restatement):
    graphs = {"ur_dmu_xd": {}}

@hookimpl
def vadkit_restatements():
    return [Plain]
"""


def test_hook_vadkit_restatements(load: Load) -> None:
    (plain,) = load(acme=RESTATED)["acme"].restatements
    assert plain.graphs == {"ur_dmu_xd": {}}


def test_every_file_of_a_folder_may_be_a_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(EXTRA, "")
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "vadkit_folder_plain.py").write_text(RESTATED)
    (tmp_path / "helper.py").write_text("raise SystemExit('imported')")
    add_plugin_files(tmp_path)
    add_plugin_files(tmp_path)
    found = [plugin for plugin in load_plugins().plugins if plugin.name == "folder_plain"]
    assert [len(plugin.restatements) for plugin in found] == [1]
    (tmp_path / "vadkit_folder_plain.py").unlink()
    with pytest.raises(VadkitError, match="has no plugins"):
        add_plugin_files(tmp_path)


HOOK = "from vadkit import hookimpl\n@hookimpl\ndef vadkit_components(): "
BROKEN = {
    "import_error": ("import not_installed_anywhere", "ModuleNotFoundError: No module named 'not_installed_anywhere'"),
    "syntax_error": ("def f(:", "SyntaxError"),
    "exits": ("raise SystemExit(3)", "SystemExit: 3"),
    "hook_raises": (HOOK + "return 1 / 0", "ZeroDivisionError"),
    "no_list": (HOOK + "return 7", "TypeError"),
    "no_class": (HOOK + "return ['tca']", "'tca' is not a class"),
    "plain_class": (HOOK + "return [dict]", "dict is not of a known kind"),
    "unknown_hook": ("from vadkit import hookimpl\n@hookimpl\ndef vadkit_componets(): return []", "vadkit_componets"),
    "hook_arguments": (
        "from vadkit import hookimpl\n@hookimpl\ndef vadkit_components(x): return []",
        "Argument(s) {'x'}",
    ),
    "no_name": (block("acme").replace('name = "acme"', ""), "Block needs a name in snake_case"),
    "bad_name": (block("Acme"), "Block needs a name in snake_case, not 'Acme'"),
    "name_taken": (block("tca"), "'tca' is already provided by plugin tca"),
    "configs_raise": (
        "from vadkit import hookimpl\n@hookimpl\ndef vadkit_configs(): return 1 / 0",
        "ZeroDivisionError",
    ),
    "no_configs": (
        "from vadkit import hookimpl\n@hookimpl\ndef vadkit_configs(): return '/no/such/folder'",
        "vadkit_configs() names /no/such/folder, which is not a folder",
    ),
    "no_restatement": (
        "from vadkit import hookimpl\n@hookimpl\ndef vadkit_restatements(): return [dict]",
        "which is not a class of vadkit.Restatement",
    ),
    "no_graphs": (RESTATED.replace('{"ur_dmu_xd": {}}', "{}"), "Plain.graphs must map names of graphs"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_plugin_is_told_and_breaks_nothing(load: Load, name: str) -> None:
    source, cause = BROKEN[name]
    plugins = load(**{name: source, "sound": block("sound_block")})
    assert cause in str(plugins[name].error)
    assert plugins[name].components == [] and plugins[name].config_folders == []
    assert [p.name for p in load_plugins().broken] == [name]
    assert load_plugins().components.find("sound_block") is not None


def test_a_plugin_that_fails_halfway_leaves_nothing_behind(load: Load) -> None:
    both = block("first_block").replace("return [Block]", "return [Block, int]")
    plugins = load(half=both)
    assert plugins["half"].error
    assert load_plugins().components.find("first_block") is None


def test_two_components_of_one_name_name_the_other_plugin(load: Load) -> None:
    plugins = load(one=block("same"), two=block("same"))
    assert plugins["one"].error is None
    assert plugins["two"].error == "ValueError: 'same' is already provided by plugin one"


def test_two_plugins_of_one_name_are_refused_by_name(load: Load, tmp_path: Path) -> None:
    write_plugin(tmp_path, "tca", block("other_tca"), module="acme_tca", package="acme-tools", version="2.1")
    reload_plugins()
    with pytest.raises(VadkitError) as error:
        load_plugins()
    assert "two plugins are called 'tca': vadkit_tca (vadkit" in str(error.value)
    assert "acme_tca (acme-tools 2.1)" in str(error.value)
    assert "--without tca" in str(error.value)
    assert load_plugins(["tca"]).components.find("other_tca") is None


def test_a_blocked_plugin_is_not_imported(load: Load) -> None:
    plugins = load(without=("bomb",), bomb="raise SystemExit('imported')")
    assert plugins["bomb"].blocked and plugins["bomb"].error is None
    assert "vadkit_bomb" not in sys.modules


def test_to_block_an_unknown_plugin_is_an_error() -> None:
    with pytest.raises(VadkitError, match="unknown plugin 'tcaa' in --without\n  hint: did you mean 'tca'"):
        load_plugins(["tcaa"])


def test_modules_without_a_package_are_named_in_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "vadkit_loose.py").write_text(block("loose_block"))
    monkeypatch.setenv("VADKIT_PLUGINS", " vadkit_loose, ,vadkit_missing")
    with plugins_in(tmp_path):
        plugins = {plugin.name: plugin for plugin in load_plugins().plugins}
        assert load_plugins().components.find("loose_block") in plugins["loose"].components
        assert plugins["loose"].origin == "VADKIT_PLUGINS"
        assert "vadkit_missing is not installed" in str(plugins["missing"].error)


def test_an_unchecked_name_never_reaches_the_registry() -> None:
    components: Components = load_plugins().components
    assert components.find("os.path.join") is None
    assert components.find("torch.nn.Linear", "temporal") is None
    assert components.suggest("tcaa") == "did you mean 'tca' (temporal, plugin tca)?"
    assert components.suggest("nothing_like_it") is None


@pytest.mark.guards("6")
def test_a_loose_module_is_found_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here_only.py").write_text(block("here_block"))
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    monkeypatch.chdir(tmp_path)
    for written in ("here_only", "here_only.py"):
        monkeypatch.setenv("VADKIT_PLUGINS", written)
        reload_plugins()
        assert load_plugins().components.find("here_block") is not None
    monkeypatch.setenv("VADKIT_PLUGINS", "not_here")
    reload_plugins()
    (broken,) = load_plugins().broken
    assert broken.error == (
        f"ModuleNotFoundError: not_here is not installed, and there is no {tmp_path / 'not_here.py'}"
    )
    sys.modules.pop("here_only")
    monkeypatch.setenv("VADKIT_PLUGINS", "")
    reload_plugins()
