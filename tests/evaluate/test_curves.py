"""Bounds of merged scores: no order of the frames of one score may leave them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vadkit.evaluate.curves import Ranking, ap_bounds, ap_trapezoid, auc, auc_bound, average_precision

Cells = list[tuple[int, int]]
cells = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)).filter(any), min_size=1, max_size=6).filter(
    lambda c: any(p for p, _ in c) and any(n for _, n in c)
)


def merged(counts: Cells) -> Ranking:
    positive, negative = np.array(counts, float).T
    return Ranking(positive, negative)


def refined(counts: Cells, order: str, rng: np.random.Generator) -> Ranking:
    """Return the ranking in which the frames of each cell have scores of their own, in some order."""
    rows: Cells = []
    for p, n in counts:
        frames = [(1, 0)] * p + [(0, 1)] * n
        if order == "negatives first":
            frames.reverse()
        elif order == "any":
            frames = [frames[i] for i in rng.permutation(len(frames))]
        rows += frames
    return merged(rows)


@pytest.mark.parametrize("order", ["positives first", "negatives first", "any"])
@given(cells, st.integers(0, 2**31))
def test_bounds_hold_for_every_order(order: str, counts: Cells, seed: int) -> None:
    whole, single = merged(counts), refined(counts, order, np.random.default_rng(seed))
    off, off_line = ap_bounds(whole)
    assert abs(auc(single) - auc(whole)) <= auc_bound(whole) + 1e-12
    assert abs(average_precision(single) - average_precision(whole)) <= off + 1e-12
    assert abs(ap_trapezoid(single) - ap_trapezoid(whole)) <= off_line + 1e-12


@given(cells)
def test_the_bound_of_auc_is_reached(counts: Cells) -> None:
    best = refined(counts, "positives first", np.random.default_rng())
    assert auc(best) - auc(merged(counts)) == pytest.approx(auc_bound(merged(counts)), abs=1e-12)


@given(cells, st.integers(2, 50))
def test_figures_do_not_depend_on_the_unit_of_weight(counts: Cells, factor: int) -> None:
    one, many = merged(counts), merged([(p * factor, n * factor) for p, n in counts])
    for figure in (auc, average_precision, ap_trapezoid):
        assert figure(one) == pytest.approx(figure(many), abs=1e-12)
