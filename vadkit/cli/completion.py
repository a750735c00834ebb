"""Shell completion, by argcomplete. Nothing heavy is imported: a completion must be there at once."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


def is_completing() -> bool:
    """Return whether the shell asks for completions."""
    return "_ARGCOMPLETE" in os.environ


def complete(
    verbs: Mapping[str, str], add_arguments: Callable[[str, argparse.ArgumentParser, list[str]], None]
) -> None:
    """Answer the shell and exit. ``add_arguments(verb, parser, written)`` adds what a verb takes to its parser."""
    import argcomplete

    written = os.environ.get("COMP_LINE", "").split()
    parser = argparse.ArgumentParser(prog="vadkit")
    for option in ("--version", "--debug"):
        parser.add_argument(option, action="store_true")
    below = parser.add_subparsers()
    for verb, what in verbs.items():
        chosen = below.add_parser(verb, help=what)
        if verb in written:
            add_arguments(verb, chosen, written)
    argcomplete.autocomplete(parser)


def config_names(prefix: str = "", **_: Any) -> list[str]:
    """Return the names of the configs that come with vadkit, and YAML files that begin with ``prefix``."""
    from vadkit.plugin_manager import configs_in, own_configs

    names = [path.stem for path in configs_in([own_configs()])]
    here = Path(prefix).parent
    found = [str(path) for path in sorted(here.glob("*.y*ml"))] if here.is_dir() else []
    return [name for name in [*names, *found] if name.startswith(prefix)]


def system_names(prefix: str = "", **_: Any) -> list[str]:
    """Return the names of the published systems that come with vadkit, and of their graphs."""
    from vadkit.plugin_manager import own_configs
    from vadkit.systems.card import card_files

    graphs = sorted(path.stem for path in (own_configs() / "graphs").glob("*/*.yaml"))
    names = [*(path.stem for path in card_files([own_configs()])), *graphs]
    return [name for name in names if name.startswith(prefix)]


def names_to_look_up(prefix: str = "", **more: Any) -> list[str]:
    """Return what ``vadkit info`` knows: components (plugins, until they were listed once), configs and keys."""
    from vadkit.cli.catalogue import cached
    from vadkit.graph.schema import describe
    from vadkit.plugin_manager import discover

    kept = cached()
    known = [facts["name"] for facts in kept.components] if kept else [plugin.name for plugin in discover()]
    names = [*known, *config_names(prefix), *(row.key for row in describe())]
    return [name for name in names if name.startswith(prefix)]
