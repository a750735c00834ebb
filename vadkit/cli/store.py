"""Import, generate, inspect, check, compare, pack and merge stores of features, and write tables of labels."""

from __future__ import annotations

import argparse

from vadkit.cli.subverbs import add_subverbs, run_subverb

VERBS = {
    "import": "make a store that reads published features, or your own, in their folders",
    "generate": "write a stand-in of a published data set, or a set of rendered videos",
    "info": "show streams, recipes, crops, hours and size",
    "check": "check files, hashes, recipes, counts, lengths, values, duplicates and label files",
    "diff": "compare two stores, folders or files of features and say why they differ",
    "pack": "write the packed cache, which is read much faster",
    "table": "write the labels of further test sets as a table",
    "merge": "merge stores with the same recipes, such as the shards of one run",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_subverbs(parser, VERBS)


def run(args: argparse.Namespace) -> int:
    return run_subverb("store", VERBS, args)
