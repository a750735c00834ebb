"""What ``vadkit list`` and ``vadkit info`` know of plugins and components, kept from one call to the next.

Describing components takes importing every plugin, and with them torch: seconds. The description is kept in the user's
cache folder and holds as long as the plugins, their files and those of vadkit are the same (names, sizes, times).
Nothing is kept while a plugin is broken, blocked, or cannot be found as a file.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import vadkit
from vadkit.cli.kept import keep, kept
from vadkit.plugin_manager import discover

if TYPE_CHECKING:
    from vadkit.plugin_manager import Plugin, Plugins

Entry = dict[str, Any]
NAME = "catalogue"  # of what is kept


@dataclass(frozen=True)
class Catalogue:
    """All plugins, and all that is known of each component, in order of kind and name."""

    plugins: list[Entry]
    components: list[Entry]

    def find(self, name: str) -> Entry | None:
        return next((facts for facts in self.components if facts["name"] == name), None)


def catalogue(without: Sequence[str] = ()) -> Catalogue:
    """Return the catalogue, from the cache where it still holds. Raises VadkitError as ``load_plugins`` does."""
    before = None if without else cached()
    if before is not None:
        return before
    from vadkit.plugin_manager import load_plugins

    found = _described(load_plugins(without))
    if not any(plugin["state"] for plugin in found.plugins):
        keep(NAME, fingerprint(), vars(found))
    return found


def cached() -> Catalogue | None:
    """Return the catalogue that was kept, if it still holds."""
    try:
        return Catalogue(**kept(NAME, fingerprint()))
    except TypeError:  # nothing was kept, or something else
        return None


def plugin_entry(plugin: Plugin) -> Entry:
    """Return what is shown of a plugin."""
    state = "blocked" if plugin.blocked else "broken" if plugin.error else ""
    return {
        "name": plugin.name,
        "package": plugin.package,
        "version": plugin.version,
        "module": plugin.module,
        "state": state,
        "error": plugin.error,
        "place": plugin.place,
    }


def _described(plugins: Plugins) -> Catalogue:
    from vadkit.cli.describe_component import component_facts
    from vadkit.kinds import KINDS

    known = plugins.components
    classes = [known.find(name, kind) for kind in KINDS for name in known.names(kind)]
    facts = [component_facts(plugins, component) for component in classes if component is not None]
    return Catalogue([plugin_entry(plugin) for plugin in plugins.plugins], json.loads(json.dumps(facts, default=str)))


def fingerprint() -> str | None:
    """Return what the catalogue depends on, as a digest; None if a plugin's files are not known."""
    digest = hashlib.sha256(f"{vadkit.__version__} {sys.version}".encode())
    own = Path(vadkit.__file__).parent
    for plugin in discover():
        digest.update(f"{plugin.name}\0{plugin.module}\0{plugin.package}\0{plugin.version}\n".encode())
        files = _files(plugin.module)
        if files is None:
            return None
        for file in files:
            digest.update(_stated(file))
    for file in sorted(own.rglob("*.py")):
        digest.update(_stated(file))
    return digest.hexdigest()


def _files(module: str) -> list[Path] | None:
    """Return the source of a module, or of the package that it is in."""
    try:
        spec = importlib.util.find_spec(module.partition(".")[0])
    except (ImportError, ValueError):
        return None
    if spec is None or spec.origin is None:
        return None
    origin = Path(spec.origin)
    return sorted(origin.parent.rglob("*.py")) if spec.submodule_search_locations else [origin]


def _stated(file: Path) -> bytes:
    try:
        stat = file.stat()
    except OSError:
        return f"{file}\n".encode("utf-8", "surrogateescape")
    return f"{file}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode("utf-8", "surrogateescape")
