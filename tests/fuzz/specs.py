"""Damaged specs of comparisons, read and checked as ``bench swap`` does before it trains."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

import vadkit
from vadkit.bench.comparison.spec_file import from_file

from . import mutations

GRAPH = """
inputs: {rgb: b t 6}
nodes: {context: {use: identity, in: rgb}, score: {use: mlp_head, in: context, args: {hidden: [4]}}}
losses: {mil: {use: topk_mil, in: score}}
output: score
"""
SPEC: dict[str, Any] = {
    "about": "x", "config": "graph.yaml", "set": ["train.steps=3"], "data": "store", "seeds": [0, 2],
    "budget": {"steps": 4}, "combine": "one_at_a_time", "base": "plain",
    "swaps": {"context": ["identity", {"use": "dense", "args": {"dim": 4}, "name": "y", "set": ["data.batch=2"]}],
              "mil": [None, {"use": "confident_peak", "in": {"scores": "score"}, "weight": 0.5}]},
    "variants": {"plain": None, "warm": {"config": "graph.yaml", "set": ["train.steps=2"], "start": "plain"},
                 "rounds": {"recipe": "recipe.yaml"}},
}  # fmt: skip


class Specs:
    name = "specs"

    def prepare(self, folder: Path) -> None:
        (folder / "graph.yaml").write_text(GRAPH)
        (folder / "recipe.yaml").write_text("rounds: {a: {train: graph.yaml}, b: {train: graph.yaml, start: a}}\n")
        (folder / "spec.yaml").write_text(yaml.safe_dump(SPEC, sort_keys=False))
        vadkit.build(folder / "graph.yaml")  # plugins are loaded before the clock of the first mutant runs

    def mutate(self, folder: Path, canary: Path, rng: random.Random) -> list[Callable[[], Any]]:
        path, kind = folder / "spec.yaml", rng.randrange(12)
        if kind == 0:
            mutations.other_kind(path, rng, canary)
        elif kind < 3:
            path.write_bytes(mutations.some_bytes(path.read_bytes(), rng))
        else:
            text = yaml.safe_dump(mutations.structure(SPEC, rng, canary), sort_keys=False, allow_unicode=True)
            path.write_bytes(text.encode("utf-8", "surrogatepass"))
        return [lambda: len(from_file(path).check()) and 0]
