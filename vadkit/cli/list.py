"""List components with the plugin that brings each; or plugins alone, configs, or one kind."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vadkit.cli.options import add_without
from vadkit.cli.tables import print_table, unmarked
from vadkit.problems import did_you_mean, fail

if TYPE_CHECKING:
    from vadkit.plugin_manager import Plugin, Plugins

Entry = dict[str, Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "what",
        nargs="?",
        default="all",
        metavar="WHAT",
        help="'plugins', 'configs', or a kind such as 'temporal'; without it, every component",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_without(parser)


def run(args: argparse.Namespace) -> int:
    if args.what == "plugins":
        found = {"plugins": _plugins_unloaded(args.without)}
    elif args.what == "configs":
        found = {"configs": _configs(args.without)}
    else:
        found = _components(args.what, args.without)
    if args.json:
        print(json.dumps(found, indent=2))
    else:
        _print(found)
    return 0


def _plugins_unloaded(without: list[str]) -> list[Entry]:
    """Describe plugins from their packages' metadata alone: nothing of them is imported."""
    from vadkit.plugin_manager import check_without, discover

    plugins = discover()
    check_without(plugins, without)
    for plugin in plugins:
        plugin.blocked = plugin.name in without
    return [_plugin(plugin) for plugin in plugins]


def _plugin(plugin: Plugin) -> Entry:
    state = "blocked" if plugin.blocked else "broken" if plugin.error else ""
    return {
        "name": plugin.name,
        "package": plugin.package,
        "version": plugin.version,
        "module": plugin.module,
        "state": state,
        "error": plugin.error,
    }


def _components(what: str, without: list[str]) -> dict[str, list[Entry]]:
    from vadkit.kinds import KINDS
    from vadkit.plugin_manager import load_plugins

    kinds = [kind for kind in KINDS if what in ("all", kind)]
    if not kinds:
        hint = did_you_mean(what, ["plugins", "configs", *KINDS])
        fail(f"cannot list '{what}'; there are plugins, configs, {', '.join(KINDS)}", hint)
    plugins = load_plugins(without)
    entries = [_component(plugins, kind, name) for kind in kinds for name in plugins.components.names(kind)]
    return {"components": entries, "plugins": [_plugin(plugin) for plugin in plugins.plugins]}


def _component(plugins: Plugins, kind: str, name: str) -> Entry:
    component = plugins.components.find(name, kind)
    assert component is not None
    plugin = next(p for p in plugins.plugins if p.name == plugins.components.owners[component])
    summary = (component.__doc__ or "").strip().partition("\n")[0]
    return {
        "kind": kind,
        "name": name,
        "summary": summary,
        "plugin": plugin.name,
        "package": plugin.package,
        "version": plugin.version,
        "fidelity": component.fidelity,
    }


def _configs(without: list[str]) -> list[Entry]:
    from vadkit.plugin_manager import configs_in, load_plugins

    files = configs_in(load_plugins(without).config_folders)
    return [{"name": file.stem, "about": about(file), "file": str(file)} for file in files]


def about(path: Path) -> str:
    """Return what a config says about itself, without checking the rest of it."""
    from vadkit.graph.yaml_reader import read_text

    try:
        tree = read_text(path.read_text("utf-8"), str(path)).tree
    except (OSError, UnicodeDecodeError) as error:
        return f"(cannot be read: {error})"
    content = tree.plain() if tree is not None else None
    return str(content.get("about") or "") if isinstance(content, dict) else "(not a config)"


def _print(found: dict[str, list[Entry]]) -> None:
    if "configs" in found:
        print_table(["name", "about"], [[c["name"], c["about"]] for c in found["configs"]])
    elif "components" in found:
        print_table(
            ["kind", "name", "what", "plugin", "fidelity"],
            [[c["kind"], c["name"], unmarked(c["summary"]), _origin(c), c["fidelity"]] for c in found["components"]],
        )
        _print_lost(found["plugins"])
    else:
        print_table(
            ["name", "package", "version", "module", "state"],
            [[p["name"], p["package"], p["version"], p["module"], p["state"]] for p in found["plugins"]],
        )


def _origin(component: Entry) -> str:
    """Name the plugin, and its package where that is not vadkit itself.

    A terminal is narrow: there a plugin of vadkit that is called as its component is not named.
    """
    if component["package"] == "vadkit":
        return "" if sys.stdout.isatty() and component["plugin"] == component["name"] else str(component["plugin"])
    return f"{component['plugin']} ({component['package']} {component['version']})".replace(" )", ")")


def _print_lost(plugins: list[Entry]) -> None:
    """Print which plugins contributed nothing, and why: nothing is skipped in silence."""
    for plugin in plugins:
        origin = f"{plugin['name']} ({plugin['package']} {plugin['version']}".rstrip() + ")"
        if plugin["error"]:
            print(f"broken: {origin}: {plugin['error']}")
        elif plugin["state"] == "blocked":
            print(f"blocked: {origin}, by --without")
