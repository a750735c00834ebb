"""Score of several heads together: the mean of their probabilities, or the product.

Legend: b bags x crops, t snippets.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from vadkit import Head, hookimpl


class ScoreMean(Head):
    """Average the probabilities of several heads, snippet by snippet, or multiply them.

    Args:
        form: "mean", or "product", in which each head can veto.
        weights: of a mean, a share for each head in the order in which they are wired; they are divided by their
            sum. Null means equal shares.
    """

    name = "score_mean"
    inputs = {"*x": "b t"}
    needs = "probability"
    range = "probability"
    lookback = 0

    def __init__(self, *, form: Literal["mean", "product"] = "mean", weights: list[float] | None = None) -> None:
        super().__init__()
        if weights is not None and (form == "product" or not weights or min(weights) < 0 or sum(weights) <= 0):
            raise ValueError(f"weights are of a mean, at least 0, and not all 0: {weights} of a {form}")
        self.form, self.weights = form, weights

    def forward(self, x: list[Tensor]) -> Tensor:
        """Take probabilities (b, t) of each head; return one (b, t)."""
        if self.form == "product":
            return self._product(x)
        weights = [1.0] * len(x) if self.weights is None else self.weights
        if len(weights) != len(x):
            raise ValueError(f"there are {len(weights)} weights for {len(x)} heads")
        total = x[0] * weights[0]
        for scores, weight in zip(x[1:], weights[1:]):
            total = total + scores * weight
        return total / sum(weights)

    def _product(self, x: list[Tensor]) -> Tensor:
        total = x[0]
        for scores in x[1:]:
            total = total * scores
        return total


@hookimpl
def vadkit_components() -> list[type]:
    return [ScoreMean]
