"""Damaged indexes of a store: store.json, videos.json, and the index of a packed stream."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tiny_store import write_tiny_store

import vadkit

from . import mutations
from .harness import command


class Stores:
    name = "stores"

    def prepare(self, folder: Path) -> None:
        write_tiny_store(folder / "store", train=2, test=2, dims={"rgb": 16, "audio": 4})
        head = json.loads((folder / "store" / "store.json").read_text())
        (folder / "store" / "store.json").write_text(json.dumps({**head, "sources": "(?P<film>.+?)__#"}))
        command("store", "pack", folder / "store", "--stream", "rgb")()
        nodes = {"score": {"use": "mlp_head", "in": "rgb", "args": {"hidden": [4]}}}
        graph = {"inputs": {"rgb": "b t 16"}, "nodes": nodes, "output": "score"}
        graph["losses"] = {"mil": {"use": "topk_mil", "in": "score"}}
        vadkit.build(graph, out=folder / "model.safetensors")
        (folder / "graph.yaml").write_text(json.dumps(graph))

    def mutate(self, folder: Path, canary: Path, rng: random.Random) -> list[Callable[[], Any]]:
        store = folder / "store"
        indexes = [store / "store.json", store / "videos.json", *sorted(store.glob("rgb-*.json"))]
        path = rng.choice(indexes)
        kind = rng.randrange(20)
        if kind == 0:
            mutations.other_kind(path, rng, canary)
        elif kind < 7:
            path.write_bytes(mutations.some_bytes(path.read_bytes(), rng))
        else:
            changed = mutations.structure(json.loads(path.read_text()), rng, canary)
            path.write_bytes(mutations.as_json(changed, rng))
        root = f"data.args.root={store}"
        usual = [
            command("store", "info", store),
            command("store", "info", store, "--json"),
            command("store", "check", store),
            command("store", "check", store, "--quick", "--json"),
            command("store", "diff", store, store),
            command("eval", "--model", folder / "model.safetensors", "--set", root),
            command("store", "pack", store),
            command("store", "pack", store, "--remove"),
        ]
        chosen = rng.sample(usual, 3)
        if rng.random() < 0.02:
            steps = ("train.steps=1", "train.epochs=null", root, "data.batch=1", "data.workers=0")
            words = [word for step in steps for word in ("--set", step)]
            chosen.append(command("train", folder / "graph.yaml", "--out", folder / "run", *words))
        return chosen
