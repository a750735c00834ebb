"""The real lists of XD-Violence, UCF-Crime and ShanghaiTech: names, labels, classes, lengths, intervals.

They are in ``intervals``, whose PROVENANCE.md gives the source of every column.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal, get_args

from vadkit.datasets.classes import CLASSES, XD_WORDS
from vadkit.problems import did_you_mean, fail
from vadkit.video import Video

DataSet = Literal["xd_violence", "ucf_crime", "shanghaitech"]
DATA_SETS: tuple[DataSet, ...] = get_args(DataSet)
# Which intervals count: as annotated, [start, end); the same as RTFM reads it, [start, end]; UMIL's own.
Intervals = Literal["half_open", "closed", "umil"]
INTERVALS: tuple[Intervals, ...] = get_args(Intervals)
SNIPPET_FRAMES = 16
FPS: dict[str, float | None] = {"xd_violence": 24.0, "ucf_crime": 30.0, "shanghaitech": None}
# How names show which videos are of one film or channel, or of one camera; see ``vadkit.store.sources``. Those of
# UCF-Crime are only numbered by class.
SOURCES: dict[str, str | None] = {
    "xd_violence": "(?P<film_or_channel>.+?)__#",
    "ucf_crime": None,
    "shanghaitech": r"(?P<camera>\d\d)_",
}
Spans = tuple[tuple[int, int], ...]


def interval_rule(name: str) -> Intervals:
    """Return the rule of that name. Raises VadkitError for an unknown one."""
    known = next((rule for rule in INTERVALS if rule == name), None)
    if known is None:
        fail(f"there is no interval rule '{name}'", hint=f"there are {', '.join(INTERVALS)}")
    return known


@dataclass(frozen=True)
class Annotated:
    """One video as it was annotated. ``spans`` are [start, end) in frames and may end after the video.

    ``frames`` is None where unknown; ``snippets`` are those of the published I3D features.
    ``changed`` are UMIL's intervals, where they differ; ``by_class`` intervals of single classes.
    """

    name: str
    split: str
    label: int
    classes: tuple[str, ...]
    frames: int | None
    snippets: int | None
    spans: Spans
    by_class: tuple[tuple[str, int, int], ...] = ()
    changed: Spans | None = None

    def intervals(self, rule: Intervals = "half_open") -> Spans:
        """Return the intervals [start, end) by one of the conventions of the field."""
        spans = self.changed if rule == "umil" and self.changed is not None else self.spans
        return tuple((start, end + 1) for start, end in spans) if rule == "closed" else spans

    def as_video(self, rule: Intervals = "half_open") -> Video:
        """Return it as the videos of a store are: intervals end with the video, only test videos have them."""
        spans = self.intervals(rule) if self.split == "test" else ()
        last = self.frames
        cut = spans if last is None else tuple((s, min(e, last)) for s, e in spans if s < last)
        return Video(self.name, self.split, self.label, self.classes, self.frames, None, cut)


@dataclass(frozen=True)
class Annotations:
    """All videos of a data set, in the order of the official lists. ``classes`` has the normal class first."""

    data_set: DataSet
    classes: tuple[str, ...]
    videos: tuple[Annotated, ...]

    def named(self) -> dict[str, Annotated]:
        """Return the videos by name."""
        return {video.name: video for video in self.videos}

    def of(self, split: str) -> list[Annotated]:
        """Return the videos of a split."""
        return [video for video in self.videos if video.split == split]


def class_words(data_set: str) -> tuple[str, ...]:
    """Return the names of the classes in words, in the order of ``CLASSES``."""
    return tuple(XD_WORDS.get(name, name) for name in CLASSES[data_set])


@cache
def read_annotations(data_set: str) -> Annotations:
    """Return the annotation of a data set. Raises VadkitError for an unknown name."""
    known = next((name for name in DATA_SETS if name == data_set), None)
    if known is None:
        fail(
            f"there is no annotation of '{data_set}'",
            hint=did_you_mean(data_set, DATA_SETS) or f"there are {', '.join(DATA_SETS)}",
        )
    text = (files("vadkit.datasets") / "intervals" / f"{known}.tsv").read_text(encoding="utf-8")
    columns, *rows = (line.split("\t") for line in text.splitlines())
    # Empty cells at the end of a line are not written.
    videos = [_video(known, dict(zip(columns, row + [""] * len(columns)))) for row in rows]
    return Annotations(known, class_words(known), tuple(videos))


def _video(data_set: str, cell: dict[str, str]) -> Annotated:
    words = {code: word for code, word in zip(CLASSES[data_set], class_words(data_set))}
    return Annotated(
        cell["name"],
        cell["split"],
        int(cell["label"]),
        tuple(words[code] for code in cell["classes"].split(",") if code),
        _number(cell["frames"]),
        _number(cell.get("snippets", "")),
        _spans(cell["spans"].split()),
        tuple((words[c], *s) for c, s in map(_class_span, cell.get("class_spans", "").split())),
        _spans(cell["spans_umil"].split()) if cell.get("spans_umil") else None,
    )


def _number(text: str) -> int | None:
    return int(text) if text else None


def _spans(texts: Iterable[str]) -> Spans:
    return tuple(_span(text) for text in texts)


def _span(text: str) -> tuple[int, int]:
    start, end = text.split("-")
    return int(start), int(end)


def _class_span(text: str) -> tuple[str, tuple[int, int]]:
    code, span = text.split(":")
    return code, _span(span)
