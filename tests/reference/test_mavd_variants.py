"""MAVD at other lengths, sizes and batches, against a second, slow formula."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
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

Weights = Mapping[str, Tensor]
STREAMS = {"v": "rgb", "a": "audio", "f": "flow"}


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def head(w: Weights, net: str, x: Tensor) -> Tensor:
    hidden = plain.linear(w, f"{net}.mil.regressor.0", x).relu()
    hidden = plain.linear(w, f"{net}.mil.regressor.3", hidden)
    return torch.sigmoid(plain.linear(w, f"{net}.mil.regressor.5", hidden))[..., 0]


def own(w: Weights, net: str, x: Tensor) -> Tensor:
    """The features of one stream's network."""
    x = plain.convolve(w, f"{net}.embedding.conv_1.0", x, 1).relu()
    return plain.transformer(w, f"{net}.selfatt.layers.", x, x.shape[-1] // 2)


def project(w: Weights, net: str, x: Tensor) -> Tensor:
    for n in (0, 3, 6):
        x = plain.linear(w, f"{net}.regressor.{n}", x).relu()
    return x


def tcn(w: Weights, x: Tensor) -> Tensor:
    """Blocks of two causal convolutions, snippet by snippet."""
    block = 0
    while f"vaf_net.tcn.tcn.network.{block}.conv1.bias" in w:
        hidden = x
        for n in (1, 2):
            p = f"vaf_net.tcn.tcn.network.{block}.conv{n}."
            direction = w[p + "weight_v"]
            weight = w[p + "weight_g"] * direction / (direction**2).sum((1, 2), keepdim=True).sqrt()
            rows = []
            for t in range(x.shape[1]):
                before = t - 2**block
                row = hidden[:, t] @ weight[:, :, 1].T + w[p + "bias"]
                rows.append(row + hidden[:, before] @ weight[:, :, 0].T if before >= 0 else row)
            hidden = torch.stack(rows, 1).relu()
        x, block = (hidden + x).relu(), block + 1
    return x


def network(w: Weights, x: Mapping[str, Tensor]) -> dict[str, Tensor]:
    r = {f"{letter}_satt": own(w, f"{letter}_net", x[stream]) for letter, stream in STREAMS.items()}
    r |= {f"{letter}_output": head(w, f"{letter}_net", r[f"{letter}_satt"]) for letter in STREAMS}
    for letter in "af":
        r[f"{letter}_aligned"] = project(w, f"v{letter}_net", r[f"{letter}_satt"].detach())
        r[f"{letter}_aligned_output"] = head(w, f"{letter}_net", r[f"{letter}_aligned"])
    joined = torch.cat([r["v_satt"].detach(), r["a_aligned"], r["f_aligned"]], -1)
    joined = plain.linear(w, "vaf_net.embedding.0", joined).relu()
    r["fused"] = tcn(w, plain.linear(w, "vaf_net.embedding.3", joined).relu())
    r["output"] = head(w, "vaf_net", r["fused"])
    return r


def eval_record(case: Case) -> Case:
    with torch.no_grad():
        r = network(v.weights(case), {stream: v.drawn(case, stream) for stream in STREAMS.values()})
    r = {name: value for name, value in r.items() if not name.endswith("aligned_output")}
    return v.with_record(case, {**r, "score": r["output"].mean(0)})


def spread(narrow: Tensor, wide: Tensor) -> tuple[Tensor, list[int]]:
    """Channels of narrow at those of wide as the authors gather them, and 1 + the channel at each place."""
    flat, other = (x.detach().reshape(-1, x.shape[-1]) for x in (narrow, wide))
    alike = torch.stack([torch.stack([a @ b / (a.norm() * b.norm()) for b in other.T]) for a in flat.T]).float()
    order: list[int] = []
    for row in alike.nan_to_num(0.0).topk(len(alike[0]), dim=1).indices.tolist():  # ties as torch breaks them
        order.append(next(place for place in row if place not in order))
    order += [place for place in range(wide.shape[-1]) if place not in order]
    columns = [narrow[..., o] if o < narrow.shape[-1] else torch.zeros_like(wide[..., 0]) for o in order]
    return torch.stack(columns, -1), [o + 1 if o < narrow.shape[-1] else 0 for o in order]


def apart(a: Tensor, b: Tensor) -> Tensor:
    """Sum over bags of the mean over snippets of 1 - cosine, over the number of bags."""
    return plain.mean([1 - x @ y / (x.norm() * y.norm()).clamp_min(1e-8) for p, q in zip(a, b) for x, y in zip(p, q)])


def entropy(q: Tensor, p: Tensor) -> Tensor:
    q, p = q.clamp(1e-6, 1 - 1e-6), p.clamp(1e-6, 1 - 1e-6)
    return -(p * q.log() + (1 - p) * (1 - q).log()).mean()


def triplet(x: Tensor, scores: Tensor, labels: list[float], lengths: list[int], margin: float) -> Tensor:
    if len(set(labels)) == 1:
        return torch.zeros((), dtype=x.dtype)
    normal, calm, strange = [], [], []
    for bag, row, label, n in zip(x, scores, labels, lengths):
        order, k = row[:n].argsort(), n // 16 + 1
        if label:
            calm.append(bag[order[:k]].mean(0))
            strange.append(bag[order[-k:]].mean(0))
        else:
            normal.append(bag[:n].mean(0))
    anchor, positive, negative = (plain.mean_rows(x) / plain.mean_rows(x).norm() for x in (normal, calm, strange))
    return (plain.apart(anchor, positive) - plain.apart(anchor, negative) + margin).relu()


def train_record(case: Case) -> Case:
    w, given, weights = v.weights(case), case.given, case.config["lambda"]
    labels, lengths = given["labels"], given["lengths"]
    x = {stream: v.drawn(case, stream)[:, : max(lengths)] for stream in STREAMS.values()}
    n = network(w, x)

    def mil(scores: Tensor) -> Tensor:
        return plain.mil(scores, labels, lengths, normal_ratio=True)

    real = torch.tensor([[float(t < length) for t in range(max(lengths))] for length in lengths])
    main = n["v_satt"].detach()
    wide_a, sources_a = spread(n["a_aligned"], main)
    wide_f, sources_f = spread(n["f_aligned"], main)
    scores = [n["v_output"].detach() * real, n["a_aligned_output"] * real, n["f_aligned_output"] * real]
    r: dict[str, Any] = {
        "U_MIL_loss": mil(n["v_output"]) + mil(n["a_output"]) + mil(n["f_output"]),
        "M_MIL_loss": mil(n["output"]),
        "Triplet_loss": triplet(n["fused"], n["output"].detach(), labels, lengths, case.config["triplet_margin"]),
        "padded_audio": wide_a,
        "padded_flow": wide_f,
        "column_source_audio": torch.tensor(sources_a),
        "column_source_flow": torch.tensor(sources_f),
    }
    ma = sum(apart(a, b) for a, b in combinations([main, wide_a, wide_f], 2))
    ma = ma + sum(entropy(q, p) for q, p in combinations(scores, 2))
    r["MA_loss"] = ma + 0.01 * (mil(n["a_aligned_output"]) + mil(n["f_aligned_output"]))
    r["disl_total"] = weights[0] * r["MA_loss"] + weights[1] * r["M_MIL_loss"] + weights[2] * r["Triplet_loss"]
    r["total"] = r["U_MIL_loss"] + r["disl_total"]
    return v.with_record(case, {**r, **v.gradients(case, w, r["total"])})


def check(case: Case) -> None:
    wrong = [str(d) for d in compare(case, systems.run(case)) if not d.equal]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(("name", "record"), [("mavd-eval", eval_record), ("mavd-train", train_record)])
def test_the_second_formula_meets_the_records(name: str, record: Any) -> None:
    case = load_case(v.CASES / f"{name}.json")
    found = [difference(n, case.outputs[n], o.value) for n, o in record(case).outputs.items()]
    assert len(found) >= 11 and not [str(d) for d in found if not d.equal]


def narrow(raw: dict[str, Any]) -> None:
    """Give the streams 24, 10 and 20 channels and features of 16, 4 and 8."""
    config, shapes = raw["config"], raw["state"]["shapes"]
    sizes = {"v": (24, 6, 16), "a": (10, 5, 4), "f": (20, 7, 8)}
    config |= {f"{letter}_net": list(size) for letter, size in sizes.items()}
    config |= {"va_net": [4, 4, 4], "vf_net": [8, 8, 8], "vaf_net": [28, 9, 6]}
    for name, shape in shapes.items():
        net, _, rest = name.partition(".")
        if net in ("va_net", "vf_net"):
            shapes[name] = [config[net][0]] * len(shape)
        elif net == "vaf_net":
            change = {"embedding.0.weight": [14, 28], "embedding.0.bias": [14], "embedding.3.weight": [6, 14]}
            change |= {"mil.regressor.0.weight": [9, 6], "mil.regressor.0.bias": [9], "mil.regressor.3.weight": [32, 9]}
            wide = [6 if n == 64 else n for n in shape]
            shapes[name] = change.get(rest, wide)
        else:
            width, hidden, dim = config[net]
            inner = 4 * (dim // 2)
            change = {"embedding.conv_1.0.weight": [dim, width, 3], "mil.regressor.0.weight": [hidden, dim]}
            change |= {"mil.regressor.0.bias": [hidden], "mil.regressor.3.weight": [32, hidden]}
            fixed = "mil.regressor.3.bias", "mil.regressor.5.weight", "mil.regressor.5.bias"
            if rest.endswith("to_qkv.weight"):
                shapes[name] = [4 * inner, dim]
            elif rest.endswith("to_out.0.weight"):
                shapes[name] = [dim, 2 * inner]
            elif rest not in fixed:
                shapes[name] = change.get(rest, [dim] * len(shape))
    for name, width in zip(STREAMS.values(), (24, 10, 20)):
        raw["inputs"][name]["draw"][-1] = width


@pytest.mark.parametrize("t", [1, 2, 5, 300])
def test_scores_videos_of_any_length(t: int, tmp_path: Path) -> None:
    def edit(raw: dict[str, Any]) -> None:
        narrow(raw)
        v.length(raw, t, 2)

    check(eval_record(v.edited("mavd-eval", edit, tmp_path)))


@pytest.mark.parametrize(
    ("lengths", "labels"), [([2, 20], [1.0, 0.0]), ([17, 16, 9], [0.0, 0.0, 0.0]), ([18, 2, 12], [1.0, 1.0, 1.0])]
)
def test_trains_on_any_batch(lengths: list[int], labels: list[float], tmp_path: Path) -> None:
    def edit(raw: dict[str, Any]) -> None:
        narrow(raw)
        v.lengths(raw, lengths)
        raw["given"]["labels"] = labels

    check(train_record(v.edited("mavd-train", edit, tmp_path)))
