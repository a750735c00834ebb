"""Weights that others published: files of backbones, and import of systems."""

from __future__ import annotations

import argparse

from vadkit.cli.subverbs import add_subverbs, run_subverb

VERBS = {
    "list": "the public weight files that each backbone reads: source, licence, SHA-256",
    "check": "which of them a file is, and which backbones it fits",
    "import": "the weights that the authors of a system published, as a model file",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_subverbs(parser, VERBS)


def run(args: argparse.Namespace) -> int:
    return run_subverb("weights", VERBS, args)
