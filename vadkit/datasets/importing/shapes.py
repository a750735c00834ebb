"""Shapes of feature files by their headers, and which axis holds the crops.

Legend: t snippets, dim the width of a stream.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from vadkit.problems import fail
from vadkit.store.array_file import open_features
from vadkit.store.store_json import AXES
from vadkit.store.text_file import checked_shape

Shape = tuple[int, int, int]
USUAL_CROPS = (1, 5, 10)


def read_shape(path: Path) -> Shape:
    """Return the shape of a file as (crops, t, dim), or (t, crops, dim) if it is stored so.

    Of text, every number is read. Raises VadkitError, naming file and cause, for a file that cannot be used.
    """
    if path.suffix == ".txt":
        return 1, *checked_shape(path)
    first, second, width = open_features(path).shape
    return first, second, width


def find_axes(shapes: Iterable[Shape]) -> str | None:
    """Return which of ``AXES`` the files of one stream have; None if they do not show it.

    The number of crops is the same in every file, that of snippets is not.
    """
    shapes = list(shapes)
    firsts, seconds = ({shape[axis] for shape in shapes} for axis in (0, 1))
    if len(firsts) > 1 or len(seconds) > 1:
        return AXES[0] if len(firsts) == 1 else AXES[1] if len(seconds) == 1 else None
    usual = [next(iter(sizes)) in USUAL_CROPS for sizes in (firsts, seconds)]
    if usual[0] == usual[1]:
        return AXES[0] if firsts == {1} else None
    return AXES[0] if usual[0] else AXES[1]


def given_axes(texts: Iterable[str]) -> dict[str, str]:
    """Return the axes that the user states, STREAM=crops_first or snippets_first. Raises VadkitError."""
    orders = {"crops_first": AXES[0], "snippets_first": AXES[1]}
    found = {}
    for text in texts:
        stream, equals, order = text.partition("=")
        if not equals or order not in orders:
            fail(f"--axes {text}: must be STREAM=crops_first or STREAM=snippets_first")
        found[stream] = orders[order]
    return found


def ordered(shape: Shape, axes: str) -> Shape:
    """Return (crops, t, dim)."""
    return shape if axes == AXES[0] else (shape[1], shape[0], shape[2])
