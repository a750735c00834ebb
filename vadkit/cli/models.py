"""Published systems: their graphs, how faithful each is, sizes, quirks and published figures."""

from __future__ import annotations

import argparse

from vadkit.cli.subverbs import add_subverbs, run_subverb

VERBS = {
    "list": "every system with its graphs, fidelity and sizes",
    "info": "one system: what is certain, guessed and unusual, and its figures",
    "compare": "systems next to one another, with their figures",
    "page": "write all systems and their figures as a page",
    "record": "write the figures of a finished comparison as results",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_subverbs(parser, VERBS)


def run(args: argparse.Namespace) -> int:
    return run_subverb("models", VERBS, args)
