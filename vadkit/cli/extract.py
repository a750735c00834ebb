"""Extract features from videos into a store: each video is decoded once for all streams.

A run can be stopped anywhere and started again with the same words: finished videos are skipped, changed ones
made anew. One that cannot be used is listed in STORE/manifest.jsonl with its cause, and does not stop the others.
Several machines: start --shard 1/8, --shard 2/8, ... with the same words on the same store, by any scheduler.

Exit code: 0 if all went well, 1 if some videos could not be used, 2 if none could.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vadkit.problems import fail

if TYPE_CHECKING:
    from vadkit.extract.one_video import Within
    from vadkit.extract.run import Progress, StoreResult, VideoEntry

CROPS = {"1": "centre", "center": "centre", "5": "five", "10": "ten"}
LINE_EVERY = 60.0  # seconds between lines of progress where there is no terminal
GPU_WORKERS = 4  # processes that share a GPU, each with its networks
SHOWN = 5  # videos that are told of each kind


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("videos", nargs="*", metavar="VIDEO", help="video files, or folders with videos")
    parser.add_argument(
        "--list",
        type=Path,
        metavar="FILE",
        dest="listed",
        help="a list of videos instead: a path per line, or CSV with the column 'file'",
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--config", metavar="GRAPH", help="a graph whose inputs name their backbones")
    what.add_argument(
        "--stream",
        action="append",
        default=[],
        metavar="NAME=BACKBONE[,ARG=VALUE...]",
        help="a stream and its backbone, as rgb=i3d_rgb,weights=FILE; once per stream",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="STORE", help="folder of the store")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change the graph")
    parser.add_argument(
        "--labels",
        metavar="WHAT",
        help="xd_violence, ucf_crime, shanghaitech, or a CSV file with video, label[, split, ...]",
    )
    clock = parser.add_argument_group("how videos are cut")
    clock.add_argument("--fps", type=float, metavar="F", help="frames a second, picked by time (the video's own)")
    clock.add_argument("--snippet", type=int, default=16, metavar="N", help="frames of a snippet (16)")
    clock.add_argument(
        "--tail",
        default="repeat",
        metavar="RULE",
        help="of the last frames: repeat (as UR-DMU), drop (as RTFM) or xd_violence",
    )
    clock.add_argument(
        "--crops", metavar="ORDER", help="centre, 5, 10, five_ur_dmu, ten_ur_dmu, for every backbone that takes crops"
    )
    how = parser.add_argument_group("how it is done")
    how.add_argument("--precision", choices=("fp32", "bf16", "auto"), help="of every backbone that can choose")
    how.add_argument("--device", metavar="D", help="auto, cpu, cuda, cuda:1, ... for every backbone that takes one")
    how.add_argument(
        "--random-weights",
        action="store_true",
        help="let backbones without a weight file run; marks the store for ever",
    )
    how.add_argument("--executor", default="local", metavar="WHERE", help="local or ray (local)")
    how.add_argument(
        "--workers", type=int, metavar="N", help="processes, each with its networks (one per core; 4 on a GPU)"
    )
    how.add_argument(
        "--threads",
        type=int,
        default=1,
        metavar="N",
        help="threads in each process (1); another number changes last digits",
    )
    how.add_argument("--shard", metavar="I/N", help="do part I of N; whoever ends last puts the store in order")
    how.add_argument("--timeout", type=float, metavar="S", help="give up a video that takes longer, twice")
    how.add_argument("--retry-broken", action="store_true", help="try again what could not be used")
    how.add_argument("--without", action="append", default=[], metavar="PLUGIN", help="leave a plugin out")


def run(args: argparse.Namespace) -> int:
    _check(args)
    from vadkit.devices import choose_device
    from vadkit.extract.labels import label, read_labels
    from vadkit.extract.run import Clock, Resources, extract_store
    from vadkit.extract.snippets import find_tail
    from vadkit.extract.streams import build_backbones, streams_of_graph, streams_of_options
    from vadkit.plugin_manager import load_plugins
    from vadkit.store.shards import parse_share

    if args.device is not None:
        args.device = str(choose_device(args.device))
    plugins = load_plugins(args.without)
    told = streams_of_graph(args.config, args.set, plugins) if args.config else streams_of_options(args.stream)
    backbones = build_backbones(told, plugins, _common(args))
    entries, labels = _videos(args)
    if args.labels:
        labels = read_labels(args.labels)
    if labels is not None:
        entries, strangers = label(entries, labels)
        _tell_some(f"{{}} without a label in {labels.source}: left out", strangers)
    entries = sorted(entries, key=lambda entry: entry["name"])  # so that all ways to one store give the same bytes
    most = GPU_WORKERS if (args.device or "cpu").startswith("cuda") else _cores()
    workers = args.workers if args.workers is not None else min(most, len(entries))
    with _progress(entries) as (progress, within):
        result = extract_store(
            entries, backbones, args.out, clock=Clock(args.fps, args.snippet, find_tail(args.tail)),
            classes=labels.classes if labels else (),
            resources=Resources(args.executor, workers, args.threads, args.timeout),
            share=parse_share(args.shard) if args.shard else None, retry_broken=args.retry_broken,
            progress=progress, within=within,
        )  # fmt: skip
    _tell(result, args, labelled=labels is not None)
    return 1 if result.failed else 0


def _cores() -> int:
    """Return how many cores this process may use; not every system says."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _check(args: argparse.Namespace) -> None:
    if bool(args.videos) == (args.listed is not None):
        fail("name videos or folders, or a list of them with --list")
    if args.set and not args.config:
        fail("--set changes a graph, so it needs --config")
    for name, least in (("workers", 0), ("threads", 1), ("snippet", 1)):
        value = getattr(args, name)
        if value is not None and value < least:
            fail(f"--{name} is {value}; it must be at least {least}")
    if args.timeout is not None and not args.timeout > 0:
        fail(f"--timeout is {args.timeout:g}; it must be above 0")


def _common(args: argparse.Namespace) -> dict[str, Any]:
    given = {"crops": CROPS.get(args.crops, args.crops), "precision": args.precision, "device": args.device}
    common = {key: value for key, value in given.items() if value is not None}
    return {**common, "random_weights": True} if args.random_weights else common


def _videos(args: argparse.Namespace) -> tuple[list[VideoEntry], Any]:
    from vadkit.extract.labels import read_list
    from vadkit.predict.inputs import find_videos

    if args.listed is not None:
        return read_list(args.listed)
    return [{"name": path.stem, "file": str(path)} for path in find_videos(args.videos, args.out)], None


# -- what is told ----------------------------------------------------------------------------------
@contextmanager
def _progress(entries: Sequence[VideoEntry]) -> Iterator[tuple[Progress, Within]]:
    """Show how far it is, how fast, and how long it will take, by the bytes of the files."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    pace = _Pace({entry["name"]: _size(entry["file"]) for entry in entries})
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False), BarColumn(), TextColumn("{task.fields[rate]}", markup=False),
        TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip
    with Bar(*columns, console=console, transient=True, disable=not console.is_terminal,
                  speed_estimate_period=600) as bar:  # fmt: skip
        task = bar.add_task(f"0 of {len(entries)}", total=sum(pace.sizes.values()), rate="")

        def within(name: str, seconds: float, total: float | None) -> None:
            part = pace.sizes.get(name, 0) * seconds / total if total else 0.0
            bar.update(task, completed=pace.bytes + part, rate=f"{seconds / 60:.1f} min of {name[:40]}")

        def progress(name: str, done: int, count: int) -> None:
            pace.add(name)
            total = pace.bytes_left(done, count) + pace.bytes
            bar.update(task, description=f"{done} of {count}", total=total, completed=pace.bytes, rate=pace.rate())
            if bar.disable and pace.is_time():
                sys.stderr.write(f"{done} of {count} videos, {pace.rate()}, {pace.left(done, count)} left\n")

        yield progress, within


class _Pace:
    """How fast videos are being finished."""

    def __init__(self, sizes: dict[str, int]) -> None:
        self.sizes = sizes
        self.mean = sum(sizes.values()) / max(1, len(sizes))
        self.begun = self.told = time.monotonic()
        self.bytes = self.count = 0

    def add(self, name: str) -> None:
        self.bytes += self.sizes.get(name, 0)
        self.count += 1

    def rate(self) -> str:
        minutes = max(time.monotonic() - self.begun, 1e-3) / 60
        return f"{self.count / minutes:.3g} videos and {self.bytes / 2**20 / minutes:.3g} MiB a minute"

    def bytes_left(self, done: int, count: int) -> int:
        return round((count - done) * self.mean)

    def left(self, done: int, count: int) -> str:
        seconds = (time.monotonic() - self.begun) / max(1, self.bytes) * self.bytes_left(done, count)
        return f"{seconds / 3600:.1f} h" if seconds > 5400 else f"{seconds / 60:.1f} min"

    def is_time(self) -> bool:
        late = time.monotonic() - self.told >= LINE_EVERY
        self.told = time.monotonic() if late else self.told
        return late


def _size(file: str) -> int:
    try:
        return max(1, os.stat(file).st_size)
    except (OSError, ValueError):
        return 1


def _tell(result: StoreResult, args: argparse.Namespace, labelled: bool) -> None:
    for note in result.notes:
        _say(f"note: {note}")
    for name, cause in list(result.failed.items())[:SHOWN]:
        _say(f"broken: {name}: {cause}")
    _tell_some("{} broken in all", list(result.failed) if len(result.failed) > SHOWN else [])
    odd: dict[str, list[str]] = {}
    for name, texts in result.warnings.items():
        for text in texts:
            odd.setdefault(text, []).append(name)
    for text, names in list(odd.items())[:SHOWN]:
        _tell_some(f"{text.replace('{', '{{').replace('}', '}}')}: {{}}", names)
    if len(odd) > SHOWN:
        _say(f"note: ... and {len(odd) - SHOWN} more kinds of notes, in {args.out / 'manifest.jsonl'}")
    if result.failed:
        _say("hint: what is broken is not tried again unless its file changes or you say --retry-broken")
    before = f"{len(result.skipped)} there before, {len(result.failed)} broken"
    print(_printable(f"{args.out}: {_videos_said(len(result.extracted))} extracted, {before}"))
    if not labelled and result.extracted:
        print(_printable(f"  to train, say which are abnormal: --labels, or the file {args.out / 'videos.json'}"))


def _tell_some(text: str, names: Sequence[str]) -> None:
    if names:
        some = ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
        _say("note: " + text.format(f"{_videos_said(len(names))} ({some})"))


def _videos_said(count: int) -> str:
    return f"{count} video{'s' * (count != 1)}"


def _say(text: str) -> None:
    sys.stderr.write(_printable(text) + "\n")


def _printable(text: str) -> str:
    """Return ``text`` without what a terminal would choke on or obey."""
    kept = "".join(c if c.isprintable() or c == "\n" else "?" for c in text)
    return kept.encode("ascii", "backslashreplace").decode()
