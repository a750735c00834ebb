"""Test videos whose intervals are shares of each video, in a JSON file, as a table of labels.

    [{"video_path": "msad_videos/Assault_2.mp4", "class_name": "Assault", "anomaly_span": [[0.31, 0.62]]},
     {"video_path": "msad_videos/MSAD_normal_1.mp4", "class_name": "Normal", "anomaly_span": []}]

In this form the authors of LaGoVAD give away the intervals of MSAD, TAD, LAD, UBnormal and DoTA, and of UCF-Crime and
XD-Violence, whose own ones come with vadkit. Other keys of a video do not matter. How long a video is must be known to
turn shares into times.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import msgspec

from vadkit import json_file
from vadkit.labels import read_label
from vadkit.problems import Place, Problem, VadkitError, fail
from vadkit.store.names import is_plain_name
from vadkit.video import same_name, without_suffix

COLUMNS = ("video", "label", "split", "classes", "intervals", "fps")
OVER = 1e-6  # by which rounding may take a share above 1
WHAT = "a list of videos with intervals as shares"


class _Item(msgspec.Struct):
    video_path: str
    class_name: str
    anomaly_span: list[tuple[float, float]] = []


@dataclass(frozen=True)
class Shared:
    """A test video: the name of its file, its class (None of a normal one), and intervals as shares of it."""

    file: str
    class_name: str | None
    shares: tuple[tuple[float, float], ...]

    @property
    def name(self) -> str:
        return without_suffix(self.file)


@dataclass(frozen=True)
class Length:
    """Where a video is, how many seconds it takes, and its frames per second."""

    path: str
    seconds: float
    fps: float


def read_shares(path: Path) -> list[Shared]:
    """Return the videos of a file in its order. Raises VadkitError with every video that cannot be understood."""
    found: dict[str, Shared] = {}
    problems = []
    for number, item in enumerate(json_file.read(path, list[_Item], WHAT)):
        place = Place(f"{path}: video {number}", number, 0)
        try:
            video = _video(item, place)
        except VadkitError as error:
            problems += error.problems
            continue
        if video.name in found:
            problems.append(Problem(f"'{video.name}' is listed already", place))
        found.setdefault(video.name, video)
    if problems:
        raise VadkitError(problems)
    if not found:
        fail(f"{path}: lists no video")
    return list(found.values())


def _video(item: _Item, place: Place) -> Shared:
    file = same_name(PurePosixPath(item.video_path.replace("\\", "/")).name)
    if not is_plain_name(without_suffix(file)):
        fail(f"video_path '{item.video_path}' names no file", place=place)
    label = read_label(item.class_name, place)
    if label.label != 1 and item.anomaly_span:
        fail(f"'{file}' is of the class '{item.class_name}', but has intervals", place=place)
    shares = []
    for start, end in item.anomaly_span:
        if not 0 <= start < end <= 1 + OVER:
            hint = "both are shares of the video, the first the smaller one"
            fail(f"interval [{start:g}, {end:g}] of '{file}' is not from 0 to 1", hint, place)
        shares.append((start, min(end, 1.0)))
    return Shared(file, item.class_name if label.label == 1 else None, tuple(shares))


def table_of(videos: Sequence[Shared], lengths: Mapping[str, Length]) -> str:
    """Return the table of the videos whose length is known, by name: all in the split "test", intervals in seconds."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for video in videos:
        if (length := lengths.get(video.name)) is None:
            continue
        times = " ".join(f"{start * length.seconds:.3f}-{end * length.seconds:.3f}s" for start, end in video.shares)
        label = "normal" if video.class_name is None else "abnormal"
        writer.writerow([length.path, label, "test", video.class_name or "", times, f"{length.fps:.6g}"])
    return text.getvalue()
