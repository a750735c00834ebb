"""Import features of a data set whose videos, labels and intervals are known: see ``vadkit.datasets.annotations``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from vadkit.datasets.annotations import FPS, SOURCES, Annotations, DataSet, Intervals, read_annotations
from vadkit.datasets.importing.features import group, identify
from vadkit.datasets.importing.list_files import Chosen, choose
from vadkit.datasets.importing.plan import Plan, Progress, make_plan, unlisted_notes
from vadkit.datasets.importing.scan import Found, find, next_step, scan
from vadkit.datasets.importing.shapes import given_axes
from vadkit.datasets.importing.streams import given_streams
from vadkit.problems import fail, some


def plan_known(
    data_set: DataSet,
    root: Path,
    *,
    streams: Sequence[str] = (),
    lists: Sequence[Path] = (),
    axes: Sequence[str] = (),
    intervals: Intervals = "half_open",
    segments: int | None = None,
    complete: bool = False,
    progress: Progress | None = None,
) -> Plan:
    """Find the features of a data set below ``root`` and plan their index.

    Args:
        data_set: which one.
        root: any folder above the files.
        streams: STREAM=FOLDER, where the names of folders do not give the stream; then only these are used.
        lists: list files as published; then only the files that they name are used, in their order.
        axes: STREAM=crops_first or STREAM=snippets_first, where shapes do not show it.
        intervals, segments, complete: see ``Annotated.intervals`` and ``make_plan``.
        progress: called with the progress.

    Raises VadkitError for files that cannot be used or identified.
    """
    annotations = read_annotations(data_set)
    named = annotations.named()
    given = given_streams(root, streams)
    below = scan(root) if given else find(root)
    files = [file for _, file in given] if given else below.files
    identified = identify(files, root, named, {file.path: stream for stream, file in given})
    if not identified.features:
        example = identified.unlisted[0].below
        fail(
            f"{root}: none of the {len(identified.unlisted)} files is of a video of {data_set}, e.g. {example}",
            hint=next_step(below.others)
            or "the names must be those of the data set; for your own videos: vadkit store import own",
        )
    chosen = choose(identified.features, lists, named) if lists else Chosen(identified.features)
    found = group(chosen.features)
    order = dict.fromkeys(feature.video for feature in chosen.features) if lists else {}
    videos = [named[name] for name in [*order, *(name for name in named if name not in order)]]
    plan = make_plan(
        root,
        data_set,
        annotations.classes,
        intervals,
        [replace(video.as_video(intervals), fps=FPS[data_set]) for video in videos],
        found,
        axes=given_axes(axes),
        segments=segments,
        complete=complete,
        progress=progress,
    )
    plan.sources = SOURCES[data_set]
    found_names = {video.name for video in plan.videos}
    plan.absent = {
        split: [video.name for video in annotations.of(split) if video.name not in found_names]
        for split in ("train", "test")
    }
    plan.notes += [] if given else below.notes()
    plan.notes += _notes(annotations, chosen, [] if given or lists else identified.unlisted)
    return plan


def _notes(annotations: Annotations, chosen: Chosen, unlisted: Sequence[Found]) -> list[str]:
    named, notes = annotations.named(), unlisted_notes(unlisted, annotations.data_set)
    if chosen.absent:
        first = chosen.absent[0]
        notes.append(
            f"{len(chosen.absent)} lines of the lists name missing files; the first is {first.path} ({first.place})"
        )
    other = [name for name, label in chosen.labels.items() if label != named[name].label]
    if other:
        notes.append(
            f"the lists give {len(other)} videos another label than the annotation, which counts: {some(other)}"
        )
    notes += [
        f"{a} and {b} name the same videos in different orders: code that pairs them by line number pairs wrongly; "
        "here they are paired by name"
        for a, b in chosen.in_other_order()
    ]
    return notes
