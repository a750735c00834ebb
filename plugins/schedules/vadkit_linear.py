"""A learning rate that falls along a straight line."""

from __future__ import annotations

from vadkit import Schedule, hookimpl


class Linear(Schedule):
    """Lower the learning rate along a straight line, from 1 to ``end_factor``; there it stays.

    Args:
        end_factor: share of the learning rate at the end.
    """

    name = "linear"

    def __init__(self, *, end_factor: float = 0.0) -> None:
        if not 0 <= end_factor <= 1:
            raise ValueError(f"end_factor must be from 0 to 1, not {end_factor}")
        self.end_factor = end_factor

    def share(self, step: float, steps: float) -> float:
        return 1 - (1 - self.end_factor) * min(1.0, step / steps)


@hookimpl
def vadkit_components() -> list[type]:
    return [Linear]
