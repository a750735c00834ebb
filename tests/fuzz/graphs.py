"""Damaged configs: their text, their data, and overrides. A graph that is sound is also built by the command."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from vadkit.graph.compiler import compile_plan
from vadkit.graph.load import load_config
from vadkit.plugin_manager import load_plugins
from vadkit.rounds import read_recipe, recipe_source

from . import mutations
from .harness import command

CONFIGS = Path(__file__).parent.parent.parent / "registry_configs"
SMALL = """\
about: a small graph with one of everything
inputs: {rgb: b t 16, clip: b t 8, parts: b t 2 4}
nodes:
  context: {use: tca, in: rgb, args: {hidden: 4, window: 3}}
  reduce: {use: dense, in: {x: context, skip: rgb}, args: {dropout: 0.1}}
  pick: {use: topk_nominator, in: clip, args: {samples: 2}}
  both: {use: concat, in: [reduce, pick.x]}
  twin: {use: temporal_conv, in: both, share: a, detach: true}
  score: {use: causal_conv, in: {from: [twin]}}
  helper: {use: mlp_head, in: context, when: train}
  chosen: {use: top_magnitude, in: both, when: train, args: {k: 2}}
  texts: {use: text_bank, args: {rows: 3, dim: 16}}
  likeness: {use: cosine_head, in: {x: rgb, text: texts}, when: train}
  part: {use: part_transformer, in: parts, args: {heads: [2]}, when: train}
  wide: {use: dense, in: part, args: {dim: 16}, when: train}
  peer: {use: mlp_head, in: wide, when: train, detach: true}
losses:
  mil: {use: topk_mil, in: score, weight: 1.0}
  mc: {use: magnitude_contrastive, in: {x: both, index: chosen}, weight: 0.001}
  alike: {use: topk_mil, in: likeness.scores, weight: 0.1}
  apart: {use: text_dispersion, in: texts, weight: 0.1}
  hint: {use: distillation, in: {scores: helper, teacher: score}, weight: 0.1}
  known: {use: distillation, in: {scores: score, teacher: targets}, weight: 0.1}
  ramp: {use: topk_mil, in: peer, weight: {from: 0.0, to: 1.5, epochs: 3}}
output: score
data:
  use: feature_store
  args: {root: somewhere}
  streams: {rgb: rgb, clip: clip, parts: rgb}
  sampler: {use: uniform_pad}
  order: listed
  align: shortest
  classes: [normal, riot]
train:
  warm_start: [{file: a.safetensors, nodes: [a]}, {file: rows.npy, nodes: [texts]}]
  epochs: 2
  optimizer: {lr: 1.0e-4}
  capture: "off"
  groups: [{nodes: [context], lr: 1.0e-6}]
  schedule: {use: step, args: {milestones: [1]}, unit: epoch}
  blend: [{into: peer, from: helper, keep: [0.9, 1.0], per: epoch}, {into: helper, from: peer, keep: 0.5}]
eval:
  metric: ap
  crops: 2
  sampler: {use: uniform_pad, args: {length: 8}}
  post: [{use: score_smoothing, args: {kappa: 2}}]
"""
ROUNDS = """\
about: a small recipe with one of everything
rounds:
  first: {train: small}
  second: {train: small, start: first, times: 2}
  third:
    train: small.yaml
    targets: {from: second, use: certain_labels, args: {keep: 0.5}, passes: 3, history: 2}
"""
SHIPPED = ("pel4vad/pel4vad_xd.yaml", "seed/seed_xd_rgb.yaml", "seed/seed_xd_three_stream.yaml")
BUILT = 4 << 20  # bytes of weights up to which a graph is also built
KEYS = (
    "in",
    "rounds",
    "train",
    "use",
    "args",
    "weight",
    "share",
    "when",
    "detach",
    "x",
    "nodes",
    "from",
    "targets",
    "class_set",
    "extends",
    "class",
    "values",
    "0",
    "",
)


class Graphs:
    name = "graphs"

    def prepare(self, folder: Path) -> None:
        (folder / "small.yaml").write_text(SMALL)
        (folder / "rounds.yaml").write_text(ROUNDS)
        for path in SHIPPED:
            (folder / Path(path).name).write_text((CONFIGS / "graphs" / path).read_text())

    def mutate(self, folder: Path, canary: Path, rng: random.Random) -> list[Callable[[], Any]]:
        name = rng.choice(("small.yaml", "rounds.yaml", *(Path(path).name for path in SHIPPED)))
        path, sets = folder / name, [""][:0]
        kind = rng.randrange(10)
        if kind < 4:
            path.write_bytes(mutations.some_bytes(path.read_bytes(), rng))
        elif kind < 8:
            return [_compiles(_structure(path, rng), sets, folder)]
        else:
            sets = [_override(path, rng) for _ in range(rng.choice((1, 1, 2, 3)))]
        return [_compiles(path, sets, folder)]


def _structure(path: Path, rng: random.Random) -> Any:
    data = mutations.structure(yaml.safe_load(path.read_text()), rng)
    if rng.random() < 0.2 and isinstance(data, dict):
        data[rng.choice(KEYS)] = copy.copy(
            rng.choice((None, "rgb", {"use": "tca"}, b"bytes", (1, 2), {1: 2}, object()))
        )
    return data if isinstance(data, dict) else {"nodes": data}


def _override(path: Path, rng: random.Random) -> str:
    place, key = rng.choice(mutations.spots(yaml.safe_load(path.read_text())))
    keys = [str(part) for part in (*place, key)]
    if rng.random() < 0.3:
        keys[rng.randrange(len(keys))] = rng.choice(KEYS)
    if rng.random() < 0.1:
        keys.append(rng.choice(KEYS))
    value = rng.choice(
        (
            *(token.decode("utf-8", "replace") for token in mutations.TOKENS),
            str(mutations.junk(rng)),
            "[1, 2]",
            "{x: rgb}",
        )
    )
    return ".".join(keys) + rng.choice(("=", "=", "=", "=", "", "==")) + value


def _compiles(config: Any, sets: list[str], folder: Path) -> Callable[[], Any]:
    def build() -> Any:
        plugins = load_plugins()
        if recipe_source(config, plugins):
            json.dumps(read_recipe(config, sets, plugins).spec(), allow_nan=False)
            return 0
        plan = compile_plan(load_config(config, sets, plugins.config_folders), plugins)
        json.dumps(plan.spec, allow_nan=False)
        if not sets and isinstance(config, Path) and sum(size for size, _ in plan.weights.bytes.values()) < BUILT:
            return command("build", config, "--diagram", folder / "graph.svg")()
        return 0

    return build
