"""Find the weights of a backbone: which public files fit, and which one a file is."""

from __future__ import annotations

import argparse

from vadkit.cli.subverbs import add_subverbs, run_subverb

VERBS = {
    "list": "the public weight files that each backbone reads: source, licence, SHA-256",
    "check": "which of them a file is, and which backbones it fits",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_subverbs(parser, VERBS)


def run(args: argparse.Namespace) -> int:
    return run_subverb("weights", VERBS, args)
