"""PEL4VAD in all its settings: scores, training, test protocol, reading of lists."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import published_lists as published
import torch
from cases import Case
from names import TABLES, Names
from torch import Tensor

from systems import functions, protocol
from systems.errors import NotSupported
from systems.graphs import Graph, backward, graph, smooth, steps, training_batch
from systems.harness import component, listen, no_dropout, numpy, swap, tensor, watch

PUBLISHED = TABLES.parent / "data" / "pel4vad"
SETS = {"xd": "xd_violence", "ucf": "ucf_crime", "sh": "shanghaitech", "sht": "shanghaitech"}
COLUMNS = {"loss_cls": "mil", "loss_kd": "prompt", "total_loss": "total"}
KAPPA = {"fixed": 8, "slide": 7}  # of infer_func, where the config says nothing of that mode


def run(case: Case) -> dict[str, Any]:
    mode = case.config["mode"]
    runners = {"eval": _eval, "train": _train, "train-steps": _steps, "protocol": _protocol, "data": _data}
    if mode not in runners:
        raise NotSupported(f"a pel4vad case of mode {mode}")
    return runners[mode](case)


def build(case: Case) -> Graph:
    """Return the model with every value of the case's config set."""
    config = case.config
    base = {"xd_violence": "xd", "ucf_crime": "ucf", "shanghaitech": "sht"}[SETS[config["dataset"]]]
    context = {
        "hidden": config["hid_dim"],
        "window": config["win_size"],
        "gamma": config["gamma"],
        "beta": config["bias"],
        "power_norm": "time" if config["norm"] else "off",
    }
    nodes = {
        "context": {"args": context},
        "reduced": {"args": {"dim": config["out_dim"]}},
        "score": {"args": {"kernel": config["t_step"]}},
    }
    prompt = {"weight": float(config["lamda"]), "args": {"temperature": config["temp"]}}
    changes = {"inputs": {"rgb": f"b t {config['feat_dim']}"}, "nodes": nodes, "losses": {"prompt": prompt}}
    return graph(case, f"pel4vad_{base}", changes, Names("pel4vad"))


def scores(g: Graph, x: np.ndarray) -> Tensor:
    with torch.no_grad():
        result: Tensor = g.model(rgb=tensor(x))
    return result


def _eval(case: Case) -> dict[str, Any]:
    g = build(case)
    g.model.eval()
    with watch(**g.parts, tca=g.parts["context"].out) as seen:
        logits = scores(g, case.inputs["features"])
    mean = numpy(logits.mean(0))
    smoothed = {f"score_{mode}": smooth(mean, mode, _kappa(case, mode)) for mode in KAPPA}
    return {"logits": numpy(logits)[..., None], "score": mean, **smoothed, **_taps(g, seen)}


def _kappa(case: Case, mode: str) -> int:
    own = case.config["kappa"] if case.config["smooth"] == mode else KAPPA[mode]
    return int(case.config.get(f"kappa_{mode}", own))


def _taps(g: Graph, seen: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "tca": numpy(seen["tca"]),
        "normed": numpy(seen["normed"]),
        "dpe": numpy(g.parts["context"].position_encoding(seen["tca"])),
        "x_v": swap(seen["hidden"]),
        "x_e": swap(seen["reduced"]),
    }


def _batch(g: Graph, x: np.ndarray) -> dict[str, Any]:
    given = g.case.given
    batch = training_batch(g.model, {"rgb": x}, given)
    batch["classes"] = functions.first_classes(given["classes"])
    return {**batch, "prompts": tensor(g.case.inputs["prompt_rows"])}


def _train(case: Case) -> dict[str, Any]:
    g = build(case)
    no_dropout(g.model)
    g.model.train()
    prompt = g.model.losses["prompt"]
    aligned, diverged = listen(prompt, "logits"), listen(prompt, "divergence")
    with watch(**g.parts, tca=g.parts["context"].out) as seen:
        parts = g.model.loss(_batch(g, case.inputs["features"]))
    results = {official: numpy(parts[ours]) for official, ours in COLUMNS.items()}
    results["logits"] = numpy(torch.sigmoid(seen["score"]))[..., None]
    results |= _taps(g, seen) | functions.alignment(aligned[0], diverged[0])
    return {**results, **backward(g, parts["total"])}


def _steps(case: Case) -> dict[str, Any]:
    g = build(case)
    results = steps(g, lambda step: _batch(g, case.inputs[f"step{step}"]), COLUMNS)
    return {**results, "probe_logits": numpy(scores(g, case.inputs["probe"]))[..., None]}


def _protocol(case: Case) -> dict[str, Any]:
    g = build(case)
    g.model.eval()
    raw = [numpy(scores(g, case.inputs[f"video{i}"]).mean(0)) for i in range(len(case.given["snippets"]))]
    finished = {"none": raw} | {mode: [smooth(s, mode, _kappa(case, mode)) for s in raw] for mode in KAPPA}
    results: dict[str, Any] = {"score": np.concatenate(raw)}
    for mode, of_mode in finished.items():
        results[f"{mode}_score"] = np.concatenate(of_mode)
        results |= {f"{mode}_{name}": value for name, value in protocol.figures(case, of_mode).items()}
    selection = "ap" if case.config["dataset"] == "xd" else "auc"
    return {**results, "metric": results[f"none_{selection}"], "far": results["none_far"]}


# -- lists and files -----------------------------------------------------------------------------
def _data(case: Case) -> dict[str, Any]:
    dataset, wanted = SETS[case.config["dataset"]], case.config["max_seqlen"]
    table = np.load(PUBLISHED / f"{dataset}.npy")
    entries = [_entry(line, dataset, case) for line in case.given["lines"]]
    classes = [entry.class_indices(dataset) for entry in entries]
    _same("labels", [float(entry.label) for entry in entries], case.given["labels"])
    _same("classes", [c[0] for c in classes], [c[0] if isinstance(c, list) else c for c in case.given["classes"]])
    results: dict[str, Any] = {"extract": _rows(case, wanted)}
    for index, own in enumerate(classes):
        video = _file(case, index)
        own = own if dataset == "shanghaitech" else own[:1]
        brought, _ = component("uniform_pad")(length=wanted).sample({"x": video}, np.random.default_rng(0))
        results[f"train/{index}"] = brought["x"]
        results[f"test/{index}"] = video
        results[f"prompt/{index}"] = _columns(case, index, published.prompt_rows(table, own, dataset == "ucf_crime"))
    return results


def _entry(line: str, dataset: str, case: Case) -> published.Entry:
    if dataset != "shanghaitech":
        return published.PARSERS[dataset](line)
    classes: dict[str, tuple[str, ...]] = published.read_classes(PUBLISHED / "shanghaitech_classes.txt")
    return published.shanghaitech(line, classes | _told_classes(case.given))


def _told_classes(given: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return classes of videos that the case brings itself, as a mapping or as lines "video class,class"."""
    classes: dict[str, tuple[str, ...]] = {}
    for value in given.values():
        lines = list(value.items()) if isinstance(value, dict) else value if isinstance(value, list) else []
        pairs = [line.split() if isinstance(line, str) else line for line in lines]
        for pair in pairs:
            words = _words(pair[1]) if isinstance(pair, list | tuple) and len(pair) == 2 else ()
            if words and set(words) <= set(published.CLASSES["shanghaitech"]):
                classes[pair[0]] = words
    return classes


def _words(classes: Any) -> tuple[str, ...]:
    if isinstance(classes, str):
        return tuple(classes.split(","))
    return tuple(classes) if isinstance(classes, list) and all(isinstance(w, str) for w in classes) else ()


def _file(case: Case, index: int) -> np.ndarray:
    """Return the (t, c) features of a line: inputs are named by their lines, or by the files in them."""
    line = case.given["lines"][index]
    found = [name for name in (line, line.split()[0], Path(line.split()[0]).name) if name in case.inputs]
    name = found[0] if found else list(case.inputs)[index]
    return case.inputs[name][0]


def _columns(case: Case, index: int, rows: np.ndarray) -> np.ndarray:
    output = case.outputs.get(f"prompt/{index}")
    return rows if output is None else rows[:, : output.value.shape[-1]]


def _rows(case: Case, wanted: int) -> np.ndarray:
    from vadkit_uniform_pad import even_rows

    lengths = [len(_file(case, index)) for index in range(len(case.given["lines"]))]
    return np.array([even_rows(n, wanted) if n > wanted else np.full(wanted, -1) for n in lengths])


def _same(what: str, found: list[Any], wanted: list[Any]) -> None:
    assert found == wanted, f"{what} are {found}, not {wanted}"
