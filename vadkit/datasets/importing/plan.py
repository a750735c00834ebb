"""From videos and their files to what a store's index says: widths, axes, segments, and what is unusual.

Legend: t snippets, dim the width of a stream.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from vadkit.backbones.recipe import MADE_UP
from vadkit.datasets.generating.mark import made_up
from vadkit.datasets.importing.features import Files, uneven
from vadkit.datasets.importing.scan import Found
from vadkit.datasets.importing.shapes import Shape, find_axes, ordered, read_shape
from vadkit.problems import Problem, VadkitError, fail, plural, some
from vadkit.store.recipes import meaningless_warnings
from vadkit.store.store_json import AXES
from vadkit.video import Video

Progress = Callable[[str, int, int], None]  # what is done, how many of it, of how many
ORDER = ("rgb", "flow", "clip", "audio")  # of streams in a store; others follow by name
TRUTH_FILE = re.compile(r"gt([-_].*)?\.npy")  # gt.npy, gt-ucf.npy, as published code names them
MANY = 20  # videos; that many are not of one length by chance
UNLIKE = 64  # frames; videos that differ by that many cannot have the same number of snippets


@dataclass
class Plan:
    """A store's index before it is written. ``axes`` are by stream and split; ``shapes`` (crops, t, dim)."""

    root: Path
    data_set: str | None
    classes: tuple[str, ...]
    intervals: str
    videos: list[Video]
    dims: dict[str, int]
    axes: dict[str, dict[str, str]]
    segments: int | None
    shapes: dict[tuple[str, str], Shape]
    absent: dict[str, list[str]] = field(default_factory=dict)  # videos without a file, by split
    notes: list[str] = field(default_factory=list)
    complete: bool = False  # videos that lack a stream are left out
    made_up: dict[str, str] = field(default_factory=dict)  # what the features of a stream are a stand-in of
    broken: frozenset[tuple[str, str]] = frozenset()  # (video, stream) whose files cannot be used
    sources: str | None = None  # how names show where videos come from; see ``vadkit.store.sources``

    def of(self, split: str, stream: str) -> list[Video]:
        """Return the videos of a split that have a stream."""
        return [video for video in self.videos if video.split == split and stream in video.files]

    def recipe(self, stream: str) -> dict[str, str]:
        """Return what is known of how the features of a stream were extracted: only whether they are made up."""
        return {MADE_UP: self.made_up[stream]} if stream in self.made_up else {}

    def splits(self) -> list[str]:
        """Return the splits that have videos."""
        return [split for split in ("train", "val", "test") if any(v.split == split for v in self.videos)]


def make_plan(
    root: Path,
    data_set: str | None,
    classes: tuple[str, ...],
    intervals: str,
    videos: Sequence[Video],
    files: Files,
    *,
    axes: Mapping[str, str],
    segments: int | None = None,
    complete: bool = False,
    progress: Progress | None = None,
) -> Plan:
    """Read one file of each video and stream and plan the index.

    Args:
        root: the folder of the files.
        data_set, classes, intervals: as the index names them.
        videos: all that are known, also those without a file.
        files: as ``group`` returns them.
        axes: those that the user states, by stream.
        segments: number of equal parts of each video, one row each; None detects it.
        complete: leave out videos that lack a stream.

    Raises VadkitError if no file can be used, a stream is of several widths, or axes are ambiguous.
    """
    shapes, broken = _read(files, progress)
    if not shapes:
        raise VadkitError(grouped(broken))
    splits = {video.name: video.split for video in videos}
    dims = _widths(shapes, files)
    unknown = [stream for stream in axes if stream not in dims]
    if unknown:
        fail(f"--axes names stream '{unknown[0]}', but there are {', '.join(dims)}")
    axes_of = _axes(shapes, splits, axes)
    shapes = {(v, s): ordered(shape, axes_of[s][splits[v]]) for (v, s), shape in shapes.items()}
    plan = Plan(root, data_set, classes, intervals, [], dims, axes_of, None, shapes, complete=complete)
    plan.broken = frozenset(files.keys() - shapes.keys())
    plan.notes += [f"cannot be used and left out: {problem.render()}" for problem in grouped(broken)]
    plan.notes += _uneven_notes(files, splits)
    for video in videos:
        own = {s: _named(files[video.name, s]) for s in dims if (video.name, s) in shapes}
        if own and (len(own) == len(dims) or not complete):
            plan.videos.append(replace(video, files=own))
        elif own:
            plan.absent.setdefault(video.split, []).append(video.name)
    plan.made_up = _made_up(files)
    plan.notes += meaningless_warnings({stream: plan.recipe(stream) for stream in dims})
    plan.segments = segments or _segments(plan)
    _note_gaps(plan)
    if not plan.videos:
        fail(f"{root}: no video has every stream ({', '.join(dims)})", hint="import without --complete")
    return plan


def _read(files: Files, progress: Progress | None) -> tuple[dict[tuple[str, str], Shape], list[tuple[str, Problem]]]:
    """Return the shapes of what can be used, and for each file that cannot, its path and what is wrong with it."""
    shapes: dict[tuple[str, str], Shape] = {}
    broken: list[tuple[str, Problem]] = []
    for number, (key, found) in enumerate(files.items(), 1):
        before = len(broken)
        shape = None
        for file in _to_read(found):
            try:
                shape = shape or read_shape(file.path)
                if file is not found[0]:
                    read_shape(file.path)
            except VadkitError as error:
                broken += [(str(file.below), replace(p, message=_cause(p, file.path))) for p in error.problems]
        if shape is not None and len(broken) == before:
            shapes[key] = shape
        if progress and (number % 50 == 0 or number == len(files)):
            progress("reading headers", number, len(files))
    return shapes, broken


def _to_read(found: Sequence[Found]) -> list[Found]:
    """Return the first crop's file and those of another size: one of the same size is as sound as the first."""
    first = found[0]
    return [first, *(file for file in found[1:] if _size(file) != _size(first))]


def _size(file: Found) -> int:
    try:
        return file.path.stat().st_size
    except OSError:
        return -1


def _cause(problem: Problem, path: Path) -> str:
    """Return a message without its file; it begins with a colon if a line of the file follows."""
    return problem.message.removeprefix(f"{path}: ").removeprefix(f"{path} ").removeprefix(str(path))


def grouped(broken: Sequence[tuple[str, Problem]]) -> list[Problem]:
    """Return one problem for all files with the same cause, with the first of them."""
    names: dict[tuple[str, str | None], list[str]] = {}
    for name, problem in broken:
        names.setdefault((problem.message, problem.hint), []).append(name)
    return [
        Problem(f"{own[0]}{'' if cause.startswith(':') else ': '}{cause}", hint=hint)
        if len(own) == 1
        else Problem(f"{len(own)} files: {cause.removeprefix(':')}; they are {some(own)}", hint=hint)
        for (cause, hint), own in names.items()
    ]


def _made_up(files: Files) -> dict[str, str]:
    """Return what each stream is a stand-in of, for those that have a file that is made up."""
    found: dict[str, str] = {}
    for (_, stream), paths in files.items():
        if stream not in found and (origin := made_up(paths[0].path)) is not None:
            found[stream] = origin
    return found


def _named(found: Sequence[Found]) -> tuple[str, ...]:
    return tuple(str(file.below) for file in found)


def _widths(shapes: Mapping[tuple[str, str], Shape], files: Files) -> dict[str, int]:
    streams = sorted({stream for _, stream in shapes}, key=lambda s: (ORDER.index(s) if s in ORDER else len(ORDER), s))
    dims, problems = {}, []
    for stream in streams:
        own = {key: shape[2] for key, shape in shapes.items() if key[1] == stream}
        counts = Counter(own.values()).most_common()
        dims[stream] = counts[0][0]
        for width, count in counts[1:]:
            key = next(key for key, other in own.items() if other == width)
            problems.append(
                Problem(
                    f"stream '{stream}' is {dims[stream]} wide in {counts[0][1]} videos, but {width} in {count}, "
                    f"e.g. in {files[key][0].below}",
                    hint="features of different backbones are different streams: name them with --stream NAME=FOLDER",
                )
            )
    if problems:
        raise VadkitError(problems)
    return dims


def _axes(
    shapes: Mapping[tuple[str, str], Shape], splits: Mapping[str, str], given: Mapping[str, str]
) -> dict[str, dict[str, str]]:
    """Return the axes by stream and split: some publish training files with other axes than test files."""
    found: dict[str, dict[str, str]] = {}
    for stream in {stream for _, stream in shapes}:
        of_split: dict[str, dict[str, Shape]] = {}
        for (video, other), shape in shapes.items():
            if other == stream:
                of_split.setdefault(splits[video], {})[video] = shape
        for split, own in of_split.items():
            axes = (
                given.get(stream)
                or find_axes(own.values())
                or find_axes(shape for (_, other), shape in shapes.items() if other == stream)
            )
            if axes is None:
                video, shape = next((v, s) for v, s in own.items() if 1 not in s[:2] or len(own) == 1)
                fail(
                    f"stream '{stream}': the shapes, such as {shape} of video '{video}', do not show which axis "
                    "holds crops and which snippets",
                    hint=f"state it: --axes {stream}=crops_first or --axes {stream}=snippets_first",
                )
            found.setdefault(stream, {})[split] = axes
    return found


def _uneven_notes(files: Files, splits: Mapping[str, str]) -> list[str]:
    notes = []
    for (split, stream), others in uneven(files, splits).items():
        video, count, usual = others[0]
        notes.append(
            f"stream '{stream}', {split}: {plural(len(others), 'video')} not of {plural(usual, 'crop')}, e.g. "
            f"{video} of {count}"
        )
    return notes


def _segments(plan: Plan) -> int | None:
    """Return the number of equal parts of videos, if every test video has that many rows, whatever its length."""
    rows = {stream: _equal_rows(plan, "test", stream) for stream in plan.dims if plan.of("test", stream)}
    segmented = [stream for stream, count in rows.items() if count]
    if segmented and len(segmented) < len(rows):
        other = next(stream for stream in rows if stream not in segmented)
        fail(
            f"stream '{segmented[0]}' has {rows[segmented[0]]} rows for every test video, but '{other}' one per "
            "snippet: they cannot be used together",
            hint="import them into two stores: --stream NAME=FOLDER --out STORE",
        )
    return rows[segmented[0]] if segmented else None


def _equal_rows(plan: Plan, split: str, stream: str) -> int | None:
    """Return the rows that all videos of a split have, if their lengths are known to differ, or if there are many."""
    videos = plan.of(split, stream)
    rows = {plan.shapes[video.name, stream][1] for video in videos}
    frames = [video.num_frames for video in videos if video.num_frames]
    unlike = max(frames, default=0) - min(frames, default=0) >= UNLIKE
    return rows.pop() if len(rows) == 1 and (unlike or len(videos) >= MANY) else None


def _note_gaps(plan: Plan) -> None:
    """Note which videos lack a stream, and training features that seem to be segmented."""
    for stream in plan.dims:
        lacking = [video.name for video in plan.videos if stream not in video.files]
        if lacking:
            plan.notes.append(
                f"stream '{stream}' is missing for {plural(len(lacking), 'video')}: {some(lacking)}; to train on it, "
                "put the files into the folder, or import with --complete, which leaves such videos out"
            )
        rows = None if plan.segments else _equal_rows(plan, "train", stream)
        if rows:
            plan.notes.append(f"stream '{stream}': every training video has {rows} rows: are they segments?")


def unlisted_notes(unlisted: Sequence[Found], data_set: str) -> list[str]:
    """Return notes on arrays of no video of ``data_set``, and on truth files, by their names."""
    arrays = [file for file in unlisted if file.path.suffix == ".npy"]
    truths = [file for file in arrays if TRUTH_FILE.fullmatch(file.path.name)]
    others = [str(file.below) for file in arrays if file not in truths]
    notes = [
        f"{file.below} looks like a truth file and is not used; to check it against the intervals: "
        f"vadkit store check STORE --labels {file.path}"
        for file in truths
    ]
    count = "a .npy file matches" if len(others) == 1 else f"{len(others)} .npy files match"
    return [*notes, f"{count} no video of {data_set}: {some(others)}"] if others else notes


def axes_entry(axes: Mapping[str, str]) -> str | dict[str, str] | None:
    """Return the entry of store.json for a stream's axes; None for the usual ones."""
    kinds = set(axes.values())
    if kinds == {AXES[0]}:
        return None
    return next(iter(kinds)) if len(kinds) == 1 else dict(axes)
