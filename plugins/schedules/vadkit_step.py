"""A learning rate that drops at given steps or epochs."""

from __future__ import annotations

from vadkit import Schedule, hookimpl


class Step(Schedule):
    """Multiply the learning rate by ``gamma`` at each milestone.

    Args:
        milestones: steps from the start of the run, warm-up included; epochs with ``train.schedule.unit: epoch``.
        gamma: factor of each drop.
    """

    name = "step"
    counts_warmup = True

    def __init__(self, *, milestones: tuple[int, ...] = (), gamma: float = 0.1) -> None:
        if any(milestone < 1 for milestone in milestones):
            raise ValueError(f"milestones must be above 0, not {list(milestones)}")
        if not 0 < gamma <= 1:
            raise ValueError(f"gamma must be above 0, at most 1, not {gamma}")
        self.milestones, self.gamma = milestones, gamma

    def share(self, step: float, steps: float) -> float:
        return float(self.gamma ** sum(step >= milestone for milestone in self.milestones))


@hookimpl
def vadkit_components() -> list[type]:
    return [Step]
