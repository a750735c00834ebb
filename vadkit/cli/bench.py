"""Compare variants of a graph."""

from __future__ import annotations

import argparse

from vadkit.cli.subverbs import add_subverbs, run_subverb

VERBS = {
    "swap": "train, score and time a graph with other components at one node",
    "compare": "put finished runs side by side: figures, and which differences are real",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_subverbs(parser, VERBS)


def run(args: argparse.Namespace) -> int:
    return run_subverb("bench", VERBS, args)
