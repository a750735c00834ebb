"""Damaged scores of a run: a header of the wrong contents, tensors of the wrong kind, and damaged bytes."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from planted_runs import planted_results
from safetensors.numpy import load, save

from vadkit.bench.comparison.resampling import counted, ranked, resamples
from vadkit.bench.comparison.scores import KEY, SCORES, read, write

from . import mutations


class Scores:
    name = "scores"

    def prepare(self, folder: Path) -> None:
        _, scores = planted_results({"base": 1.5}, 1, 0)
        write(folder / SCORES, scores["base", 0])

    def mutate(self, folder: Path, canary: Path, rng: random.Random) -> list[Callable[[], Any]]:
        path, kind = folder / SCORES, rng.randrange(10)
        if kind == 0:
            mutations.other_kind(path, rng, canary)
        elif kind < 3:
            path.write_bytes(mutations.some_bytes(path.read_bytes(), rng))
        else:
            path.write_bytes(_changed(path.read_bytes(), rng, canary))
        return [lambda: _used(folder)]


def _used(folder: Path) -> None:
    run = read(folder)
    drawn = resamples([video.label or 0 for video in counted(run)], 3)
    ranked(run).figures(drawn)


def _changed(data: bytes, rng: random.Random, canary: Path) -> bytes:
    tensors = load(data)
    header = json.loads(json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"][KEY])
    if rng.random() < 0.6:
        header = mutations.structure(header, rng, canary)
    else:
        name = rng.choice(list(tensors))
        values = tensors[name]
        odd = rng.choice((0, -1, 1, 2**31 - 1, -(2**31)))
        others = (
            values.astype(np.int8), values.astype(np.float16), values.astype(bool), values[:-1], values[:, None],
            values * np.nan, np.full_like(values, odd), np.full(len(values), 2**62), np.full(len(values), 1e300),
        )  # fmt: skip
        tensors[rng.choice((name, name, "other"))] = rng.choice(others)
    return save(tensors, {KEY: mutations.as_json(header, rng).decode("utf-8", "replace")})
