"""Damaged model files: a header of the wrong contents with the SHA-256 that goes with it, and damaged bytes."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from tiny_store import write_tiny_store

import vadkit
from vadkit.graph import model_file
from vadkit.predict.system import load_system

from . import mutations
from .harness import command

RECIPE = {"backbone": "logmel_stats", "snippet_frames": 16, "fps": 24.0, "tail": "repeat", "weights": "random"}
EXTRA: dict[str, Any] = {
    "note": "flatters", "figures": {"ap": 0.5}, "select": "last", "protocol": {"split": "test"}, "seed": 0, "steps": 9,
    "chosen_step": 9, "selected_by": {"ap": 0.5, "split": "test"}, "warm_start": {"file": "x", "nodes": None},
    "seconds": 1.5, "warnings": ["few videos"], "data": {"videos": 3, "sha256": "0f"}, "device": "cpu", "processes": 1,
    "versions": {"torch": "2.6"}, "snippet_frames": 16,
    "events": {"on": 0.8, "off": 0.6, "least_s": 1.0, "cool_down_s": 10.0, "alarms_per_day": 2.0,
               "interval": [1.0, 4.0], "confidence": 0.95, "hours": 48.0, "events": 4, "method": "x"},
}  # fmt: skip
TAIL = {"losses": {"mil": {"use": "topk_mil", "in": "score"}}, "output": "score"}
HEAD = {"use": "mlp_head", "args": {"hidden": [4]}}
GRAPHS: dict[str, Any] = {
    "rgb": {"inputs": {"rgb": "b t 16"}, "nodes": {"score": {**HEAD, "in": "rgb"}}, **TAIL},
    "audio": {"inputs": {"audio": {"use": "logmel_stats"}}, "nodes": {"score": {**HEAD, "in": "audio"}}, **TAIL},
}


class Models:
    name = "models"

    def prepare(self, folder: Path) -> None:
        store = write_tiny_store(folder / "store", train=1, test=1, dims={"rgb": 16})
        for name, graph in GRAPHS.items():
            data = {"data": {"args": {"root": str(store)}}, "eval": {"post": [{"use": "score_smoothing"}]}}
            extra = {**EXTRA, "recipes": {name: RECIPE, "clip": None}}
            model_file.save(vadkit.build({**graph, **data}), folder / f"{name}.safetensors", extra)

    def mutate(self, folder: Path, canary: Path, rng: random.Random) -> list[Callable[[], Any]]:
        name = rng.choice(("rgb", "audio"))
        path, kind = folder / f"{name}.safetensors", rng.randrange(20)
        if kind == 0:
            mutations.other_kind(path, rng, canary)
        elif kind < 4:
            path.write_bytes(mutations.some_bytes(path.read_bytes(), rng))
        elif kind < 8:
            path.write_bytes(_table(path.read_bytes(), rng))
        else:
            path.write_bytes(_header(path, rng, canary))
        root = f"data.args.root={folder / 'store'}"
        evaluate = command("eval", "--model", path, "--set", root)
        return [_loaded(path), lambda: load_system(path, "cpu") and None, evaluate]


def _header(path: Path, rng: random.Random, canary: Path) -> bytes:
    """Return a file whose header is another, but whose SHA-256 is right."""
    header, state = model_file.read_header(path), model_file.read_weights(path)
    part = rng.choice(("spec", "spec", "extra", None))
    if part is None:
        header = mutations.structure(header, rng, canary)
    else:
        header[part] = mutations.structure(header[part], rng, canary)
    if rng.random() < 0.1:
        name = rng.choice(list(state))
        others = (
            state[name].to(torch.complex64),
            state[name].half(),
            state[name].int(),
            torch.zeros(0),
            torch.zeros(()),
        )
        state[rng.choice((name, "other", "losses.mil.x", ""))] = rng.choice(others)
    text = mutations.as_json(header, rng).decode("utf-8", "replace")
    return save(state, {"vadkit": text, "sha256": model_file._digest(text, state)})


def _table(data: bytes, rng: random.Random) -> bytes:
    """Return a file whose table of tensors is another."""
    end = 8 + int.from_bytes(data[:8], "little")
    head = json.loads(data[8:end])
    if rng.random() < 0.7:
        changed = mutations.structure({name: entry for name, entry in head.items() if name[0] != "_"}, rng)
        text = mutations.as_json({**changed, **_meta(head, rng)} if isinstance(changed, dict) else changed, rng)
    else:
        text = mutations.some_bytes(data[8:end], rng)
    length = (
        len(text)
        if rng.random() < 0.9
        else rng.choice((0, 1, len(text) - 1, len(text) + 8, 1 << 27, 1 << 40, 2**64 - 1))
    )
    return length.to_bytes(8, "little") + text + data[end:]


def _meta(head: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    meta = head["__metadata__"]
    return {"__metadata__": meta if rng.random() < 0.8 else mutations.structure(meta, rng)}


def _loaded(path: Path) -> Callable[[], Any]:
    def load() -> None:
        model = vadkit.load(path)
        if sum(model.input_sizes.values()) < 10_000:
            model(**{name: torch.zeros(1, 3, size) for name, size in model.input_sizes.items()})

    return load
