"""Look at, check, compare, pack and join stores of features.

'vadkit features WHAT --help' tells more.
"""

from __future__ import annotations

import argparse
import importlib

from vadkit.problems import fail, nearest

# what -> what it does. It lives in vadkit/cli/features_WHAT.py, made like a verb, and is imported when it is named.
WHATS = {
    "info": "streams, recipes, crops, hours and size of a store",
    "verify": "check every array of a store against its manifest",
    "diff": "compare two stores, folders or files of features and say why they differ",
    "pack": "write the packed cache of a store, which is read much faster",
    "merge": "join stores that were made in the same way, such as the shards of one run",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "\n".join(f"  {what:<8} {does}" for what, does in WHATS.items())
    parser.add_argument("what", metavar="WHAT", help="one of " + ", ".join(WHATS))
    parser.add_argument("rest", metavar="...", nargs=argparse.REMAINDER, help="its arguments")


def run(args: argparse.Namespace) -> int:
    if args.what not in WHATS:
        close = nearest(args.what, WHATS)
        hint = f"did you mean '{close}'?" if close else f"there are {', '.join(WHATS)}"
        fail(f"'vadkit features' cannot '{args.what}'", hint)
    from vadkit.cli import _Parser

    module = importlib.import_module(f"vadkit.cli.features_{args.what}")
    parser = _Parser(prog=f"vadkit features {args.what}", description=module.__doc__)
    module.add_arguments(parser)
    return int(module.run(parser.parse_args(args.rest)) or 0)
