"""Which weights a run ends with: the last ones, the best on val, or the best on test."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from vadkit.problems import fail

FLATTERS = (
    "select: test_best keeps the weights that scored best on the test videos themselves; the figures "
    "flatter the system and must not be compared with figures selected by last or val."
)


def label(select: str) -> str | None:
    """Return the sentence that goes with every figure of a run selected this way, or None."""
    return FLATTERS if select == "test_best" else None


def watched_split(select: str, final: str) -> str:
    """Return the split that is measured while training; ``final`` is the one of the result."""
    return "val" if select == "val" else final


@dataclass
class Best:
    """The best weights so far, as measured: those of the moving average if there is one."""

    step: int
    value: float
    weights: dict[str, Tensor]


class Selection:
    """Keeps the best weights, where ``select`` asks for them.

    Args:
        select: last, val or test_best.
        metric: the figure that decides; more is better.
    """

    def __init__(self, select: str, metric: str) -> None:
        self.select, self.metric = select, metric
        self.best: Best | None = None

    def offer(self, step: int, figures: Mapping[str, Any], model: nn.Module) -> None:
        """Keep a copy of the weights if their figure is the best so far; of equals the first stays."""
        if self.select == "last":
            return
        value = figures.get(self.metric)
        if not isinstance(value, (int, float)) or math.isnan(value):
            fail(
                f"train.select is {self.select}, but the evaluation gave no '{self.metric}' to select by",
                hint="the videos measured on need normal and abnormal snippets; or use select: last",
            )
        if self.best is None or value > self.best.value:
            weights = {k: v.detach().to("cpu", copy=True) for k, v in model.state_dict().items()}
            self.best = Best(step, float(value), weights)

    def state(self) -> dict[str, Any] | None:
        """Return what a checkpoint keeps."""
        return None if self.best is None else dict(vars(self.best))

    def load(self, state: Best | None) -> None:
        self.best = state
