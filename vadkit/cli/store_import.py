"""Make a store of existing features: an index of two JSON files that reads them in their folders.

Published features of XD-Violence, UCF-Crime and ShanghaiTech are known by their names, in any folder below --root:
one .npy file per crop (NAME__0.npy ...), all crops in one file, or C3D features as text. Labels and intervals come
with vadkit. For your own features, two folders 'normal' and 'abnormal' are enough, or a table (--table).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vadkit.cli.tables import print_table
from vadkit.problems import fail

if TYPE_CHECKING:
    from vadkit.datasets.importing.index import IfExists
    from vadkit.datasets.importing.plan import Plan

WHAT = ("xd_violence", "ucf_crime", "shanghaitech", "own")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", choices=WHAT, metavar="WHAT", help=", ".join(WHAT))
    parser.add_argument("--root", type=Path, required=True, metavar="DIR", help="folder above the feature files")
    parser.add_argument("--out", type=Path, metavar="STORE", help="folder of the store (default: stores/WHAT)")
    existing = parser.add_mutually_exclusive_group()
    existing.add_argument("--merge", action="store_true", help="add the streams found to the existing store")
    existing.add_argument("--replace", action="store_true", help="overwrite the existing index")
    parser.add_argument(
        "--stream",
        action="append",
        default=[],
        metavar="NAME=FOLDER",
        help="a stream's folder, where folder names do not say; then only such folders are read",
    )
    parser.add_argument(
        "--list",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        dest="lists",
        help="take only what a list file names, whatever its paths begin with",
    )
    parser.add_argument(
        "--axes",
        action="append",
        default=[],
        metavar="NAME=ORDER",
        help="crops_first or snippets_first, where a file holds all crops and shapes do not say",
    )
    parser.add_argument(
        "--intervals",
        choices=("half_open", "closed", "umil"),
        default="half_open",
        help="how intervals are read: without their last frame (half_open, as annotated), with it "
        "(closed, as RTFM), or as the authors of UMIL changed 14 videos of UCF-Crime (default: half_open)",
    )
    parser.add_argument(
        "--segments",
        type=int,
        metavar="N",
        help="features are of N equal parts of each video (default: detected where possible)",
    )
    parser.add_argument("--complete", action="store_true", help="leave out videos that lack a stream")
    parser.add_argument(
        "--table",
        type=Path,
        metavar="FILE",
        help="own: CSV with video, label[, split, classes, intervals, frames, fps]",
    )
    parser.add_argument(
        "--clicks",
        type=Path,
        metavar="FILE",
        help="CSV with video-id,glance: a frame, or a time such as 4.5s, of each event of abnormal training videos",
    )
    parser.add_argument(
        "--test-share", type=float, metavar="SHARE", help="own: make this share of the videos the test split"
    )
    parser.add_argument(
        "--sources",
        metavar="REGEX",
        help="own: how names show which videos are of one film or camera: a regular expression with one named group, "
        "such as '(?P<camera>[^_]+)_'",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    from vadkit.datasets.importing.clicks import read_clicks, with_clicks
    from vadkit.datasets.importing.index import check_out, write_index

    out = args.out or Path("stores") / args.what
    if_exists: IfExists = "merge" if args.merge else "replace" if args.replace else "refuse"
    _check(args)
    check_out(out, if_exists)
    clicks = read_clicks(args.clicks) if args.clicks is not None else None
    with _bar() as progress:
        plan = _plan(args, progress)
    if clicks is not None:
        absent = {name for names in plan.absent.values() for name in names}
        plan.videos, notes = with_clicks(args.clicks, clicks, plan.videos, absent)
        plan.notes += notes
    write_index(plan, out, if_exists)
    if args.json:
        print(json.dumps(_facts(plan, out), indent=1))
    else:
        _print(plan, out)
    return 0


def _check(args: argparse.Namespace) -> None:
    if args.what == "own" and args.lists:
        fail("--list is for published data sets", hint="--table names your own videos and their labels")
    for option, value in (("--table", args.table), ("--test-share", args.test_share), ("--sources", args.sources)):
        if args.what != "own" and value is not None:
            fail(f"{option} is for your own videos; {args.what} has its labels, splits and sources")
    if args.intervals == "umil" and args.what != "ucf_crime":
        fail("--intervals umil is for UCF-Crime only")
    if args.segments is not None and args.segments < 1:
        fail(f"--segments {args.segments}: must be 1 or more")


def _plan(args: argparse.Namespace, progress: Any) -> Plan:
    shared = {
        "streams": args.stream, "axes": args.axes, "intervals": args.intervals, "segments": args.segments,
        "complete": args.complete, "progress": progress,
    }  # fmt: skip
    if args.what == "own":
        from vadkit.datasets.importing.own_videos import plan_own

        own = {"table": args.table, "test_share": args.test_share, "sources": args.sources}
        return plan_own(args.root, **own, **shared)
    from vadkit.datasets.importing.published_sets import plan_known

    return plan_known(args.what, args.root, lists=args.lists, **shared)


def _bar() -> Any:
    from vadkit.cli.bar import bar

    return bar()


def _rows(plan: Plan) -> list[dict[str, Any]]:
    rows = []
    for split in plan.splits():
        known = sum(video.split == split for video in plan.videos) + len(plan.absent.get(split, []))
        for stream, dim in plan.dims.items():
            videos = plan.of(split, stream)
            shapes = [plan.shapes[video.name, stream] for video in videos]
            crops = sorted({max(shape[0], len(v.files[stream])) for v, shape in zip(videos, shapes)})
            rows.append({
                "split": split, "stream": stream, "videos": len(videos), "of": known,
                "abnormal": sum(video.label == 1 for video in videos),
                "unknown": sum(video.label is None for video in videos), "crops": crops,
                "files": sum(len(video.files[stream]) for video in videos),
                "snippets": sum(shape[1] for shape in shapes),
                "shortest": min((shape[1] for shape in shapes), default=0),
                "longest": max((shape[1] for shape in shapes), default=0), "width": dim,
            })  # fmt: skip
    return rows


def _facts(plan: Plan, out: Path) -> dict[str, Any]:
    return {
        "store": str(out), "root": str(plan.root), "data_set": plan.data_set, "intervals": plan.intervals,
        "segments": plan.segments, "axes": plan.axes, "found": _rows(plan), "absent": plan.absent, "notes": plan.notes,
        "clicks": sum(len(video.clicks) for video in plan.videos),
    }  # fmt: skip


def _print(plan: Plan, out: Path) -> None:
    columns = ("split", "stream", "videos", "abnormal", "files", "crops", "snippets", "lengths", "width")
    rows = [
        (
            r["split"], r["stream"], str(r["videos"]) if r["videos"] == r["of"] else f"{r['videos']} of {r['of']}",
            str(r["abnormal"]), str(r["files"]), _join(r["crops"]), f"{r['snippets']:,}".replace(",", " "),
            f"{r['shortest']}-{r['longest']}", str(r["width"]),
        )
        for r in _rows(plan)
    ]  # fmt: skip
    print_table(columns, rows)
    if plan.segments:
        print(f"\nfeatures are of {plan.segments} equal parts of each video")
    for split, names in plan.absent.items():
        if names:
            from vadkit.problems import some

            verb = "has" if len(names) == 1 else "have"
            print(f"note: {len(names)} {split} video{'' if len(names) == 1 else 's'} {verb} no features: {some(names)}")
    clicked = [len(video.clicks) for video in plan.videos if video.clicks]
    if clicked:
        print(f"\n{sum(clicked)} clicks in {len(clicked)} abnormal videos: data.clicks=true trains on them")
    for note in plan.notes:
        print(f"note: {note}")
    print(f"\nwritten: {out} (intervals {plan.intervals}); the features stay in {plan.root}")
    print(f"next: vadkit store check {out}")


def _join(numbers: list[int]) -> str:
    return "-" if not numbers else str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]}-{numbers[-1]}"
