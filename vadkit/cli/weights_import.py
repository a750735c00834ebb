"""Write the weights that the authors of a system published as a model file: checked, and without running their code."""

from __future__ import annotations

import argparse
from pathlib import Path

from vadkit.cli.options import add_set


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", metavar="GRAPH", help="the graph that the weights are of: a name, or a YAML file")
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="the authors' files; FILE, or PREFIX=FILE where names need a prefix"
    )
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="MODEL.safetensors", help="the file to write")
    parser.add_argument("--names", type=Path, metavar="FILE", help="a table of official names, for a graph of your own")
    add_set(parser, "nodes.attention.args.heads=8")


def run(args: argparse.Namespace) -> int:
    from vadkit.api.import_weights import import_with_report

    _, found, origin = import_with_report(args.config, args.files, set=args.set, out=args.out, names=args.names)
    if origin is not None:
        print(f"system {origin}")
    print(f"imported {found}")
    print(f"wrote {args.out}")
    return 0
