"""Verbs below a verb, as ``vadkit store import``: each in a file of its own, imported only when it is named.

``vadkit store import`` is in vadkit/cli/store_import.py, which has ``add_arguments(parser)`` and ``run(args) -> int``
like any verb. A group is a file with a table of its verbs that calls the two functions here.
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Mapping

from vadkit.cli import Parser
from vadkit.problems import did_you_mean, fail


def add_subverbs(parser: argparse.ArgumentParser, verbs: Mapping[str, str]) -> None:
    """Let the parser take one of ``verbs`` (name -> what it does) and its arguments."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    lines = [f"  {verb:<9} {what}" for verb, what in verbs.items()]
    parser.epilog = "\n".join([*lines, "", f"See '{parser.prog} VERB --help' for each."])
    parser.add_argument("verb", metavar="VERB", help="one of the verbs below")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="...", help="arguments of the verb")


def run_subverb(parent: str, verbs: Mapping[str, str], args: argparse.Namespace) -> int:
    """Run the verb that ``args`` names below the verb ``parent``. Raises VadkitError for another name."""
    if args.verb not in verbs:
        fail(
            f"vadkit {parent}: there is no verb '{args.verb}'",
            hint=did_you_mean(args.verb, verbs) or f"there are {', '.join(verbs)}",
        )
    module = importlib.import_module(f"vadkit.cli.{parent}_{args.verb.replace('-', '_')}")
    parser = Parser(prog=f"vadkit {parent} {args.verb}", description=module.__doc__)
    module.add_arguments(parser)
    return int(module.run(parser.parse_args(args.arguments)) or 0)
