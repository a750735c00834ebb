"""Write data to try things out: a stand-in of a published feature set, or a set of rendered videos.

xd_violence, ucf_crime and shanghaitech: real names, lengths and intervals, made-up features, in the published layout;
the full XD-Violence takes 51 GB, UCF-Crime 72 GB, ShanghaiTech 1.7 GB. The features are marked as made up, and so are
the store, the models and the figures that come from them.

rendered: videos of several scenes and cameras, with weather, crowds, sound, anomalies and what resembles them; tables
of labels and a page. Continue with 'vadkit extract --list DIR/LABELS.csv'.

Rerun the same command to resume.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

RENDERED = "rendered"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("data_set", metavar="DATA_SET", help=f"xd_violence, ucf_crime, shanghaitech or {RENDERED}")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    parser.add_argument("--seed", type=int, default=0, help="seed of everything that is made up (default: 0)")
    features = parser.add_argument_group("stand-ins")
    features.add_argument("--fraction", type=float, metavar="F", help="share of the videos (default: 1)")
    features.add_argument("--streams", nargs="+", metavar="NAME", help="only these, e.g. rgb audio")
    features.add_argument("--width", type=int, metavar="N", help="numbers per snippet (default: as published)")
    features.add_argument(
        "--linked-crops",
        action="store_true",
        default=None,
        help="crops are hard links to crop 0: a fifth or tenth of the disk space, but not for timing",
    )
    features.add_argument("--threads", type=int, help="threads that write (default: 2)")
    videos = parser.add_argument_group(RENDERED)
    videos.add_argument("--hours", type=float, metavar="H", help="length of all videos (default: 2)")
    videos.add_argument("--scenes", type=int, metavar="N", help="scenes, at least 2 (default: 6)")
    videos.add_argument("--workers", type=int, metavar="N", help="processes that render (default: one per core)")


def run(args: argparse.Namespace) -> int:
    if args.data_set == RENDERED:
        _refuse(args, "of a published feature set", "fraction", "streams", "width", "linked_crops", "threads")
        return _render(args)
    _refuse(args, f"for '{RENDERED}'", "hours", "scenes", "workers")
    return _stand_in(args)


def _refuse(args: argparse.Namespace, what: str, *names: str) -> None:
    from vadkit.problems import fail

    for name in names:
        if getattr(args, name) is not None:
            fail(f"--{name.replace('_', '-')} is {what}; it has no meaning for '{args.data_set}'", "leave it out")


def _stand_in(args: argparse.Namespace) -> int:
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    from vadkit.datasets.generating.stand_in import StandIn, Wanted
    from vadkit.problems import fail
    from vadkit.terminal import console

    threads = 2 if args.threads is None else args.threads
    if not 1 <= threads <= 64:
        fail(f"--threads must be from 1 to 64, got {threads}")
    fraction = 1.0 if args.fraction is None else args.fraction
    streams, linked = tuple(args.streams or ()), bool(args.linked_crops)
    stand_in = StandIn(args.out, Wanted(args.data_set, fraction, args.seed, streams, args.width, linked))
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
        stand_in.write(lambda size: bar.advance(task, size), threads)
    print(f"wrote {args.out}: {args.data_set} with made-up features")
    return 0


def _render(args: argparse.Namespace) -> int:
    from vadkit.opencv import load_opencv
    from vadkit.problems import fail

    load_opencv()  # without, the modules of the next lines cannot be imported
    from vadkit.files import write_text_atomic
    from vadkit.rendered.gallery import gallery
    from vadkit.rendered.generate import PAGE, RenderedSet
    from vadkit.rendered.plan import Wanted
    from vadkit.results_folder import writing

    workers = _cores() if args.workers is None else args.workers
    if not 0 <= workers <= 1024:
        fail(f"--workers must be from 0 to 1024, got {workers}")
    given = {name: getattr(args, name) for name in ("hours", "scenes") if getattr(args, name) is not None}
    rendered = RenderedSet(args.out, Wanted(**given, seed=args.seed))
    missing = rendered.missing()
    print(f"{len(rendered.recordings)} videos, {rendered.wanted.hours:g} hours; {len(missing)} to render")
    _write(rendered, workers)
    with writing(args.out / PAGE):
        write_text_atomic(args.out / PAGE, gallery(rendered))
    print(f"wrote {args.out}: the videos, their labels in LABELS.csv, and {PAGE}")
    return 0


def _write(rendered, workers: int) -> None:  # type: ignore[no-untyped-def]  # its module needs OpenCV
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    from vadkit.terminal import console

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console(), redirect_stdout=False, redirect_stderr=False) as bar:
        task = bar.add_task("rendering", total=sum(recording.seconds for recording in rendered.missing()))
        rendered.write(lambda seconds: bar.advance(task, seconds), workers)


def _cores() -> int:
    """Return how many cores this process may use; not every system says."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
