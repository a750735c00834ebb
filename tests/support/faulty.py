"""Sound components and ways to break them, for the tests of the contract test."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from vadkit import Temporal
from vadkit.testing import CHECKS, ComponentError, check_component


class Sound(Temporal):
    """Project every snippet."""

    name = "sound"
    inputs = {"x": "b t in_dim", "mask?": "b t"}
    outputs = {"x": "b t dim"}
    example = {"in_dim": 6}

    def __init__(self, *, in_dim: int) -> None:
        super().__init__()
        self.in_dim = self.dim = in_dim
        self.layer = nn.Linear(in_dim, in_dim)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.layer(x)


SEEN: set[str] = set()  # promises that were broken so far
ALL_CHECKS = {kind: list(checks) for kind, checks in CHECKS.items()}


def broken(cls: type[Any], **overrides: Any) -> dict[str, str]:
    """Return the broken promises of a component."""
    try:
        check_component(cls, **overrides)
    except ComponentError as error:
        assert isinstance(error, AssertionError)
        SEEN.update(promise.partition(" (with ")[0] for promise in error.report.broken)
        return error.report.broken
    return {}


def named(cls: type[Any], name: str | None = None) -> type[Any]:
    """Give a class what every component has."""
    cls.name = name or "faulty"
    cls.__doc__ = cls.__doc__ or "Do something."
    return cls


def variant(**members: Any) -> type[Any]:
    """Return ``Sound`` with other members, as a class of its own."""
    return type("Faulty", (Sound,), {"name": "faulty", "__doc__": "Do something.", **members})


def with_forward(forward: Any, **members: Any) -> type[Any]:
    return variant(forward=forward, **members)
