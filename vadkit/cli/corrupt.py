"""Write copies of videos with damaged pictures or sound: blur, low light, noise, dropped sound and others.

Each corruption has five severities; several are applied in the order given. The copies are DIR/NAME.mp4; the videos
themselves are not touched. The same seed gives the same frames and samples. 'vadkit list corruption' shows the names.

Rerun the same command to resume: finished copies are skipped, those of changed videos are written again.

Exit code: 0 if all went well, 1 if some videos could not be used, 2 if none could.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vadkit.corrupt.run import Copied


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("videos", metavar="VIDEO", nargs="+", help="video files, or folders with videos")
    parser.add_argument(
        "--with",
        dest="corruptions",
        action="append",
        required=True,
        metavar="NAME:SEVERITY",
        help="a corruption, for example blur:3; may be repeated",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of all that is drawn (default: 0)")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the copies")
    parser.add_argument("--overwrite", action="store_true", help="replace copies with other corruptions")
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")


def run(args: argparse.Namespace) -> int:
    from vadkit.api.corrupt import corrupt_with_notes

    def show(copy: Copied) -> None:
        if copy.error is not None:
            sys.stderr.write(f"{copy.error}\n")
        elif not args.quiet:
            print(f"{copy.video}{', finished before' if copy.skipped else ''} -> {copy.file}")
            for text in copy.warnings:
                print(f"  note: {text}")

    copies, notes = corrupt_with_notes(
        args.videos,
        corruptions=args.corruptions,
        out=args.out,
        seed=args.seed,
        overwrite=args.overwrite,
        progress=not args.quiet,
        report=show,
    )
    for text in () if args.quiet else notes:
        print(f"note: {text}")
    failed = sum(copy.error is not None for copy in copies)
    return 0 if not failed else 2 if failed == len(copies) else 1
