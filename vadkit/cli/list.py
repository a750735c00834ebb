"""List components with the plugin that brings each; or plugins alone, configs, or one kind."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from vadkit import KINDS as CLASSES
from vadkit.cli.catalogue import Entry, catalogue, plugin_entry
from vadkit.cli.options import add_without
from vadkit.cli.tables import print_table, unmarked
from vadkit.problems import VadkitError, did_you_mean, fail

KINDS = tuple(name.lower() for name in CLASSES)


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
        found = {"plugins": _plugins(args.without)}
    elif args.what == "configs":
        found = {"configs": _configs(args.without)}
    else:
        found = _components(args.what, args.without)
    if args.json:
        print(json.dumps(found, indent=2))
    else:
        _print(found)
    return 0


def _plugins(without: list[str]) -> list[Entry]:
    """Describe all plugins. Two of one name stop other verbs; here both are listed."""
    from vadkit.plugin_manager import check_without, discover

    plugins = discover()
    check_without(plugins, without)
    try:
        return catalogue(without).plugins
    except VadkitError as error:
        for plugin in plugins:
            plugin.blocked = plugin.name in without
            if not plugin.blocked and sum(other.name == plugin.name for other in plugins) > 1:
                plugin.error = error.problems[0].message
        return [plugin_entry(plugin) for plugin in plugins]


def _components(what: str, without: list[str]) -> dict[str, list[Entry]]:
    found = catalogue(without)
    if what not in ("all", *KINDS):
        hint = did_you_mean(what, ["plugins", "configs", *KINDS])
        fail(f"cannot list '{what}'; there are plugins, configs, {', '.join(KINDS)}", hint)
    plugins = {plugin["name"]: plugin for plugin in found.plugins}
    chosen = [facts for facts in found.components if what in ("all", facts["kind"])]
    return {"components": [_component(facts, plugins) for facts in chosen], "plugins": found.plugins}


def _component(facts: Entry, plugins: dict[str, Entry]) -> Entry:
    plugin = plugins[facts["plugin"]]
    return {
        "kind": facts["kind"],
        "name": facts["name"],
        "summary": facts["docstring"].strip().partition("\n")[0],
        "plugin": plugin["name"],
        "package": plugin["package"],
        "version": plugin["version"],
        "fidelity": facts["fidelity"],
    }


def _configs(without: list[str]) -> list[Entry]:
    from vadkit.plugin_manager import config_folders, configs_in

    files = configs_in(config_folders(without))
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
        _print_lost(found["plugins"])


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
            print(f"  entry point {plugin['module']}" + (f"; {plugin['place']}" if plugin["place"] else ""))
        elif plugin["state"] == "blocked":
            print(f"blocked: {origin}, by --without")
