"""Bring in published data as they are, check them, or make stand-ins of their full size."""

from __future__ import annotations

import argparse

from vadkit.cli.subverbs import add_subverbs, run_subverb

VERBS = {
    "import": "make a store that reads published features, or your own, where they lie",
    "audit": "check a store: counts, files, lengths, values, duplicates, and a published label file",
    "generate": "write a stand-in of a published data set, in its real layout and size",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_subverbs(parser, VERBS)


def run(args: argparse.Namespace) -> int:
    return run_subverb("data", VERBS, args)
