"""One update of the weights: forward, losses, backward, clipping, optimizer, blend, moving average.

``work`` is what the device does. ``prepare`` and ``finish`` are what changes on the host from update to update; so a
recording of ``work`` (see ``vadkit.engine.capture``) can take its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor

from vadkit.engine.blend import Blend
from vadkit.engine.moving_average import MovingAverage

Losses = dict[str, Tensor]


class Update:
    """Updates the weights of the model of a runner.

    Args:
        blend: of nodes, or None.
        ema: the moving average, or None.
    """

    def __init__(self, blend: Blend | None = None, ema: MovingAverage | None = None) -> None:
        self.blend, self.ema = blend, ema

    def __call__(self, runner: Any, step: int, batches: Iterable[Mapping[str, Any]]) -> Losses:
        """Do update ``step`` and return the means of the losses. Each batch is used before the next is taken."""
        self.prepare(step)
        losses = self.work(runner, batches)
        self.finish()
        return losses

    def prepare(self, step: int) -> None:
        if self.blend is not None:
            self.blend.prepare(step)
        if self.ema is not None:
            self.ema.prepare()

    def work(self, runner: Any, batches: Iterable[Mapping[str, Any]]) -> Losses:
        found = [runner.model.train_step(batch, runner.optim_wrapper) for batch in batches]
        if self.blend is not None:
            self.blend.apply()
        if self.ema is not None:
            self.ema.average()
        return _mean(found)

    def finish(self) -> None:
        if self.ema is not None:
            self.ema.count()


def _mean(found: list[Losses]) -> Losses:
    if len(found) == 1:
        return found[0]
    return {name: sum(losses[name] for losses in found) / len(found) for name in found[0]}  # type: ignore[misc]
