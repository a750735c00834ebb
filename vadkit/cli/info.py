"""Show a component, a system, a config, or a key of a config."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from vadkit.cli.catalogue import catalogue
from vadkit.cli.completion import names_to_look_up
from vadkit.cli.options import add_without
from vadkit.plugin_manager import config_folders, discover, load_plugins
from vadkit.problems import fail, nearest

if TYPE_CHECKING:
    from vadkit.plugin_manager import Plugins

EXAMPLES = "examples: vadkit info tca; vadkit info seed_xd_rgb; vadkit info train; vadkit info train.precision"
LISTS = "see 'vadkit list', 'vadkit list configs', 'vadkit info train'"
SECTIONS = ("inputs", "nodes", "losses", "output", "data", "train", "eval", "rounds", "extends", "about")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EXAMPLES
    name = parser.add_argument("name", metavar="NAME", help="a component, a system, a config, or a key of a config")
    name.completer = names_to_look_up  # type: ignore[attr-defined]
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_without(parser)


def run(args: argparse.Namespace) -> int:
    facts, show = _look_up(args.name, args.without)
    if args.json:
        print(json.dumps(facts, indent=2, default=str))
    else:
        show(facts)
    return 0


def _look_up(name: str, without: list[str]) -> tuple[Any, Callable[[Any], None]]:
    """Return what is known of a name, and the function that prints it."""
    from vadkit.cli import describe_component as component
    from vadkit.cli import describe_config as config

    if name.partition(".")[0] in SECTIONS and not name.endswith((".yaml", ".yml")):
        return config.key_facts(name), config.print_keys  # needs no plugin
    folders = config_folders(without)
    file, systems = config.find_config(folders, name), config.systems(folders)
    found = None
    if (file is None and name not in systems) or name in {plugin.name for plugin in discover()}:
        found = catalogue(without).find(name)  # a plugin's own graph is often called as its component
    if found is not None:
        return found, component.print_component
    if file is not None:
        return config.config_facts(folders, file), config.print_config
    if name in systems:
        return config.system_facts(systems[name]), config.print_system
    _unknown(load_plugins(without), name)


def _unknown(plugins: Plugins, name: str) -> NoReturn:
    from vadkit.cli.completion import config_names
    from vadkit.cli.describe_config import systems
    from vadkit.graph.schema import moved_key

    moved = moved_key(name)
    hint = f"did you mean '{moved}'?" if moved else plugins.components.suggest(name)
    close = None if hint else nearest(name, [*config_names(), *systems(plugins.config_folders), *SECTIONS])
    fail(
        f"unknown component, system, config or key '{name}'",
        hint or (f"did you mean '{close}'?" if close else LISTS),
        notes=plugins.lost,
    )
