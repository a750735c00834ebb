"""Properties of the figures of a ranking; their values are checked in test_figures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vadkit.evaluate.curves import Ranking, ap_trapezoid, auc, average_precision

Counts = list[tuple[int, int]]  # positive and negative frames at each score
counts = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)).filter(any), min_size=1, max_size=6).filter(
    lambda c: any(p for p, _ in c) and any(n for _, n in c)
)


def ranking_of(counts: Counts) -> Ranking:
    positive, negative = np.array(counts, float).T
    return Ranking(positive, negative)


@given(counts, st.integers(2, 50))
def test_figures_do_not_depend_on_the_unit_of_weight(counts: Counts, factor: int) -> None:
    one, many = ranking_of(counts), ranking_of([(p * factor, n * factor) for p, n in counts])
    for figure in (auc, average_precision, ap_trapezoid):
        assert figure(one) == pytest.approx(figure(many), abs=1e-12)


@given(counts)
def test_a_reversed_ranking_has_the_complementary_auc(counts: Counts) -> None:
    assert auc(ranking_of(counts)) + auc(ranking_of(counts[::-1])) == pytest.approx(1, abs=1e-12)
