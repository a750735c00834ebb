"""A thinned curve looks as the whole one does: the same picture, pixel by pixel."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import numpy as np
import pytest

from vadkit.report import Line, line_chart
from vadkit.report.thinning import as_points, thinned

pytestmark = pytest.mark.guards("3")


def picture(x: np.ndarray, y: np.ndarray, columns: int = 500) -> list[tuple[float, float]]:
    """Return the lowest and highest place of the polyline in every column: what is drawn there."""
    span = x[-1] - x[0]
    low, high = np.full(columns, np.inf), np.full(columns, -np.inf)
    column = np.minimum((columns * (x - x[0]) / span).astype(int), columns - 1)
    np.minimum.at(low, column, y)
    np.maximum.at(high, column, y)
    return list(zip(low.tolist(), high.tolist()))


@pytest.mark.parametrize("kind", ["noise", "needles", "roc", "steps"])
def test_a_million_values_keep_their_shape(kind: str) -> None:
    rng = np.random.default_rng(0)
    n = 1_000_000
    x = np.linspace(0, 1, n)
    y = {
        "noise": rng.random(n),
        "needles": (rng.random(n) < 1e-5).astype(float),
        "roc": np.sort(rng.random(n)) ** 0.2,
        "steps": np.repeat(rng.random(n // 100), 100),
    }[kind]
    fewer, values = thinned(x, y)
    assert len(fewer) <= 4000
    assert picture(fewer, values) == picture(x, y)
    assert (fewer[0], fewer[-1]) == (0, 1)
    assert (values[0], values[-1]) == (y[0], y[-1])


def test_few_values_and_unordered_ones_are_kept() -> None:
    x, y = np.arange(4000.0), np.random.default_rng(0).random(4000)
    assert thinned(x, y)[1].tolist() == y.tolist()
    back = np.concatenate([x, x])
    assert len(thinned(back, back)[0]) == 8000


def test_gaps_stay_gaps() -> None:
    y = np.ones(100_000)
    y[30_000:60_000] = math.nan
    x, thin = thinned(np.arange(100_000.0), y)
    assert len(x) <= 4100
    missing = x[np.isnan(thin)]
    assert (missing.min(), missing.max()) == (30_000, pytest.approx(60_000, abs=110))
    assert np.isfinite(thin[(x < 30_000) | (x >= 60_000)]).all()


def test_equal_places_are_no_division_by_zero() -> None:
    assert len(thinned(np.zeros(9000), np.arange(9000.0))[0]) == 2


def test_steps_as_points() -> None:
    x, y = as_points([0, 1, 3], [5, 7])
    assert (x.tolist(), y.tolist()) == ([0, 1, 1, 3], [5, 5, 7, 7])


def test_a_chart_of_a_million_values_is_small_and_keeps_a_single_peak() -> None:
    y = np.zeros(1_000_000)
    y[777_777] = 1.0
    chart = line_chart([Line("score", np.arange(1_000_001.0), y, step=True)], x_label="x", y_label="y")  # type: ignore[arg-type]
    assert len(chart) < 60_000
    curve = ElementTree.fromstring(chart).find(".//path[@class='curve']")
    assert curve is not None
    top = [float(p.split()[0]) for p in curve.get("d", "").strip("M").split("L") if p.endswith(" 0.0")]
    assert top and all(abs(x - 7777.77) < 12 for x in top)
