"""Every restatement in benchmarks/restatements: the records of the original, and our graph with the same weights.

A file there is found by its name, and its constructor arguments are called as in the configs of the reference cases.
Dropout is off. Whatever a restatement draws from torch is zero, or what the case recorded for a draw of that shape.

Legend: b bags, t snippets, c channels.
"""

from __future__ import annotations

import importlib
import json
import math
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from torch import Tensor, nn

import vadkit
from vadkit.bench.timing import Load, random_batch
from vadkit.graph.module import VadModel

ROOT = Path(__file__).parents[2]
FOLDER, REFERENCE = ROOT / "benchmarks" / "restatements", ROOT / "tests" / "reference"
sys.path += [str(FOLDER), str(REFERENCE)]

from cases import Case, load_case  # noqa: E402
from compare import Difference, compare, difference  # noqa: E402
from names import Names  # noqa: E402
from systems import RUNNERS  # noqa: E402
from systems.harness import gradients, no_dropout  # noqa: E402

MODES = {"eval", "train"}  # of the cases that are run
TOTALS = {"total", "total_loss", "loss_total", "loss"}  # what records call the loss that is differentiated
SETS = {"sh": "sht"}
SLOPES = 0.02  # of a gradient's norm: one ReLU whose input rounds to the other side of 0 is worth 1 %
ROUNDING = 1e-4  # of the largest: a small gradient may be the sum of large ones that cancel, as that of gamma
# What the configs of cases do not say: rows as they were drawn, on labels, of length 1.
GIVEN = {
    "sultani-train-b3-t32": {"unit": False},
    "lstc-stn-round2": {"labels": True},
    "lstc-ltn-video-ucf": {"unit": True},
}
SMALL = {"lstc"}  # systems whose records are of small networks
UNRECORDED = {"PlainUmil"}  # its original has weights and a backbone that could not be run
APART = {"macil_sd_full": ["loss_v"]}  # losses of another optimizer, which records leave out of the total
# As large as a training case of the same network: VADKIT_THOROUGH=1 runs them, too.
SLOW = {"rtfm-eval-video-t200", "rtfm-evalloss-b2-t32", "mgfn-eval-video-t200", "msbt-eval", "mavd-eval"}
LARGE = ("lstc_", "vadclip_", "rtfm_", "mgfn_", "msbt_")  # graphs that take long, and whose systems have records
THOROUGH = os.environ.get("VADKIT_THOROUGH", "0") not in ("", "0")
DRAWS = ("randn", "randn_like", "normal", "rand", "rand_like")


def restatements() -> dict[str, type]:
    """Return the class of each graph."""
    modules = [importlib.import_module(file.stem) for file in sorted(FOLDER.glob("vadkit_*.py"))]
    return {graph: found for module in modules for found in module.vadkit_restatements() for graph in found.graphs}


PLAIN = restatements()


def leaves(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from leaves(value)
        else:
            yield key, value


def arguments(graph: str, config: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the constructor arguments of a graph. A case's config, at any depth, goes over them."""
    values = dict(leaves(config or {}))
    lower = {name.lower(): value for name, value in values.items()} | values  # "L_MC" is l_mc, but "K" is not k
    return {name: lower.get(name, own) for name, own in PLAIN[graph].graphs[graph].items()}


def shapes(graph: str, config: Mapping[str, Any] | None = None) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        state = PLAIN[graph](**arguments(graph, config)).state_dict()
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


def cases() -> dict[str, str]:
    """Return the graph of each committed case whose weights are those of a restatement."""
    known = {graph: shapes(graph) for graph in PLAIN}
    found = {}
    for path in sorted((REFERENCE / "cases").glob("*.json")):
        case = json.loads(path.read_text(encoding="utf-8"))
        state = {name: tuple(shape) for name, shape in case["state"].get("shapes", {}).items()}
        graphs = [graph for graph, own in known.items() if own == state]
        if not graphs and case["system"] in SMALL:
            own = [graph for graph in PLAIN if graph.startswith(case["system"])]
            graphs = [graph for graph in own if shapes(graph, case["config"]) == state]
        if graphs and case["config"].get("mode") in MODES and (THOROUGH or path.stem not in SLOW):
            dataset = str(case["config"].get("dataset", "")).lower()
            fit = [graph for graph in graphs if f"_{SETS.get(dataset, dataset)}" in graph]
            found[path.stem] = (fit or graphs)[0]
    return found


CASES = cases()


def plain_of(graph: str, config: Mapping[str, Any] | None = None) -> vadkit.Restatement:
    """Return a restatement without dropout."""
    plain = PLAIN[graph](**arguments(graph, config))
    no_dropout(plain)
    return plain


@contextmanager
def drawing(recorded: list[Tensor]) -> Iterator[None]:
    """Let torch draw zeros, or the next recorded array of the shape that is asked for."""

    def take(shape: Any) -> Tensor | None:
        for place, array in enumerate(recorded):
            if array.numel() == math.prod(shape):
                return recorded.pop(place).reshape(shape)
        return None

    def draw(*args: Any, size: Any = None, **_: Any) -> Tensor:
        like = next((a for a in args if isinstance(a, Tensor)), None)
        shape = size if size is not None else args[-1] if isinstance(args[-1], tuple | list) else args
        shape = tuple(like.shape) if like is not None else tuple(shape)
        found = take(shape)
        return torch.zeros(shape, dtype=None if like is None else like.dtype) if found is None else found

    def drop(x: Tensor, p: float = 0.5, *_: Any, **__: Any) -> Tensor:
        assert p == 0, "dropout is off here"
        mask = take(x.shape) if bool((x == 1).all()) else None  # a dropout of ones is a mask that some cases record
        return x if mask is None else mask

    with pytest.MonkeyPatch.context() as patch:
        for name in DRAWS:
            patch.setattr(torch, name, draw)
        patch.setattr(nn.functional, "dropout", drop)
        yield


def given_draws(case: Case) -> list[Tensor]:
    """Return copies of the inputs of a case that its model draws."""
    drawn = [name for name in case.inputs if "noise" in name or "mask" in name]
    return [torch.from_numpy(np.array(case.inputs[name])) for name in drawn]


def table_of(graph: str) -> Names:
    for card in sorted((ROOT / "registry_configs" / "systems").glob("*.yaml")):
        about = yaml.safe_load(card.read_text(encoding="utf-8"))
        if graph in about.get("graphs", {}):
            return Names(about.get("names", card.stem))
    raise KeyError(graph)


def same_weights(plain: nn.Module, model: VadModel, names: Names) -> dict[str, str]:
    """Copy the model's weights into the restatement; return our name of each official one. None may be left over."""
    own, state, ours = model.state_dict(), plain.state_dict(), {}
    for official in state:
        name = names(official)
        if name in own:
            tensor = own[name].t() if names.transposed(official) else own[name]
            state[official] = tensor.reshape(state[official].shape).clone()
            ours[official] = name
    plain.load_state_dict(state)
    left = {name for name in own if not name.endswith("num_batches_tracked")} - set(ours.values())
    assert not left, f"no official name gives {', '.join(sorted(left))}"
    return ours


@pytest.mark.parametrize("graph", [graph for graph in PLAIN if THOROUGH or not graph.startswith(LARGE)])
def test_a_restatement_gives_the_numbers_of_the_graph(graph: str) -> None:
    torch.manual_seed(0)
    model, plain, names = vadkit.build(graph), plain_of(graph), table_of(graph)
    for weight in model.parameters():  # a last norm with gains of 1 makes all magnitudes alike, and a tie is chosen
        weight.data += 0.1 * torch.randn_like(weight) * (weight.dim() == 1)
    ours = same_weights(plain, model, names)
    no_dropout(model)
    for module in model.modules():
        if hasattr(module, "eval_noise"):
            module.eval_noise = "off"  # the authors draw in evaluation too
    batch = random_batch(model, Load(bags=4, snippets=32), torch.device("cpu"))
    with drawing([]):
        with torch.no_grad():
            streams = {name: batch[name] for name in model.input_sizes}
            torch.testing.assert_close(plain.eval()(**streams), model.eval()(**streams), rtol=1e-4, atol=1e-5)
        found, wanted = plain.train().loss(batch), model.train().loss(batch)["total"]
    torch.testing.assert_close(found, wanted, rtol=2e-5, atol=1e-6)
    found.backward()
    wanted.backward()
    weights = dict(model.named_parameters())
    largest = max(float(w.grad.norm()) for w in weights.values() if w.grad is not None)
    for official, weight in plain.named_parameters():
        if official in ours and weights[ours[official]].grad is not None:
            slope = weights[ours[official]].grad
            slope = (slope.t() if names.transposed(official) else slope).reshape(weight.shape)
            assert weight.grad is not None, official
            assert (weight.grad - slope).norm() <= SLOPES * slope.norm() + ROUNDING * largest, official


class Enough(Exception):
    """Ends the run of a training case as soon as its batch is known: our own loss is no part of this test."""

    def __init__(self, batch: Mapping[str, Any]) -> None:
        super().__init__()
        self.batch = {name: x.detach() if isinstance(x, Tensor) else x for name, x in batch.items()}


@pytest.mark.parametrize("name", CASES)
def test_a_restatement_gives_what_the_original_gave(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    case = load_case(REFERENCE / "cases" / f"{name}.json")
    plain = plain_of(CASES[name], {**case.config, **case.given, **GIVEN.get(name, {})})
    plain.load_state_dict({official: torch.from_numpy(np.array(value)) for official, value in case.state.items()})
    draws, score = given_draws(case), VadModel.forward

    def scores_of_plain(model: VadModel, *streams: Tensor, mask: Any = None, crops: Any = None, **named: Any) -> Tensor:
        score(model, *streams, mask=mask, crops=crops, **named)
        with drawing(draws):
            return plain.eval()(**dict(zip(model.input_sizes, streams)), **named)

    def stop(model: VadModel, batch: Mapping[str, Any]) -> None:
        raise Enough(batch)

    monkeypatch.setattr(VadModel, "forward", scores_of_plain)
    monkeypatch.setattr(VadModel, "loss", stop)
    try:
        differences = compare(case, RUNNERS[case.system](case))
    except Enough as training:
        with drawing(draws):
            total = plain.train(case.config["mode"] == "train").loss(training.batch)
        differences = _slopes(case, plain, total)
    wrong = [str(d) for d in differences if not d.equal]
    assert not wrong, "\n".join(wrong)


def _slopes(case: Case, plain: nn.Module, total: Tensor) -> list[Difference]:
    """Return how far the total and its gradients are from the record."""
    total.backward()
    found = gradients(case, {n: w.grad for n, w in plain.named_parameters()}) if "grad_names" in case.given else {}
    apart = sum(case.outputs[name].value for name in APART.get(case.system, []))
    found |= {name: total.detach().numpy() - apart for name in TOTALS & set(case.outputs)}
    assert TOTALS & set(found), f"no total among {', '.join(case.outputs)}"
    return [difference(name, case.outputs[name], value) for name, value in found.items() if name in case.outputs]


def test_each_restatement_is_held_to_a_record() -> None:
    without = {restatement.__name__ for restatement in PLAIN.values()} - {PLAIN[g].__name__ for g in CASES.values()}
    assert without == UNRECORDED, "no case has their weights"
