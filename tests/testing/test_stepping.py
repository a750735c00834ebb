"""The promise of live scores: each way of breaking it is found."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from faulty import Sound, broken, named, with_forward
from torch import Tensor

from vadkit import Postprocess

PROMISE = "its lookback, or its step, is true"


def running_sum(self: Any, x: Tensor, mask: Tensor | None = None) -> Tensor:
    return self.layer(x).cumsum(1) * 0.1


def with_the_one_before(self: Any, x: Tensor, mask: Tensor | None = None) -> Tensor:
    y = self.layer(x)
    return y + torch.nn.functional.pad(y, (0, 0, 1, 0))[:, :-1]


def by_parity(self: Any, x: Tensor, mask: Tensor | None = None) -> Tensor:
    even = torch.arange(x.shape[1], device=x.device) % 2 == 0
    return self.layer(x) * even[:, None].to(x.dtype)


def summed(self: Any, state: Tensor | None, x: Tensor) -> tuple[Tensor, Tensor]:
    y = (self.layer(x) * 0.1).cumsum(1) + (0 if state is None else state)
    return y, y[:, -1:]


def forgetful(self: Any, state: Tensor | None, x: Tensor) -> tuple[Tensor, Tensor]:
    return summed(self, None, x)


KEPT = {
    "not declared": (running_sum, {}),
    "a step": (running_sum, {"step": summed}),
    "one before": (with_the_one_before, {"lookback": 1}),
    "more than needed": (with_the_one_before, {"lookback": 3}),
    "a period": (by_parity, {"lookback": 0, "period": 2}),
}
BROKEN = {
    "no memory": (with_the_one_before, {"lookback": 0}),
    "too short": (running_sum, {"lookback": 4}),
    "no period": (by_parity, {"lookback": 0}),
    "forgets": (running_sum, {"step": forgetful}),
}


@pytest.mark.parametrize("case", KEPT)
def test_what_is_true_passes(case: str) -> None:
    forward, declared = KEPT[case]
    assert not [promise for promise in broken(with_forward(forward, **declared)) if promise.startswith(PROMISE)]


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_not_true_is_found(case: str) -> None:
    forward, declared = BROKEN[case]
    found = {p: how for p, how in broken(with_forward(forward, **declared)).items() if p.startswith(PROMISE)}
    assert "is another one if it is fed piece by piece" in str(found)


class Switched(Sound):
    """Project every snippet, and sum if asked."""

    lookback = 0

    def __init__(self, *, in_dim: int, running: bool = False) -> None:
        super().__init__(in_dim=in_dim)
        self.running = running

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return running_sum(self, x) if self.running else self.layer(x)


def test_a_switch_that_makes_it_untrue_is_found() -> None:
    assert "with running=True" in str(broken(named(Switched)))


class Halved(Postprocess):
    """Halve each score and add half of the one before."""

    name = "halved"
    lookahead = 0
    lookback = 0

    def __call__(self, scores: Any) -> Any:
        before = [*scores[:1], *scores[:-1]]
        return (scores + before) / 2


def test_a_postprocess_that_looks_back_further_is_found() -> None:
    assert "the scores are others if they come piece by piece" in str(broken(Halved))
