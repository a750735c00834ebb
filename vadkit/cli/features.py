"""Look at, check, compare, pack and join stores of features."""

from __future__ import annotations

import argparse

from vadkit.cli.subverbs import add_subverbs, run_subverb

VERBS = {
    "info": "streams, recipes, crops, hours and size of a store",
    "verify": "check every array of a store against its manifest",
    "diff": "compare two stores, folders or files of features and say why they differ",
    "pack": "write the packed cache of a store, which is read much faster",
    "merge": "join stores that were made in the same way, such as the shards of one run",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_subverbs(parser, VERBS)


def run(args: argparse.Namespace) -> int:
    return run_subverb("features", VERBS, args)
