"""Any graph, small, as ``benchmarks/narrow.py`` makes it; the streams and whatever else it takes are written.

Columns of a file of class vectors are divided by the same number as all widths.

Legend: v videos, b v * crops, t snippets.
"""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from narrow import narrowed, parts
from tiny_store import write_tiny_store
from torch import Tensor

import vadkit
from vadkit.batch_ports import BATCH_PORTS, Drawing
from vadkit.bench.timing import batch_shapes
from vadkit.graph.load import load_config
from vadkit.graph.module import VadModel
from vadkit.plugin_manager import own_configs

FACTOR = 8


@cache
def published(graph: str) -> dict[str, Any]:
    """Return the config of a graph that comes with vadkit."""
    return load_config(graph, (), [own_configs()]).data


def small(graph: str) -> dict[str, Any]:
    """Return the config of a graph with narrow nodes, losses and inputs."""
    return narrowed(published(graph), FACTOR)


@cache
def model(graph: str) -> VadModel:
    """Return the small model of a graph. It is shared: change no weight."""
    return vadkit.build(small_network(graph), seed=0)


def small_network(graph: str) -> dict[str, Any]:
    """Return of the small config what a network is built from, and no features, sampler or training."""
    config = small(graph)
    kept = {key: config[key] for key in ("inputs", "nodes", "losses", "output") if key in config}
    data = {key: value for key, value in (config.get("data") or {}).items() if key in ("prompts", "classes", "clicks")}
    return {**kept, "data": data}


def structure(graph: str) -> str:
    """Return what tells apart graphs that differ in more than numbers: components, wires and kinds of arguments."""
    config = published(graph)

    def plain(entry: Mapping[str, Any]) -> Any:
        kept = {key: value for key, value in (entry.get("args") or {}).items() if isinstance(value, str | bool)}
        return [entry.get(key) for key in ("use", "in", "from", "share", "when")] + [kept]

    nodes = {
        name: plain(entry) for section in ("nodes", "losses") for name, entry in (config.get(section) or {}).items()
    }
    return json.dumps(nodes, sort_keys=True)


def different(graphs: Sequence[str], of: Callable[[str], str] = structure) -> list[str]:
    """Return the first graph of each structure."""
    found: dict[str, str] = {}
    for graph in graphs:
        found.setdefault(of(graph), graph)
    return list(found.values())


def turns(name: str) -> str:
    """Return what tells apart recipes that differ in more than numbers: rounds, labellers, structures of graphs."""
    rounds = published(name)["rounds"].values()
    return json.dumps([[each.get("start"), each.get("targets"), structure(each["train"])] for each in rounds])


def largest() -> list[str]:
    """Return of each system the graph with the most inputs, nodes and losses, the first of several."""
    folders = sorted(path for path in (own_configs() / "graphs").iterdir() if path.is_dir())
    return [max(sorted(path.stem for path in folder.glob("*.yaml")), key=parts) for folder in folders]


# -- training on features --------------------------------------------------------------------------
def for_training(graph: str, folder: Path, store: Path | None = None) -> dict[str, Any]:
    """Return the small config with features in ``folder``, two epochs, and its own evaluation.

    The features are made up, or those of a ``store``; either are as wide as the inputs of the small graph.
    """
    config, built = small(graph), model(graph)
    data, train = config.setdefault("data", {}), config.setdefault("train", {})
    data.pop("streams", None)
    if store is None:
        sizes = dict(built.training_sizes)
        crops = (config.get("eval") or {}).get("crops")
        crops = 1 + max(1, crops if isinstance(crops, int) else 1)
        own = write_tiny_store(folder / "store", train=2, test=2, dims=sizes, crops=dict.fromkeys(sizes, crops))
    else:
        own = _as_wide(store, built.training_sizes, folder / "store")
    if data.get("classes"):
        _rename_classes(own, data["classes"])
    data["args"] = {"root": str(own)}
    data["batch"] = 2
    if data.get("prompts"):
        vectors = _prompts(data["prompts"])
        np.save(folder / "prompts.npy", vectors)
        data["prompts"] = str(folder / "prompts.npy")
        if not data.get("classes"):
            known = _head(own)["classes"]
            _rename_classes(own, [*known, *(f"class {n}" for n in range(len(known), len(vectors)))][: len(vectors)])
    if any(name == "targets" for _, name, _ in built.plan.empty(config)):
        data["targets"] = str(_targets(own, folder))
    if data.get("clicks"):
        _click(own)
    train |= {"epochs": 2, "steps": None, "warm_start": None, "select": "last", "seed": 0}
    config["train"] = {key: value for key, value in train.items() if value is not None}
    return config


def _click(store: Path) -> None:
    """Give each abnormal training video a click in its first interval, or in its first frame."""
    videos = json.loads((store / "videos.json").read_text())
    for video in videos:
        if video["label"] == 1 and video["split"] == "train" and not video.get("clicks"):
            video["clicks"] = [(video.get("spans") or [[0]])[0][0]]
    (store / "videos.json").write_text(json.dumps(videos))


def recipe(name: str, folder: Path, store: Path | None = None) -> Path:
    """Write a recipe of small graphs, all on the features of the first; return its file. No round is taken thrice."""
    data = copy.deepcopy(published(name))
    configs: dict[str, dict[str, Any]] = {}
    for each in data["rounds"].values():
        graph = each["train"]
        if graph not in configs:
            configs[graph] = for_training(graph, folder / graph, store)
            first = next(iter(configs.values()))["data"]
            configs[graph]["data"] |= {"args": first["args"], "targets": None}
            configs[graph]["train"]["accumulate"] = 1
            (folder / f"small_{graph}.yaml").write_text(yaml.safe_dump(configs[graph], sort_keys=False))
        each |= {"train": f"small_{graph}", "times": min(each.get("times", 1), 2)}
    (folder / "small_recipe.yaml").write_text(yaml.safe_dump(data, sort_keys=False))
    return folder / "small_recipe.yaml"


def _as_wide(store: Path, sizes: Mapping[str, int], folder: Path) -> Path:
    """Write a store whose streams are the inputs, of their widths: columns are cut, or repeated.

    An input gets the features of the stream of its name, or of the first one.
    """
    head = _head(store)
    streams = {name: name if name in head["streams"] else next(iter(head["streams"])) for name in sizes}
    for name, size in sizes.items():
        (folder / name).mkdir(parents=True)
        for path in (store / streams[name]).glob("*.npy"):
            x = np.load(path)
            np.save(folder / name / path.name, x[..., np.arange(size) % x.shape[-1]])
    dims = {name: {"dim": size} for name, size in sizes.items()}
    (folder / "store.json").write_text(json.dumps({**head, "streams": dims}))
    shutil.copy(store / "videos.json", folder)
    return folder


def _head(store: Path) -> dict[str, Any]:
    head: dict[str, Any] = json.loads((store / "store.json").read_text())
    return head


def test_videos(config: Mapping[str, Any]) -> set[str]:
    """Return the names of the test videos that a config's store has."""
    videos = json.loads((Path(config["data"]["args"]["root"]) / "videos.json").read_text())
    return {video["name"] for video in videos if video["split"] == "test"}


def _rename_classes(store: Path, classes: Sequence[str]) -> None:
    """Give the store the classes that a graph has columns for."""
    names = dict(zip(_head(store)["classes"], classes))
    head, videos = (json.loads((store / name).read_text()) for name in ("store.json", "videos.json"))
    for video in videos:
        video["classes"] = [names[name] for name in video["classes"]]
    (store / "store.json").write_text(json.dumps({**head, "classes": list(classes)}))
    (store / "videos.json").write_text(json.dumps(videos))


def _prompts(path: str) -> np.ndarray:
    """Return the class vectors in the width of a small graph."""
    found = np.load(path if Path(path).is_absolute() else own_configs() / "data" / Path(*Path(path).parts[-2:]))
    return found[:, : found.shape[1] // FACTOR].copy()


def _targets(store: Path, folder: Path) -> Path:
    """Write a file in which each snippet has the label of its video."""
    from safetensors.numpy import save_file

    first = next(iter(_head(store)["streams"]))
    videos = [video for video in json.loads((store / "videos.json").read_text()) if video["split"] == "train"]
    lengths = {video["name"]: np.load(store / first / f"{video['name']}.npy").shape[-2] for video in videos}
    rows = {v["name"]: np.full((lengths[v["name"]], 2), (v["label"], 1), np.float32) for v in videos}
    save_file(rows, folder / "targets.safetensors")
    return folder / "targets.safetensors"


# -- one batch -------------------------------------------------------------------------------------
def batch(built: VadModel, labels: Sequence[int], t: int, crops: int = 1) -> dict[str, Any]:
    """Return a training batch of drawn numbers for videos of these labels; the last has half of its snippets."""
    generator, v = torch.Generator().manual_seed(t), len(labels)
    truth = torch.tensor(labels, dtype=torch.float32)
    sizes = built.training_sizes
    found: dict[str, Any] = {n: torch.rand(v * crops, t, s, generator=generator) for n, s in sizes.items()}
    for name, shape in batch_shapes(built, {"b": v * crops, "v": v, "t": t}).items():
        found[name] = BATCH_PORTS[name].draw(Drawing(shape, truth, crops, generator))
    mask = torch.ones(v * crops, t, dtype=torch.bool)
    mask[-crops:, max(1, t // 2) :] = False
    return {**found, "mask": mask, "labels": truth, "crops": crops}


def streams(built: VadModel, given: Mapping[str, Any], rows: slice = slice(None)) -> dict[str, Tensor]:
    return {name: given[name][rows] for name in built.input_sizes}
