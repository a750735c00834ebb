"""Time several pieces of work in turns, round by round, so that what slows the machine slows all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch

from vadkit.bench.timing import clock

LEAST_ROUNDS = 3


@dataclass(frozen=True)
class Turn:
    """Work to time, and what is switched meanwhile, which takes no part in the time."""

    run: Callable[[], Any]
    ready: Callable[[], AbstractContextManager[Any]] = nullcontext


def take_turns(turns: Mapping[str, Turn], device: torch.device, rounds: int, seconds: float) -> dict[str, list[float]]:
    """Return milliseconds by name, of every round after the first, which warms up.

    After ``seconds`` no round begins, but there are ``LEAST_ROUNDS``.
    """
    times: dict[str, list[float]] = {name: [] for name in turns}
    start = time.perf_counter()
    for number in range(rounds + 1):
        if number > LEAST_ROUNDS and time.perf_counter() - start > seconds:
            break
        for name, turn in turns.items():
            with turn.ready():
                taken = clock(turn.run, device)
            if number:
                times[name].append(max(taken, 1e-6))
    return times
