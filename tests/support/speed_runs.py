"""Runs of bench speed that were never measured, with noise of the usual size."""

from __future__ import annotations

import random

from vadkit.bench.speed.result import KIND, Growth, Machine, Row, Run, Size

MACHINE = Machine("CPU, 2 cores", 2, "Linux", "3.11", "0.1.0", {"torch": "2.14"}, "abc", "2026-11-28")
NOISE = 0.03  # standard deviation of a time over the rounds


def row(draws: random.Random, name: str, slower: float = 1.0, has_plain: bool = True, noise: float = NOISE) -> Row:
    """Return a figure of 100 ms; the machine is up to twice as slow in some rounds, for all that take turns."""
    load = [1 + draws.random() for _ in range(5)]

    def times(ms: float) -> list[float]:
        return [ms * busy * draws.gauss(1, noise) for busy in load]

    plain = times(180.0) if has_plain else None
    return Row(
        subject=name, kind="graph", what="train", bags=4, snippets=200, precision="fp32", mode="eager",
        ours_ms=times(100 * slower), product_ms=times(50.0), copy_ms=times(10.0), product_flops=7e9, copy_bytes=1e8,
        flops=8e9, bytes=1e8, plain_ms=plain,
    )  # fmt: skip


def run(seed: int, slower: float = 1.0, count: int = 20, noise: float = NOISE) -> Run:
    """Return a run of ``count`` graphs; every third has no restatement, and the first is ``slower``."""
    draws = random.Random(seed)
    rows = {f"g{n}": row(draws, f"g{n}", slower if n == 0 else 1.0, n % 3 != 2, noise) for n in range(count)}
    growth = {"g0": Growth("g0", 500.0, [Size(2000, 30.0, 600.0), Size(20_000, 900.0, 1400.0)])}
    return Run(KIND, MACHINE, {"seed": 0}, rows, growth)
