"""Write the labels of further test sets as a table, from intervals that are shares of each video.

  vadkit store table msad_test_anno.json --videos MSAD --out MSAD/LABELS.csv
  vadkit extract --list MSAD/LABELS.csv --config seed_xd_rgb --out STORE

The file is a list of {"video_path", "class_name", "anomaly_span": [[START, END], ...]}, START and END from 0 to 1, as
the authors of LaGoVAD give away the intervals of MSAD, TAD, LAD, UBnormal and DoTA. How long a video is, is read from
the video itself; one that is not below --videos is left out, and named.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("file", type=Path, metavar="FILE.json", help="the intervals")
    parser.add_argument("--videos", type=Path, required=True, metavar="DIR", help="a folder above the test videos")
    parser.add_argument("--out", type=Path, required=True, metavar="LABELS.csv", help="the table to write")


def run(args: argparse.Namespace) -> int:
    from vadkit.cli.bar import bar
    from vadkit.datasets.importing.interval_shares import read_shares, table_of
    from vadkit.extract.lengths import lengths_of
    from vadkit.files import make_folder, write_text_atomic
    from vadkit.predict.inputs import search
    from vadkit.problems import Problem, VadkitError, fail, plural, some
    from vadkit.results_folder import writing

    videos = read_shares(args.file)
    if not args.videos.is_dir():
        fail(f"{args.videos}: there is no such folder", "--videos is the folder of the test videos")
    files = search([args.videos], Path(os.devnull)).videos
    with bar() as progress:
        lengths, notes = lengths_of([video.name for video in videos], files, args.out.parent, progress)
    missing = [video.file for video in videos if video.name not in lengths]
    if not lengths and notes:
        raise VadkitError([Problem(note) for note in notes])
    if not lengths:
        fail(f"no video of {args.file} is below {args.videos}", f"they are {some(missing)}")
    with writing(args.out, inputs=[args.file]):
        make_folder(args.out.parent)
        write_text_atomic(args.out, table_of(videos, lengths))
    for note in notes:
        print(f"note: {note}")
    if missing:
        print(f"note: {plural(len(missing), 'video')} of {len(videos)} left out: {some(missing)}")
    print(f"wrote {args.out}: {plural(len(lengths), 'test video')}; 'vadkit extract --list {args.out}' reads it")
    return 0
