"""Damaged cards, results, tables of official names, and checkpoints of authors."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import yaml

import vadkit
from vadkit.systems.book import read_book
from vadkit.systems.card import read_cards

from . import mutations
from .harness import command

GRAPH = "inputs: {rgb: b t 6}\nnodes: {score: {use: mlp_head, in: rgb, args: {hidden: [4]}}}\noutput: score\n"
NAMES = """# of the authors
fc.0.         score.layers.0.
cls.*.bias    score.layers.*.bias
cls.1.weight  score.layers.1.weight transposed
fc.1.         =fc.0.
idle          -
@theirs.pth   net.
.             score: mlp_head
"""
SHAPES = {"fc.0.weight": (4, 6), "fc.0.bias": (4,), "cls.1.weight": (4, 1), "cls.1.bias": (1,), "idle": (3,)}
CARD: dict[str, Any] = {
    "title": "X", "paper": "Y, 2020", "code": "z", "names": "x", "level": "frame", "supervision": "video",
    "protocol": "crops averaged", "certain": ["a"], "guesses": ["b"],
    "graphs": {"x_xd": {"fidelity": "code", "parameters": 5, "unused": 1, "set": ["a.b=1"]}},
    "quirks": [{"what": "q", "switch": "losses.mil.args.x=false", "graphs": ["x_xd"]}],
    "published": [{"id": "O1", "graph": "x_xd", "protocol": "p"}],
}  # fmt: skip

RESULT: dict[str, Any] = {
    "system": "x", "graph": "x_xd", "variant": "v", "dataset": "D", "modalities": ["rgb"], "features": "i3d",
    "metric": "ap", "figure": 0.5, "unit": "fraction", "level": "frame", "supervision": "video", "note": "n",
    "protocol": {"selection": "last", "length": "native", "crops": "mean", "smoothing": "none", "decision_period": "?"},
    "source": {"paper": "a", "where": "b", "status": "own_source"},
    "record": {
        "commit": "a", "date": "b", "seeds": [0, 1], "spread": 0.1, "recipe": "r", "device": "CPU", "measured_on": "m",
        "file": "f", "changed": ["nodes"], "floors": {"chance": 0.1, "constant": 0.6},
    },
}  # fmt: skip


class Systems:
    name = "systems"

    def prepare(self, folder: Path) -> None:
        (folder / "cards" / "systems").mkdir(parents=True)
        (folder / "graph.yaml").write_text(GRAPH)
        (folder / "names.txt").write_text(NAMES.replace("@theirs.pth   net.\n", ""))
        (folder / "cards" / "systems" / "x.yaml").write_text(yaml.safe_dump(CARD, sort_keys=False))
        (folder / "cards" / "results" / "x").mkdir(parents=True)
        (folder / "cards" / "results" / "x" / "O1_d_ap.yaml").write_text(_as_yaml(_result(RESULT)).decode())
        torch.save({name: torch.ones(shape) for name, shape in SHAPES.items()}, folder / "theirs.pth")
        vadkit.build(folder / "graph.yaml")  # plugins are loaded before the clock of the first mutant runs

    def mutate(self, folder: Path, canary: Path, rng: random.Random) -> list[Callable[[], Any]]:
        card = folder / "cards" / "systems" / "x.yaml"
        result = folder / "cards" / "results" / "x" / "O1_d_ap.yaml"
        path = rng.choice((card, result, folder / "names.txt", folder / "theirs.pth"))
        kind = rng.randrange(20)
        if kind == 0:
            mutations.other_kind(path, rng, canary)
        elif kind < 8:
            path.write_bytes(mutations.some_bytes(path.read_bytes(), rng))
        elif path == card:
            path.write_bytes(_as_yaml(mutations.structure(CARD, rng, canary)))
        elif path == result:
            path.write_bytes(_as_yaml(_result(mutations.structure(RESULT, rng, canary), rng)))
        elif path.suffix == ".txt":
            path.write_bytes(_words(NAMES, rng).encode("utf-8", "surrogatepass"))
        else:
            torch.save(_state(rng, canary), path)
        if path == card:
            return [lambda: len(read_cards([folder / "cards"])) and 0]
        if path == result:
            return [lambda: len(read_book([folder / "cards"]).entries) and 0]
        files = (folder / "graph.yaml", folder / "theirs.pth", "--names", folder / "names.txt")
        return [command("weights", "import", *files, "-o", folder / "out.safetensors")]


def _result(facts: Any, rng: random.Random | None = None) -> Any:
    """Return a result without its record, or without its source, or with both."""
    left_out = rng.choice(("source", "record", "")) if rng else "record"
    return {k: v for k, v in facts.items() if k != left_out} if isinstance(facts, dict) else facts


def _as_yaml(value: Any) -> bytes:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True).encode("utf-8", "surrogatepass")


def _words(text: str, rng: random.Random) -> str:
    lines = [line.split() for line in text.splitlines()]
    for _ in range(rng.choice((1, 1, 2, 3))):
        line = rng.choice(lines)
        word = rng.choice(("", "-", "=", "*", ".", "..", "@", ":", "score:", "transposed", "#", *mutations.TEXTS))
        if line and rng.random() < 0.7:
            line[rng.randrange(len(line))] = word
        else:
            line.append(word)
    rng.shuffle(lines)
    return "\n".join(" ".join(line) for line in lines)


def _state(rng: random.Random, canary: Path) -> Any:
    state: dict[Any, Any] = {name: torch.ones(shape) for name, shape in SHAPES.items()}
    for _ in range(rng.choice((1, 2, 3))):
        name, kind = rng.choice(list(state)), rng.randrange(6)
        if kind == 0:
            del state[name]
        elif kind == 1:
            state[rng.choice(mutations.TEXTS)] = state.pop(name)
        elif kind == 2:
            state[name] = torch.zeros([rng.choice((0, 1, 4, 6)) for _ in range(rng.randrange(4))])
        elif kind == 3:
            state[name] = mutations.junk(rng, canary)
        elif kind == 4:
            state[f"module.{name}"] = state.pop(name)
        else:
            state[name] = torch.full((4,), float("nan")).to(rng.choice((torch.float16, torch.complex64, torch.int64)))
    return rng.choice((state, state, state, {"state_dict": state}, [state]))
