"""What ``vadkit list`` and ``vadkit info`` know of plugins and components, kept from one call to the next.

Describing components takes importing every plugin, and with them torch: seconds. The description is kept in the user's
cache folder and holds as long as the plugins, their files and those of vadkit are the same (names, sizes, times).
Nothing is kept while a plugin is broken, blocked, or cannot be found as a file.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import vadkit
from vadkit.files import write_atomically
from vadkit.plugin_manager import discover
from vadkit.problems import VadkitError

if TYPE_CHECKING:
    from vadkit.plugin_manager import Plugin, Plugins

Entry = dict[str, Any]


@dataclass(frozen=True)
class Catalogue:
    """All plugins, and all that is known of each component, in order of kind and name."""

    plugins: list[Entry]
    components: list[Entry]

    def find(self, name: str) -> Entry | None:
        return next((facts for facts in self.components if facts["name"] == name), None)


def catalogue(without: Sequence[str] = ()) -> Catalogue:
    """Return the catalogue, from the cache where it still holds. Raises VadkitError as ``load_plugins`` does."""
    kept = None if without else cached()
    if kept is not None:
        return kept
    from vadkit.plugin_manager import load_plugins

    found = _described(load_plugins(without))
    if not any(plugin["state"] for plugin in found.plugins):
        _keep(found)
    return found


def cached() -> Catalogue | None:
    """Return the catalogue that was kept, if it still holds."""
    now = fingerprint()
    try:
        content = json.loads(cache_file().read_bytes())
        if now is not None and content["fingerprint"] == now:
            return Catalogue(content["plugins"], content["components"])
    except (OSError, ValueError, LookupError, TypeError):  # none, or a damaged one
        pass
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


def _keep(found: Catalogue) -> None:
    now = fingerprint()
    if now is None:
        return
    content = {"fingerprint": now, "plugins": found.plugins, "components": found.components}
    try:
        cache_file().parent.mkdir(parents=True, exist_ok=True)
        write_atomically(cache_file(), json.dumps(content).encode())
    except (OSError, VadkitError):  # no home, or a read-only one: the next call takes its seconds again
        pass


def cache_file(name: str = "catalogue") -> Path:
    """Return the path of a cache; each environment has its own."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base) / "vadkit" / f"{name}-{hashlib.sha256(sys.prefix.encode()).hexdigest()[:16]}.json"


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
