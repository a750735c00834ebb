"""Write the packed cache of a store: one memory-mapped file per stream, read much faster than a file per video.

The store uses it from then on. The original files stay; if one of them changes, the store says so until it is
packed again. A pack may be used without them.
"""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("store", type=Path, metavar="STORE", help="folder of the store")
    parser.add_argument("--streams", nargs="+", default=[], metavar="NAME", help="only these (default: all)")
    parser.add_argument(
        "--dtype",
        choices=("float32", "float16"),
        default="float32",
        help="float16 takes half the space and rounds to 11 bits (default: float32)",
    )
    parser.add_argument("--remove", action="store_true", help="delete the packed files instead of writing them")


def run(args: argparse.Namespace) -> int:
    from vadkit.cli.bar import bar
    from vadkit.cli.tables import print_table
    from vadkit.store.pack import pack, unpack

    if args.remove:
        for path in unpack(args.store, args.streams):
            print(f"deleted {path}")
        return 0
    with bar() as progress:
        results = pack(
            args.store,
            args.dtype,
            args.streams,
            lambda stream, done, total: progress(f"packing {stream}, MB", done // 10**6, total // 10**6),
        )
    rows = [
        (r.stream, str(r.videos), f"{r.size / 1e9:.2f}", "written" if r.is_new else "up to date", r.path.name)
        for r in results
    ]
    print_table(("stream", "videos", "GB", "", "file"), rows)
    return 0
