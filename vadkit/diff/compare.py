"""Compare two sets of features and say why they differ.

Legend: k crops, t snippets, dim the width of a stream.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from vadkit.backbones.recipe import ARITHMETIC
from vadkit.diff.arithmetic import arithmetic_of
from vadkit.diff.cause import Cause
from vadkit.diff.causes import differing, find_causes, modality_of
from vadkit.diff.comparison import Comparison, StreamComparison
from vadkit.diff.evidence import Arrays, enough, gather
from vadkit.diff.sides import Side, StreamPair, open_side, pair_streams
from vadkit.problems import VadkitError

Progress = Callable[[str, int, int], None]  # stream, videos done, videos in all


def compare(
    a: Path | str, b: Path | str, streams: Sequence[str] = (), progress: Progress | None = None
) -> tuple[Comparison, Side, Side]:
    """Return how the features in ``a`` and ``b`` differ, and both sides.

    Args:
        a, b: stores, folders of feature files, or files.
        streams: see ``pair_streams``.
        progress: called after each video.

    Raises VadkitError for what cannot be opened, and if there is nothing to compare.
    """
    side_a = open_side(a)
    side_b = open_side(b, _names(side_a))
    if side_b.kind == "store" and side_a.kind != "store":
        side_a = open_side(a, _names(side_b))
    pairs, alone_a, alone_b = pair_streams(side_a, side_b, streams)
    found = [compare_stream(pair, side_a, side_b, progress) for pair in pairs]
    return Comparison(Path(a), Path(b), found, alone_a, alone_b), side_a, side_b


def _names(side: Side) -> set[str]:
    return {name for videos in side.streams.values() for name in videos} if side.kind == "store" else set()


def compare_stream(pair: StreamPair, a: Side, b: Side, progress: Progress | None = None) -> StreamComparison:
    """Return how one stream differs."""
    differ, unreadable, digests = [], [], {}
    for number, (name, (read_a, read_b)) in enumerate(pair.videos.items(), 1):
        try:
            x, y = read_a(), read_b()
        except VadkitError as error:
            unreadable.append(error.problems[0].message)
        else:
            if not same_bits(x, y):
                differ.append(name)
                digests[name] = _digest(x), _digest(y)
        if progress:
            progress(pair.title, number, len(pair.videos))
    recipe_a, recipe_b = a.recipes.get(pair.a), b.recipes.get(pair.b)
    fields = differing(recipe_a, recipe_b) if recipe_a and recipe_b else {}
    evidence = gather(_sample(pair, differ)) if differ else None
    causes = _mixed_names(digests)
    if evidence is not None and not causes:
        modality = modality_of(recipe_a or recipe_b, pair.a)
        arithmetic = arithmetic_of(recipe_a, recipe_b, modality == "flow")
        causes = find_causes(evidence, fields, modality, bool(recipe_a) and recipe_a == recipe_b, arithmetic)
    return StreamComparison(
        pair.a,
        pair.b,
        len(pair.videos),
        len(pair.videos) - len(differ) - len(unreadable),
        differ,
        unreadable,
        pair.only_a,
        pair.only_b,
        evidence,
        causes,
        fields,
        [field for field in fields if field not in _blamed(causes)],
        (recipe_a is not None, recipe_b is not None),
    )


def _blamed(causes: Sequence[Cause]) -> set[str | None]:
    """Return the fields of recipes that causes name; how they were computed is several."""
    fields = {cause.field for cause in causes}
    return {*fields, *ARITHMETIC} if any(cause.name == "computed" for cause in causes) else fields


def same_bits(x: np.ndarray, y: np.ndarray) -> bool:
    """Return whether two arrays are equal in type, shape and every bit; NaN equals itself, 0 does not equal -0."""
    if x.dtype != y.dtype or x.shape != y.shape:
        return False
    kind = f"u{x.dtype.itemsize}"
    return all(np.array_equal(_bits(p, kind), _bits(q, kind)) for p, q in zip(x, y))


def _bits(x: np.ndarray, kind: str) -> np.ndarray:
    return np.ascontiguousarray(x).view(kind)


def _digest(x: np.ndarray) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(x).view(np.uint8).data, digest_size=16).digest()


def _mixed_names(digests: Mapping[str, tuple[bytes, bytes]]) -> list[Cause]:
    """Return the cause, if videos have each other's features."""
    owners = {first: name for name, (first, _) in digests.items()}
    mixed = {name: owners[second] for name, (_, second) in digests.items() if second in owners}
    if not mixed:
        return []
    name, owner = next(iter(mixed.items()))
    text = f"{len(mixed)} videos of B have the features of others: '{name}' has those of A's '{owner}'"
    return [Cause("names", text, "certain")]


def _sample(pair: StreamPair, names: Sequence[str]) -> list[Arrays]:
    """Return the arrays of some of the videos, evenly spread."""
    first = pair.videos[names[0]][0]()
    step = -(-len(names) // enough(first.shape))
    return [Arrays(name, pair.videos[name][0](), pair.videos[name][1]()) for name in names[::step]]
