"""What a comparison of two sets of features found, and what was tried on a video."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vadkit.diff.cause import Cause
from vadkit.diff.causes import is_explained
from vadkit.diff.evidence import Evidence

GIVES = 0.99  # of the difference, that a change must explain to be said to give B, where none gives it exactly


@dataclass(frozen=True)
class Outcome:
    """How well one hypothesis gives B.

    Attributes:
        field, text: of the hypothesis.
        explained: share of the difference between B and A that it explains; 1 all of it, below 0 if it leads farther
            away. None if it could not be tried, or changes nothing.
        cosine: mean over rows of what it gives and B; None likewise.
        exact: it gives B to within rounding.
        note: why it was not tried, or that it changes nothing here.
        same_as: others that give the same features, so that these cannot be distinguished.
    """

    field: str
    text: str
    explained: float | None = None
    cosine: float | None = None
    exact: bool = False
    note: str = ""
    same_as: tuple[str, ...] = ()

    @property
    def gives_b(self) -> bool:
        return self.exact or (self.explained is not None and self.explained >= GIVES)


@dataclass(frozen=True)
class Trial:
    """What was tried on a video.

    Attributes:
        video: its name; ``rows`` are those compared, first and one past the last.
        again: largest difference of A and A extracted again, as a part of A's largest number: whether the file, the
            recipe and this machine give A at all. ``again_b`` is the same for B.
        outcomes: best first, then those that could not be tried.
    """

    video: str
    rows: tuple[int, int]
    again: float
    again_b: float
    outcomes: list[Outcome]

    @property
    def giving(self) -> list[Outcome]:
        """The outcomes that give B: those that do so exactly, or else those that come close."""
        exact = [outcome for outcome in self.outcomes if outcome.exact]
        return exact or [outcome for outcome in self.outcomes if outcome.gives_b]


@dataclass
class StreamComparison:
    """How one stream differs.

    Attributes:
        a, b: names of the stream in A and in B.
        videos: how many both sides have, of which ``equal`` are equal bit for bit; ``differ`` names the others.
        unreadable: errors of files that cannot be compared.
        only_a, only_b: videos that the other side lacks.
        evidence: what the differing videos' numbers say; None if all are equal or unreadable.
        causes: why, surest first. ``other_fields`` of the recipes differ, too, without effect.
        recipe_fields: all in which the recipes differ; ``recipes``: whether each side has one.
        trial: what was tried on a video, if one was given, by the recipe of ``maker``, A or B; ``not_tried`` says why
            it could not be.
    """

    a: str
    b: str
    videos: int
    equal: int
    differ: list[str]
    unreadable: list[str]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    evidence: Evidence | None
    causes: list[Cause]
    recipe_fields: dict[str, tuple[Any, Any]]
    other_fields: list[str]
    recipes: tuple[bool, bool]
    trial: Trial | None = None
    maker: str = "A"
    not_tried: str | None = None

    @property
    def title(self) -> str:
        return self.a if self.a == self.b else f"{self.a} of A, {self.b} of B"

    @property
    def is_explained(self) -> bool:
        """The numbers alone explain all of the difference."""
        return self.evidence is None or is_explained(self.evidence)

    @property
    def is_equal(self) -> bool:
        """Nothing differs at all."""
        lacking = self.unreadable or self.only_a or self.only_b or self.recipe_fields
        return self.equal == self.videos and not lacking


@dataclass
class Comparison:
    """What ``compare`` found. ``alone_a`` and ``alone_b`` are streams that the other side lacks."""

    a: Path
    b: Path
    streams: list[StreamComparison]
    alone_a: list[str] = field(default_factory=list)
    alone_b: list[str] = field(default_factory=list)

    @property
    def is_equal(self) -> bool:
        return all(stream.is_equal for stream in self.streams) and not self.alone_a and not self.alone_b

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        streams = [{**_plain(asdict(stream)), "is_equal": stream.is_equal} for stream in self.streams]
        return {
            "a": str(self.a),
            "b": str(self.b),
            "is_equal": self.is_equal,
            "streams": streams,
            "only_a": self.alone_a,
            "only_b": self.alone_b,
        }


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value.item() if isinstance(value, np.generic) else value
