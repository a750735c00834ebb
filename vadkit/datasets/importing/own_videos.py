"""Import features of your own videos, from two folders or with a table.

Folders give label, split and stream, in any order and depth:

    ROOT/normal/car_park.npy                 ROOT/train/normal/rgb/car_park__0.npy
    ROOT/abnormal/lift.npy                   ROOT/test/abnormal/audio/lift.npy

With a table (``table.py``) none is needed: files are found by the names of its videos.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from vadkit.data.validation_split import carve
from vadkit.datasets.annotations import Intervals
from vadkit.datasets.importing.features import Feature, group, identify
from vadkit.datasets.importing.plan import Plan, Progress, grouped, make_plan, unlisted_notes
from vadkit.datasets.importing.scan import SUFFIXES, find, next_step, scan
from vadkit.datasets.importing.shapes import given_axes
from vadkit.datasets.importing.streams import given_streams
from vadkit.datasets.importing.table import read_table
from vadkit.labels import folder_label
from vadkit.problems import Problem, VadkitError, fail, plural, some
from vadkit.store.names import is_plain_name
from vadkit.store.sources import source_rule
from vadkit.video import SPLITS, Video, unlabelled_note

ORDER: tuple[int | None, ...] = (1, 0, None)
SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
PLAIN = "a name has at most 240 bytes, no control characters and no leading dot"
TWO_FOLDERS = "put the features into two folders, ROOT/normal and ROOT/abnormal, or name a table with --table"


def plan_own(
    root: Path,
    *,
    table: Path | None = None,
    streams: Sequence[str] = (),
    axes: Sequence[str] = (),
    intervals: Intervals = "half_open",
    segments: int | None = None,
    complete: bool = False,
    test_share: float | None = None,
    sources: str | None = None,
    progress: Progress | None = None,
) -> Plan:
    """Find the features of your own videos below ``root`` and plan their index.

    Args:
        root: any folder above the files.
        table: of the videos; None reads labels from folders.
        streams, axes, segments, complete: see ``published_sets.plan_known`` and ``make_plan``.
        intervals: whether the last frame of an interval of the table belongs to it ("closed").
        sources: how names show which videos are of one film or camera; see ``vadkit.store.sources``.
        test_share: this share of the training videos, by class, becomes the test split.
        progress: called with the progress.

    Raises VadkitError for files that cannot be used or identified, and for folders that give no label.
    """
    if intervals == "umil":
        fail("--intervals umil is for UCF-Crime only", hint="your own intervals are half_open or closed")
    if sources is not None:
        source_rule(sources, "--sources")
    given = given_streams(root, streams)
    # Without names from a table, text files may be anything.
    suffixes = SUFFIXES if table is not None else (".npy",)
    below = scan(root) if given else find(root, suffixes)
    files = [file for _, file in given if file.path.suffix in suffixes] if given else below.files
    stream_of_file = {file.path: stream for stream, file in given}
    notes = [] if given else below.notes()
    if table is not None:
        listed = read_table(table, closed=intervals == "closed")
        videos = listed.videos
        notes += listed.notes
        identified = identify(files, root, {video.name for video in videos}, stream_of_file)
        features = identified.features
        notes += unlisted_notes(identified.unlisted, str(table))
        if not features:
            hint = next_step(below.others) or f"the first file is {files[0].below}"
            fail(f"{root}: no file has the name of a video of {table}", hint=hint)
    else:
        features = _whole_names(identify(files, root, None, stream_of_file).features)
        videos = _by_folders(features)
    found = group(features)
    if test_share is not None:
        videos = _with_test(videos, test_share)
    classes = ("normal", *sorted({name for video in videos for name in video.classes}))
    plan = make_plan(
        root,
        None,
        classes,
        intervals,
        videos,
        found,
        axes=given_axes(axes),
        segments=segments,
        complete=complete,
        progress=progress,
    )
    plan.sources = sources
    found_names = {video.name for video in plan.videos}
    plan.absent = {
        split: [v.name for v in videos if v.split == split and v.name not in found_names] for split in SPLITS
    }
    plan.notes += notes + _advice(plan)
    return plan


def _whole_names(features: list[Feature]) -> list[Feature]:
    """Take ``cam__12`` for the name of a video unless its crops go from 0 (or no number) up, without a gap."""
    crops: dict[tuple[str, str], set[int]] = defaultdict(set)
    for feature in features:
        crops[feature.video, feature.stream].add(feature.number)
    gaps = {key[0] for key, numbers in crops.items() if numbers != set(range(len(numbers)))}
    return [
        replace(f, video=f"{f.video}__{f.crop}", crop=None) if f.video in gaps and f.crop is not None else f
        for f in features
    ]


def _by_folders(features: Sequence[Feature]) -> list[Video]:
    """Return the videos with labels and splits from the folders above their files, in order of label and name."""
    found: dict[str, tuple[str, int | None, Feature]] = {}
    problems: list[Problem] = []
    unclear: list[tuple[str, Problem]] = []
    for feature in features:
        folders = [part.lower() for part in feature.file.below.parts[:-1]]
        labels = {label.label for folder in folders if (label := folder_label(folder)) is not None}
        splits = {SPLIT_NAMES[folder] for folder in folders if folder in SPLIT_NAMES} or {"train"}
        if len(labels) != 1 or len(splits) != 1:
            cause = "no folder above it is called normal or abnormal" if not labels else "folders above it contradict"
            unclear.append((str(feature.file.below), Problem(cause, hint=TWO_FOLDERS)))
            continue
        place = splits.pop(), labels.pop()
        if not is_plain_name(feature.video):
            problems.append(Problem(f"{feature.file.below}: not usable as the name of a video", hint=PLAIN))
            continue
        first = found.setdefault(feature.video, (*place, feature))
        if first[:2] != place:
            problems.append(
                Problem(
                    f"{first[2].file.below} and {feature.file.below} have one name, but different labels or splits",
                    hint="names of videos must be unique: rename one of them",
                )
            )
    if problems or unclear:
        raise VadkitError([*grouped(unclear), *problems])
    videos = [Video(name, split, label) for name, (split, label, _) in found.items()]
    return sorted(videos, key=lambda video: (video.split, ORDER.index(video.label), video.name))


def _with_test(videos: Sequence[Video], share: float) -> list[Video]:
    if not 0 < share < 1:
        fail(f"--test-share {share}: must be between 0 and 1")
    if any(video.split == "test" for video in videos):
        fail("--test-share: there are test videos already")
    train, chosen = carve([video for video in videos if video.split == "train"], share, 0)
    return [*train, *(v for v in videos if v.split == "val"), *(replace(video, split="test") for video in chosen)]


def _advice(plan: Plan) -> list[str]:
    notes = [note for split in SPLITS for note in unlabelled_note([v for v in plan.videos if v.split == split], split)]
    for label, word in ((0, "normal"), (1, "abnormal")):
        if not any(video.label == label and video.split == "train" for video in plan.videos):
            notes.append(f"no training video is {word}: weak supervision needs both")
    test = [video for video in plan.videos if video.split == "test"]
    if not test:
        notes.append("there is no test video: put them into a folder called test, or use --test-share 0.2")
    unknown = [video.name for video in test if video.label and not video.spans]
    if unknown:
        notes.append(
            f"{plural(len(unknown), 'abnormal test video')} without intervals, "
            f"used by video_auc and video_ap only: {some(unknown)}"
        )
    return notes
