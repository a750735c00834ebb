"""Merge stores with the same recipes into a new one. If it is interrupted, the same command goes on."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("stores", metavar="STORE", nargs="+", help="the stores, two or more")
    parser.add_argument("--out", metavar="DIR", required=True, help="folder of the new store")
    parser.add_argument(
        "--link",
        action="store_true",
        help="hard links, not copies; an array changed in place (not by vadkit) changes in both",
    )


def run(args: argparse.Namespace) -> int:
    from vadkit.cli.bar import bar
    from vadkit.problems import fail
    from vadkit.store.merge import merge

    if len(args.stores) < 2:
        fail("one store alone cannot be merged", hint="name two or more")
    with bar() as progress:
        merged = merge(args.stores, args.out, args.link, lambda done, total: progress("arrays", done, total))
    for note in merged.notes:
        print(f"note: {note}")
    print(f"{args.out}: {merged.videos} videos, {merged.arrays} arrays of {len(args.stores)} stores")
    return 0
