"""CMA-LA at other lengths, sizes and batches, against a second, slow formula."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import plain
import pytest
import systems
import torch
import variants as v
from cases import Case, load_case
from compare import compare, difference
from torch import Tensor
from torch.nn import functional as F


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def scores(w: Mapping[str, Tensor], config: Mapping[str, Any], x: Tensor) -> dict[str, Tensor]:
    """The network in loops over snippets, official names; x is (b, t, visual + audio)."""
    visual, audio, t = x[..., : config["visual"]], x[..., config["visual"] :], x.shape[1]
    c = "cross_attention."
    q = plain.linear(w, c + "cross_attention.q", audio)
    k, value = (plain.linear(w, f"{c}cross_attention.{n}", visual) for n in "kv")
    apart = torch.tensor([[float(i - j) ** 2 for j in range(t)] for i in range(t)], dtype=torch.float64)
    r = {"adj": (-(w["dis_adj.w"] * apart + w["dis_adj.bias"]).abs()).exp()}
    r["attention"] = (q @ k.transpose(1, 2) / math.sqrt(config["hid_dim"]) + r["adj"]).softmax(-1)
    r["cross"] = plain.linear(w, c + "cross_attention.o", r["attention"] @ value)
    r["normed"] = plain.norm(w, c + "norm", visual + r["cross"])
    fused = plain.linear(w, c + "ffn.3", F.gelu(plain.linear(w, c + "ffn.0", r["normed"])))
    r["fused"] = fused.transpose(1, 2)
    logits = plain.convolve(w, "classifier", fused, config["kernel"] - 1)
    return {**r, "scores": torch.sigmoid(logits)[..., 0]}


def eval_record(case: Case) -> Case:
    with torch.no_grad():
        r = scores(v.weights(case), case.config, v.drawn(case, "features"))
    return v.with_record(case, {**r, "score": r["scores"].mean(0)})


def train_record(case: Case) -> Case:
    w, given = v.weights(case), case.given
    r = scores(w, case.config, v.drawn(case, "features")[:, : max(given["lengths"])])
    terms = []
    for row, label, n in zip(r["scores"], given["labels"], given["lengths"]):
        p = torch.sigmoid(plain.top(row[:n], n // 16 + 1))
        terms.append(-(p if label else 1 - p).log())
    loss = plain.mean(terms)
    slopes = v.gradients(case, w, loss)
    exact_zero = [case.given["grad_names"].index(n) for n in given["zero_gradient"]]
    for values in slopes.values():
        values[exact_zero] = float("nan")
    return v.with_record(case, {"scores": r["scores"], "loss": loss, **slopes})


def check(case: Case) -> None:
    wrong = [str(d) for d in compare(case, systems.run(case)) if not d.equal]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(("name", "record"), [("cma-la-eval", eval_record), ("cma-la-train", train_record)])
def test_the_second_formula_meets_the_records(name: str, record: Any) -> None:
    case = load_case(v.CASES / f"{name}.json")
    found = [difference(n, case.outputs[n], o.value) for n, o in record(case).outputs.items()]
    assert len(found) >= 4 and not [str(d) for d in found if not d.equal]


def narrow(raw: dict[str, Any]) -> None:
    """Give the model other widths: 24 + 10 channels, 6 hidden ones, 12 in the feed-forward part, kernel 3."""
    raw["config"] |= {"feature_size": 34, "visual": 24, "audio": 10, "hid_dim": 6, "d_ff": 12, "kernel": 3}
    sizes = {1024: 24, 512: 12}
    shapes = raw["state"]["shapes"]
    for name, shape in shapes.items():
        shapes[name] = [sizes.get(n, n) for n in shape]
    for name in "qkvo":
        wide = {"q": [6, 10], "k": [6, 24], "v": [6, 24], "o": [24, 6]}[name]
        shapes[f"cross_attention.cross_attention.{name}.weight"] = wide
        shapes[f"cross_attention.cross_attention.{name}.bias"] = wide[:1]
    shapes["classifier.weight"] = [1, 128, 3]
    for entry in raw["inputs"].values():
        entry["draw"][-1] = 34


@pytest.mark.parametrize("t", [1, 2, 5, 1200])
def test_scores_videos_of_any_length(t: int, tmp_path: Path) -> None:
    def edit(raw: dict[str, Any]) -> None:
        narrow(raw)
        v.length(raw, t, 2)

    check(eval_record(v.edited("cma-la-eval", edit, tmp_path)))


@pytest.mark.parametrize(
    ("lengths", "labels"), [([1, 40], [1.0, 0.0]), ([31, 16, 33], [0.0, 0.0, 0.0]), ([48, 2, 47], [1.0, 1.0, 1.0])]
)
def test_trains_on_any_batch(lengths: list[int], labels: list[float], tmp_path: Path) -> None:
    def edit(raw: dict[str, Any]) -> None:
        narrow(raw)
        v.lengths(raw, lengths)
        raw["given"]["labels"] = labels

    check(train_record(v.edited("cma-la-train", edit, tmp_path)))
