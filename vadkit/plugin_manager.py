"""Find plugins, load each on its own, and register what they provide.

pluggy checks hooks and calls them; the loop over entry points is ours, because pluggy's stops at
the first plugin that cannot be imported. A broken plugin is listed with its cause, never fatal.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import Distribution, entry_points
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pluggy

from vadkit import hookspecs
from vadkit.numba_cache import provide_numba_cache
from vadkit.problems import Note, VadkitError, fail, unknown

if TYPE_CHECKING:  # it imports torch, which `vadkit list plugins` does not need
    from vadkit.registry import Components

GROUP = "vadkit"
CARDS = "systems"  # the folder, in a folder of configs, that holds the cards of systems
RESULTS = "results"  # the folder, in a folder of configs, that holds published and measured results
EXTRA = "VADKIT_PLUGINS"  # modules that are importable but not packaged, comma separated


@dataclass
class Plugin:
    """One plugin: where it comes from and whether it could be loaded."""

    name: str
    module: str
    package: str
    version: str = ""
    error: str | None = None
    place: str | None = None  # the plugin's own line at which it failed
    blocked: bool = False
    components: list[type] = field(default_factory=list)
    config_folders: list[Path] = field(default_factory=list)
    restatements: list[type] = field(default_factory=list)

    @property
    def origin(self) -> str:
        return f"{self.package} {self.version}".strip()


@dataclass
class Plugins:
    """All plugins of this process, their components and their folders of YAML graphs."""

    plugins: list[Plugin]
    components: Components
    config_folders: list[Path]

    @property
    def broken(self) -> list[Plugin]:
        return [plugin for plugin in self.plugins if plugin.error]

    @property
    def lost(self) -> tuple[Note, ...]:
        """Notes for the message that a name is unknown: the plugins that might provide it."""
        notes = []
        for plugin in self.plugins:
            if plugin.error or plugin.blocked:
                cause = f"could not be loaded ({plugin.error})" if plugin.error else "is excluded by --without"
                notes.append(Note(f"plugin {plugin.name} ({plugin.origin}) {cause}; it may provide it"))
        return tuple(notes)


def discover() -> list[Plugin]:
    """Return the plugins that are installed or named in VADKIT_PLUGINS, without importing any."""
    found = []
    packages: dict[Distribution | None, tuple[str, str]] = {None: ("?", "")}
    for point in entry_points(group=GROUP):
        if point.dist and point.dist not in packages:  # its name and version: each parses all metadata, README included
            packages[point.dist] = point.dist.name, point.dist.version
        found.append(Plugin(point.name, point.value, *packages[point.dist]))
    for module in filter(None, (m.strip().removesuffix(".py") for m in os.environ.get(EXTRA, "").split(","))):
        found.append(Plugin(module.removeprefix("vadkit_"), module, EXTRA))
    unique = {(p.name, p.module): p for p in reversed(found)}
    return sorted(unique.values(), key=lambda p: (p.package != "vadkit", p.name, p.module))


def check_without(plugins: Iterable[Plugin], without: Iterable[str]) -> None:
    """Raise VadkitError for an excluded name that no plugin has."""
    names = {plugin.name for plugin in plugins}
    for name in without:
        if name not in names:
            raise VadkitError([unknown(name, sorted(names), "plugin", "in --without")])


def _refuse_same_names(plugins: list[Plugin]) -> None:
    seen: dict[str, Plugin] = {}
    for plugin in plugins:
        other = seen.setdefault(plugin.name, plugin)
        if other is not plugin:
            fail(
                f"two plugins are called '{plugin.name}': {other.module} ({other.origin}) and "
                f"{plugin.module} ({plugin.origin})",
                hint=f"uninstall one of them, or exclude both with --without {plugin.name}",
            )


def _load(plugin: Plugin, manager: pluggy.PluginManager, components: Components) -> None:
    """Import one plugin and register its components; record the cause if that fails."""
    try:
        module = _imported(plugin)
        manager.register(module, plugin.name)
        manager.check_pending()
        hook = manager.subset_hook_caller("vadkit_components", [p for p in manager.get_plugins() if p is not module])
        provided = [c for result in hook() for c in result]
        for component in provided:
            components.add(component, plugin.name)
            plugin.components.append(component)
        folders = manager.subset_hook_caller("vadkit_configs", [p for p in manager.get_plugins() if p is not module])
        plugin.config_folders.extend(map(_existing, folders()))
        plugin.restatements.extend(_restatements(manager, module))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it raises must not affect other plugins
        plugin.error = f"{type(error).__name__}: {' '.join(str(error).split())}"
        plugin.place = _own_line(error, plugin)
        for component in plugin.components:
            components.remove(component)
        plugin.components.clear()
        plugin.config_folders.clear()
        if manager.has_plugin(plugin.name):
            manager.unregister(name=plugin.name)


def _restatements(manager: pluggy.PluginManager, module: ModuleType) -> list[type]:
    hook = manager.subset_hook_caller("vadkit_restatements", [p for p in manager.get_plugins() if p is not module])
    found = [restatement for result in hook() for restatement in result]
    if found:  # hardly a plugin has any, and the check needs torch
        from vadkit.restatement import check_restatement

        for restatement in found:
            check_restatement(restatement)
    return found


def _imported(plugin: Plugin) -> ModuleType:
    """Import a plugin's module; one that VADKIT_PLUGINS names may be in the current folder."""
    here = os.getcwd()
    if plugin.package == EXTRA and here not in sys.path:
        sys.path.append(here)  # last, so that nothing installed is hidden
    try:
        return importlib.import_module(plugin.module)
    except ModuleNotFoundError as error:
        if plugin.package == EXTRA and error.name == plugin.module:
            file = Path(here, *plugin.module.split(".")).with_suffix(".py")
            raise ModuleNotFoundError(f"{plugin.module} is not installed, and there is no {file}") from None
        raise


def _own_line(error: BaseException, plugin: Plugin) -> str | None:
    """Return the line of the plugin's own files at which it failed, as FILE:LINE: SOURCE."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}: {(error.text or '').strip()}"
    frames = traceback.extract_tb(error.__traceback__)
    top = plugin.module.partition(".")[0]
    own = [f for f in frames if Path(f.filename).stem == top or top in Path(f.filename).parts[:-1]]
    return f"{own[-1].filename}:{own[-1].lineno}: {own[-1].line}" if own else None


def _existing(folder: str | Path) -> Path:
    if not Path(folder).is_dir():  # usually missing from the wheel; its graphs would be lost silently
        raise NotADirectoryError(f"vadkit_configs() names {folder}, which is not a folder")
    return Path(folder)


def load_plugins(without: Iterable[str] = ()) -> Plugins:
    """Import every plugin except those named in ``without`` and return what they provide.

    Raises VadkitError for two plugins of one name and for a name in ``without`` that is unknown.
    A component whose name is taken makes its plugin broken; the error names the other plugin.
    """
    provide_numba_cache()  # before a plugin imports what needs it
    extra = os.environ.get(EXTRA, "")
    return _load_all(tuple(sorted(set(without))), extra, os.getcwd() if extra else "")


@lru_cache(maxsize=4)
def _load_all(without: tuple[str, ...], extra: str, here: str) -> Plugins:
    from vadkit.registry import Components

    plugins = discover()
    check_without(plugins, without)
    _refuse_same_names([p for p in plugins if p.name not in without])
    manager = pluggy.PluginManager("vadkit")
    manager.add_hookspecs(hookspecs)
    components = Components()
    for plugin in plugins:
        plugin.blocked = plugin.name in without
        if not plugin.blocked:
            _load(plugin, manager, components)
    folders = [own_configs(), *(folder for plugin in plugins for folder in plugin.config_folders)]
    return Plugins(plugins, components, folders)


def add_plugin_files(folder: Path) -> None:
    """Let every ``vadkit_*.py`` of a folder be a plugin of this process, as if VADKIT_PLUGINS named it.

    Raises VadkitError if the folder has none.
    """
    modules = [file.stem for file in sorted(folder.glob("vadkit_*.py"))]
    if not modules:
        fail(f"{folder} has no plugins", "its files must be called vadkit_NAME.py")
    if str(folder.resolve()) not in sys.path:
        sys.path.append(str(folder.resolve()))  # last, so that nothing installed is hidden
    known = [name.strip() for name in os.environ.get(EXTRA, "").split(",") if name.strip()]
    os.environ[EXTRA] = ",".join(dict.fromkeys([*known, *modules]))


def config_folders(without: Iterable[str] = ()) -> list[Path]:
    """Return the folders of configs. Plugins whose source does not speak of ``vadkit_configs`` are not imported."""
    plugins = discover()
    check_without(plugins, without)
    if any(plugin.name not in without and _may_have_configs(plugin) for plugin in plugins):
        return load_plugins(without).config_folders
    return [own_configs()]


def _may_have_configs(plugin: Plugin) -> bool:
    """Return False for a module of one file that neither names the hook nor takes all names of another module."""
    try:
        spec = importlib.util.find_spec(plugin.module) if "." not in plugin.module else None
        if spec is None or spec.origin is None or spec.submodule_search_locations:
            return True
        source = Path(spec.origin).read_text("utf-8")
    except (ImportError, ValueError, OSError):
        return True
    return "vadkit_configs" in source or "import *" in source


def configs_in(folders: Iterable[Path]) -> list[Path]:
    """Return the files of all configs, at any depth, folder by folder and in order of their paths.

    Cards of systems and their results are no configs.
    """
    files = [(folder, path) for folder in folders for path in sorted(folder.rglob("*.y*ml"))]
    return [path for folder, path in files if path.relative_to(folder).parts[0] not in (CARDS, RESULTS)]


def own_configs() -> Path:
    """Return the folder of the configs that come with vadkit."""
    packaged = Path(__file__).parent / "registry_configs"
    # A checkout has it at the top; the wheel moves it into the package.
    return packaged if packaged.is_dir() else Path(__file__).parent.parent / "registry_configs"


def reload_plugins() -> None:
    """Forget what was loaded, so that the next call loads them again. For tests."""
    _load_all.cache_clear()
