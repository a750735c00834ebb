"""Extract features from videos into a store: each video is decoded once for all streams.

Rerun the same command to resume: finished videos are skipped, changed ones re-extracted. A video that cannot be used
is listed in DIR/manifest.jsonl with its cause, and does not stop the others. Several machines: run the same command on
the same store with --shard 1/8, --shard 2/8, ..., under any scheduler.

Exit code: 0 if all went well, 1 if some videos could not be used, 2 if none could.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vadkit.problems import plural

if TYPE_CHECKING:
    from vadkit.api.extract import Extraction

LINE_EVERY = 60.0  # seconds between lines of progress where there is no terminal
GPU_WORKERS = 4  # processes that share a GPU, each with its networks
SHOWN = 5  # videos that are listed of each kind


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("videos", nargs="*", metavar="VIDEO", help="video files, or folders with videos")
    parser.add_argument(
        "--list",
        type=Path,
        metavar="FILE",
        dest="video_list",
        help="a list of videos instead: a path per line, or CSV with the column 'file'",
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--config", metavar="CONFIG", help="a graph whose inputs name their backbones")
    what.add_argument(
        "--like", metavar="MODEL", help="cut and extract as for the training of MODEL, a file or the folder of a run"
    )
    what.add_argument(
        "--stream",
        action="append",
        metavar="NAME=BACKBONE[,ARG=VALUE...]",
        dest="streams",
        help="a stream and its backbone, as rgb=i3d_rgb,weights=FILE; once per stream",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the store")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change the graph")
    parser.add_argument(
        "--labels",
        metavar="WHAT",
        help="xd_violence, ucf_crime, shanghaitech, or a CSV file with video, label[, split, ...]",
    )
    _add_clock(parser.add_argument_group("how videos are cut"))
    _add_means(parser.add_argument_group("how it is done"))


def _add_clock(clock: argparse._ArgumentGroup) -> None:
    clock.add_argument(
        "--fps", type=float, metavar="F", help="frames per second, picked by time (default: the video's own)"
    )
    clock.add_argument(
        "--snippet", type=int, default=16, metavar="N", dest="snippet_frames", help="frames of a snippet (default: 16)"
    )
    clock.add_argument(
        "--tail",
        default="repeat",
        metavar="RULE",
        help="what to do with trailing frames that do not fill a snippet: repeat the last frame (as UR-DMU), drop "
        "them (as RTFM), or xd_violence (default: repeat)",
    )
    clock.add_argument(
        "--crops", metavar="ORDER", help="centre, 5, 10, five_ur_dmu, ten_ur_dmu, for every backbone that takes crops"
    )


def _add_means(how: argparse._ArgumentGroup) -> None:
    how.add_argument(
        "--precision",
        choices=("fp32", "tf32", "bf16", "auto"),
        help="numeric precision, for backbones that support it; tf32 is for GPUs; auto: TF32 on a GPU, bf16 on a CPU "
        "with instructions for it (default: fp32)",
    )
    how.add_argument("--device", metavar="D", help="auto, cpu, cuda, cuda:1, ..., for every backbone that takes one")
    how.add_argument(
        "--random-weights",
        action="store_true",
        help="run backbones without a weight file; the store is permanently marked",
    )
    how.add_argument("--executor", default="local", metavar="WHERE", help="local or ray (default: local)")
    how.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="processes, each with its networks (default: one per core, or 4 on a GPU)",
    )
    how.add_argument(
        "--threads",
        type=int,
        default=1,
        metavar="N",
        help="threads in each process; another number changes the last digits (default: 1)",
    )
    how.add_argument("--shard", metavar="I/N", help="process shard I of N; the last to finish writes the final index")
    how.add_argument("--timeout", type=float, metavar="S", help="skip a video that exceeds S seconds twice")
    how.add_argument("--retry-broken", action="store_true", help="retry videos that could not be used")
    how.add_argument("--without", action="append", default=[], metavar="PLUGIN", help="leave a plugin out")


def run(args: argparse.Namespace) -> int:
    from vadkit.api.extract import extract

    if args.workers is None:
        args.workers = GPU_WORKERS if (args.device or "cpu").startswith("cuda") else _cores()
    # The names of the options are those of the function's arguments.
    given = {key: value for key, value in vars(args).items() if key != "videos"}
    result = extract(args.videos, progress=True if sys.stderr.isatty() else _Lines(), **given)
    _print(result)
    return 1 if result.failed else 0


def _cores() -> int:
    """Return how many cores this process may use; not every system says."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Lines:
    """Writes a line of progress now and then, where there is no terminal."""

    def __init__(self) -> None:
        self.begun = self.written = time.monotonic()

    def __call__(self, done: float, total: float | None, name: str) -> None:
        now = time.monotonic()
        if total is None or not done or now - self.written < LINE_EVERY:
            return
        self.written = now
        minutes = (now - self.begun) / 60
        left = minutes / done * (total - done)
        rest = f"{left / 60:.1f} h" if left > 90 else f"{left:.1f} min"
        _say(f"{int(done)} of {int(total)} videos, {done / minutes:.3g} a minute, {rest} left")


# -- what is printed -------------------------------------------------------------------------------
def _print(result: Extraction) -> None:
    for note in result.notes:
        _say(f"note: {note}")
    _list(f"{{}} without a label in {result.labels}: left out of the index", result.unlabelled)
    for name, cause in list(result.failed.items())[:SHOWN]:
        _say(f"broken: {name}: {cause}")
    _list("{} broken in all", list(result.failed) if len(result.failed) > SHOWN else [])
    _print_warnings(result)
    if result.failed:
        _say("hint: a broken video is retried only if its file changes, or with --retry-broken")
    before = f"{len(result.skipped)} skipped, {len(result.failed)} broken"
    print(f"{result.store}: {plural(len(result.extracted), 'video')} extracted, {before}")
    if result.unknown and result.extracted:
        where = f"label them with --labels, or in {result.store / 'videos.json'}"
        print(f"  {plural(len(result.unknown), 'video')} of unknown label; to train or measure on them, {where}")


def _print_warnings(result: Extraction) -> None:
    """Write each warning once, with the videos it concerns."""
    names_by_text: dict[str, list[str]] = {}
    for name, texts in result.warnings.items():
        for text in texts:
            names_by_text.setdefault(text, []).append(name)
    for text, names in list(names_by_text.items())[:SHOWN]:
        _list(f"{text.replace('{', '{{').replace('}', '}}')}: {{}}", names)
    if len(names_by_text) > SHOWN:
        more = len(names_by_text) - SHOWN
        _say(f"note: ... and {more} more kinds of notes, in {result.store / 'manifest.jsonl'}")


def _list(text: str, names: Sequence[str]) -> None:
    if names:
        some = ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
        _say("note: " + text.format(f"{plural(len(names), 'video')} ({some})"))


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
