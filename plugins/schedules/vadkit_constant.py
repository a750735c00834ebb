"""A learning rate that stays as it is."""

from __future__ import annotations

from vadkit import Schedule, hookimpl


class Constant(Schedule):
    """Keep the learning rate."""

    name = "constant"

    def share(self, step: float, steps: float) -> float:
        return 1.0


@hookimpl
def vadkit_components() -> list[type]:
    return [Constant]
