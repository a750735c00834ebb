"""Figures of a ranking with weights: exactly what counting single frames would give, ties included.

Everything works on a ``Ranking``: the distinct scores from the highest down, with the weight of
positive and negative frames at each. Legend: n scores, k distinct scores.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Ranking:
    """Positive and negative weight (k,) at each distinct score, highest score first."""

    positive: np.ndarray
    negative: np.ndarray

    @property
    def positives(self) -> float:
        """Weight of all positive frames."""
        return float(self.positive.sum())

    @property
    def negatives(self) -> float:
        """Weight of all negative frames."""
        return float(self.negative.sum())


def ranking(scores: np.ndarray, positive: np.ndarray, negative: np.ndarray) -> Ranking:
    """Return the ranking of scores (n,) in falling order, with their weights (n,)."""
    if len(scores) == 0:
        return Ranking(np.zeros(0), np.zeros(0))
    starts = np.flatnonzero(np.r_[True, scores[1:] != scores[:-1]])
    added = (np.add.reduceat(part.astype(np.float64), starts) for part in (positive, negative))
    return Ranking(*added)


def auc(r: Ranking) -> float:
    """Return the area under the ROC curve: a positive frame beats a negative one, ties count half."""
    below = r.negatives - np.cumsum(r.negative)
    won = np.sum(r.positive * (below + 0.5 * r.negative))
    return float(won / (r.positives * r.negatives))


def average_precision(r: Ranking) -> float:
    """Return the sum of precision times gain in recall, as scikit-learn's ``average_precision_score``."""
    hits, all_ = np.cumsum(r.positive), np.cumsum(r.positive + r.negative)
    return float(np.sum(r.positive / r.positives * (hits / all_)))


def ap_trapezoid(r: Ranking) -> float:
    """Return the area under straight lines between the points of the precision-recall curve.

    What most code of this field prints as "AP": ``auc(recall, precision)`` of scikit-learn, whose
    curve begins at recall 0 with precision 1. Far above average precision where scores tie.
    """
    hits, all_ = np.cumsum(r.positive), np.cumsum(r.positive + r.negative)
    precision = np.r_[1.0, hits / all_]
    return float(np.sum(r.positive / r.positives * (precision[1:] + precision[:-1]) / 2))
