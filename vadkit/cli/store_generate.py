"""Write a stand-in of a published feature set: real names, lengths and intervals, made-up numbers.

The full XD-Violence takes 51 GB, UCF-Crime 72 GB, ShanghaiTech 1.7 GB. Rerun the same command to resume. The features
are marked as made up, and so are the store, the models and the figures that come from them.
"""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data_set", metavar="DATA_SET", help="xd_violence, ucf_crime or shanghaitech")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    parser.add_argument("--fraction", type=float, default=1.0, metavar="F", help="share of the videos (default: 1)")
    parser.add_argument("--seed", type=int, default=0, help="seed of everything that is made up (default: 0)")
    parser.add_argument("--streams", nargs="+", default=[], metavar="NAME", help="only these, e.g. rgb audio")
    parser.add_argument("--width", type=int, metavar="N", help="numbers per snippet (default: as published)")
    parser.add_argument(
        "--linked-crops",
        action="store_true",
        help="crops are hard links to crop 0: a fifth or tenth of the disk space, but not for timing",
    )
    parser.add_argument("--threads", type=int, default=2, help="threads that write (default: 2)")


def run(args: argparse.Namespace) -> int:
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    from vadkit.datasets.generating.stand_in import StandIn, Wanted
    from vadkit.problems import fail
    from vadkit.terminal import console

    if not 1 <= args.threads <= 64:
        fail(f"--threads must be from 1 to 64, got {args.threads}")
    wanted = Wanted(args.data_set, args.fraction, args.seed, tuple(args.streams), args.width, args.linked_crops)
    stand_in = StandIn(args.out, wanted)
    missing = stand_in.missing()
    print(f"{len(stand_in.videos)} videos; {len(missing)} files to write, {stand_in.space(missing) / 1e9:.1f} GB")
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console(), redirect_stdout=False, redirect_stderr=False) as bar:
        task = bar.add_task("writing", total=sum(file.size for file in missing))
        stand_in.write(lambda size: bar.advance(task, size), args.threads)
    print(f"wrote {args.out}: {args.data_set} with made-up features")
    return 0
