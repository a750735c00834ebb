"""Compare variants of a graph, and measure how fast everything is."""

from __future__ import annotations

import argparse

from vadkit.cli.subverbs import add_subverbs, run_subverb

VERBS = {
    "swap": "train, score and time a graph with other components at one node",
    "compare": "put finished runs side by side: figures, and which differences are real",
    "robust": "measure what models lose on corrupted videos and without some streams",
    "transfer": "train on one data set, test on another, tune on a few of its videos",
    "speed": "measure systems next to the authors' way and to the limit of the device",
    "check": "say what got slower since an earlier run of speed",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_subverbs(parser, VERBS)


def run(args: argparse.Namespace) -> int:
    return run_subverb("bench", VERBS, args)
