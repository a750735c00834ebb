"""What the numbers of A and B say about each other, for one stream, over all its videos.

Legend: k crops, t snippets, dim the width of a stream, n rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vadkit.diff.axes import CropOrder, bring_axes, find_crops, likeness, order_of_dims, part_of_width, profile
from vadkit.diff.timing import SAME_ROW, Drift, Timing, find_drift, find_timing, stretch
from vadkit.diff.value_maps import ValueMap, find_values, whole_numbers

ROWS = 160  # snippets of a video that are compared, from its beginning
NUMBERS = 6_000_000  # of one side that are held at once
VALUE_ROWS = 4096  # rows that values are compared on
Blocks = list[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Arrays:
    """One video's features, (k, t, dim) as read from the files."""

    name: str
    a: np.ndarray
    b: np.ndarray


@dataclass(frozen=True)
class Shapes:
    """How the arrays are stored.

    Attributes:
        a, b: shape of the first video, of A and of B with its axes in A's order.
        kinds: types of the numbers, A's and B's.
        axes: which axes are swapped, in words.
        width: how widths differ, in words; then the numbers cannot be compared.
        lengths: snippets of A and B by video.
        bad: numbers that are not finite, in A and in B.
    """

    a: tuple[int, ...]
    b: tuple[int, ...]
    kinds: tuple[str, str]
    axes: str | None
    width: str | None
    lengths: dict[str, tuple[int, int]]
    bad: tuple[int, int]

    @property
    def stretch(self) -> float:
        """How many times as many snippets B has as A has."""
        return stretch(list(self.lengths.values()))


@dataclass(frozen=True)
class Numbers:
    """What brings B's numbers onto A's, and how much is left then. Likenesses are correlations, -1 to 1.

    Attributes:
        dims: in which order B has A's dimensions, in words; None for the same.
        timing: which rows of A are which of B; ``fits`` is its likeness, and that of the rows as they are.
        drift: how much later B is than A, by less than a snippet.
        crops: which crop of A is which of B.
        values: what was done to the numbers.
        same_rows: share of the rows that are the same, once everything but the values is undone.
        others: which rows are not, in words, where most are the same. All below is of those alone then.
        cosine: mean over rows, as they are and with everything but the values undone.
        centred: the latter about the mean row: whether what distinguishes rows is the same.
        profile: likeness of the means and deviations of dimensions. High if both are of one network.
        relations: likeness of the relations between rows (linear CKA). High if both are of one video.
        scale: length of B's rows by that of A's.
        offset: mean of B's numbers less that of A's.
        largest: largest difference of two numbers.
        whole: B's numbers are whole and from 0 to 255, and A's are not.
    """

    dims: str | None
    timing: Timing
    fits: tuple[float, float]
    drift: Drift
    crops: CropOrder
    values: ValueMap
    same_rows: float
    others: str | None
    cosine: tuple[float, float]
    centred: float
    profile: float
    relations: float
    scale: float
    offset: float
    largest: float
    whole: bool


@dataclass(frozen=True)
class Evidence:
    """``numbers`` is None where widths differ."""

    videos: int
    shapes: Shapes
    numbers: Numbers | None


def enough(shape: Sequence[int]) -> int:
    """Return how many videos of a shape are compared together."""
    return max(1, min(24, NUMBERS // max(1, shape[0] * min(shape[1], ROWS) * shape[2])))


def gather(arrays: Sequence[Arrays]) -> Evidence:
    """Return what the videos' numbers say, all together; of long videos, the beginnings.

    Videos that are stored differently from most are left out.
    """
    brought = [(x.name, x.a, *bring_axes(x.a, x.b)) for x in arrays]
    forms = Counter((len(a), len(b), a.shape[2], b.shape[2], axes) for _, a, b, axes in brought)
    form = forms.most_common(1)[0][0]
    chosen = [(name, a, b) for name, a, b, axes in brought if (len(a), len(b), a.shape[2], b.shape[2], axes) == form]
    _, a, b = chosen[0]
    blocks = [(_begin(a), _begin(b)) for _, a, b in chosen]
    bad = [sum(int((~np.isfinite(block[side])).sum()) for block in blocks) for side in (0, 1)]
    same_width = a.shape[2] == b.shape[2]
    width = None if same_width else part_of_width(a, b) or f"A is {a.shape[2]} wide, B {b.shape[2]}"
    lengths = {name: (a.shape[1], b.shape[1]) for name, a, b in chosen}
    shapes = Shapes(a.shape, b.shape, (a.dtype.name, b.dtype.name), form[4], width, lengths, (bad[0], bad[1]))
    if not same_width:
        return Evidence(len(chosen), shapes, None)
    blocks = [(_finite(a), _finite(b)) for a, b in blocks]
    return Evidence(len(chosen), shapes, _numbers(blocks, shapes, b.dtype))


def _begin(x: np.ndarray) -> np.ndarray:
    return x[:, :ROWS].astype(np.float64)


def _finite(x: np.ndarray) -> np.ndarray:
    return np.asarray(np.nan_to_num(x, posinf=0, neginf=0))


def _numbers(blocks: Blocks, shapes: Shapes, kind_b: np.dtype[np.floating]) -> Numbers:
    """Undo one difference after the other."""
    as_is = _cosine(*_rows(_in_step(blocks, Timing()), None))
    order, dims = order_of_dims(_all_rows(blocks, 0), _all_rows(blocks, 1))
    if order is not None:
        blocks = [(a[..., order], b) for a, b in blocks]
    curves = [(a.mean(0), b.mean(0)) for a, b in blocks]
    best, plain = find_timing(curves, list(shapes.lengths.values()))
    stepped = _in_step(blocks, best.timing)
    crops = find_crops(stepped)
    a, b = _rows(stepped, crops)
    same = _same(a, b)
    values, others = find_values(a, b, kind_b), None
    if 0.5 < same.mean() < 1 and not values.exact:
        others = _others([crops.apply(a, b) for a, b in stepped], list(shapes.lengths))
        a, b = a[~same], b[~same]
    return Numbers(
        dims=dims,
        timing=best.timing,
        fits=(best.likeness, plain.likeness),
        drift=find_drift(curves, best.timing),
        crops=crops,
        values=values,
        same_rows=float(same.mean()),
        others=others,
        cosine=(as_is, _cosine(a, b)),
        centred=_cosine(a - a.mean(0), b - b.mean(0)),
        profile=likeness(profile(a), profile(b)),
        relations=cka(a, b),
        scale=float(np.linalg.norm(b) / max(float(np.linalg.norm(a)), 1e-30)),
        offset=float(b.mean() - a.mean()),
        largest=float(np.abs(a - b).max()),
        whole=whole_numbers(b) and not whole_numbers(a),
    )


def _in_step(blocks: Blocks, timing: Timing) -> Blocks:
    """Return the rows that belong together."""
    rows = [timing.rows(a.shape[1], b.shape[1]) for a, b in blocks]
    return [(a[:, i], b[:, j]) for (a, b), (i, j) in zip(blocks, rows)]


def _rows(blocks: Blocks, crops: CropOrder | None) -> tuple[np.ndarray, np.ndarray]:
    """Return rows (n, dim) of A and B that belong together: of the same crop, or as ``crops`` says."""
    if crops is None:
        least = min(len(blocks[0][0]), len(blocks[0][1]))
        pairs = [(a[:least], b[:least]) for a, b in blocks]
    else:
        pairs = [crops.apply(a, b) for a, b in blocks]
    a, b = _all_rows(pairs, 0), _all_rows(pairs, 1)
    step = -(-len(a) // VALUE_ROWS)
    return a[::step], b[::step]


def _all_rows(blocks: Blocks, side: int) -> np.ndarray:
    return np.concatenate([block[side].reshape(-1, block[side].shape[-1]) for block in blocks])


def _same(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return for each row (..., dim) whether it is the same to float32's rounding."""
    size = np.maximum(np.linalg.norm(b, axis=-1), 1e-12)
    return np.asarray(np.linalg.norm(a - b, axis=-1) <= SAME_ROW * size)


def _others(blocks: Blocks, names: list[str]) -> str | None:
    """Say which rows differ, of the first video that has some."""
    for (a, b), name in zip(blocks, names):
        rows = np.flatnonzero(~_same(a, b).all(axis=0))
        if len(rows):
            listed = ", ".join(map(str, rows[:6])) + (", ..." if len(rows) > 6 else "")
            return f"{len(rows)} of {a.shape[1]} rows of '{name}' ({listed})"
    return None


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Return the mean cosine of rows; rows of zeros do not count."""
    sizes = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    some = sizes > 1e-20
    return float(np.mean((a * b).sum(1)[some] / sizes[some])) if some.any() else 0.0


def cka(a: np.ndarray, b: np.ndarray) -> float:
    """Return the linear CKA of rows (n, dim), 0 to 1: are rows that are alike in A alike in B, too?

    Kornblith et al., Similarity of Neural Network Representations Revisited, ICML 2019.
    """
    a, b = a[:512] - a[:512].mean(0), b[:512] - b[:512].mean(0)
    inner_a, inner_b = a @ a.T, b @ b.T
    power = float(np.linalg.norm(inner_a) * np.linalg.norm(inner_b))
    return float((inner_a * inner_b).sum()) / power if power > 1e-20 else 0.0
