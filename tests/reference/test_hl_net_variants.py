"""HL-Net at other lengths, widths, batches, with lengths at test, without top-k: against a second, slow formula."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
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

import vadkit


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def similarity(x: Tensor, n: int) -> Tensor:
    """The graph of one bag (t, c), of which n rows are real."""
    graph = torch.zeros(len(x), len(x), dtype=x.dtype)
    for i in range(n):
        cosine = x[:n] @ x[i] / (x[:n].norm(dim=1) * x[i].norm() + 1e-20)
        weight = torch.where(cosine > 0.7, cosine, 0).exp()
        graph[i, :n] = weight / weight.sum()
    return graph


def by_score(p: Tensor, n: int) -> Tensor:
    graph = torch.zeros(len(p), len(p), dtype=p.dtype)
    for i in range(n):
        weight = (1 / (1 + torch.exp(-(0.5 - (p[:n] - p[i]).abs()) / 0.1))).exp()
        graph[i, :n] = weight / weight.sum()
    return graph


def network(w: Mapping[str, Tensor], x: Tensor, lengths: Sequence[int]) -> dict[str, Tensor]:
    """Every value of the network, official names; x is (b, t, c)."""
    t = x.shape[1]
    h = plain.linear(w, "conv1d2", plain.linear(w, "conv1d1", x).relu()).relu()
    hidden = plain.linear(w, "approximator.2", plain.linear(w, "approximator.0", h).relu()).relu()
    online = plain.convolve(w, "conv1d_approximator", hidden, 4)[..., 0]
    p = torch.sigmoid(online).detach()
    near = torch.tensor([[math.exp(-abs(i - j) / math.e) for j in range(t)] for i in range(t)], dtype=x.dtype)
    graphs = {
        "adj_sim": torch.stack([similarity(row, n) for row, n in zip(x, lengths)]),
        "adj_dist": near.expand(len(x), t, t),
        "adj_score": torch.stack([by_score(row, n) for row, n in zip(p, lengths)]),
    }
    r: dict[str, Tensor] = {"conv1d2": h, "logits_online": online[..., None], **graphs}
    ends = []
    for first, graph in zip((1, 3, 5), graphs.values()):
        a = graph @ (h @ w[f"gc{first}.weight"]) + plain.convolve(w, f"gc{first}.residual", h, 2)
        b = graph @ (a.relu() @ w[f"gc{first + 1}.weight"]) + a.relu()
        r |= {f"gc{first}": a, f"gc{first + 1}": b}
        ends.append(b.relu())
    return {**r, "logits": plain.linear(w, "classifier", torch.cat(ends, -1))}


def eval_record(case: Case) -> Case:
    x = v.drawn(case, "features")
    with torch.no_grad():
        r = network(v.weights(case), x, case.given.get("seq_len") or [x.shape[1]] * len(x))
    r["score"], r["score_online"] = (torch.sigmoid(r[n])[..., 0].mean(0) for n in ("logits", "logits_online"))
    return v.with_record(case, r)


def train_record(case: Case) -> Case:
    w, given = v.weights(case), case.given
    lengths = given["lengths"]
    r = network(w, v.drawn(case, "features")[:, : max(lengths)], lengths)
    for name, logits in (("loss_offline", r["logits"]), ("loss_online", r["logits_online"])):
        terms = []
        for row, label, n in zip(logits[..., 0], given["labels"], lengths):
            p = torch.sigmoid(plain.top(row[:n], n // 16 + 1 if case.config["is_topk"] else n))
            terms.append(-(p if label else 1 - p).log())
        r[name] = plain.mean(terms)
    terms = []
    for off, on, n in zip(r["logits"][..., 0], r["logits_online"][..., 0], lengths):
        terms.append(-(torch.sigmoid(off[:n]).detach() * torch.sigmoid(on[:n]).log()).mean())
    r["loss_distill"] = plain.mean(terms)
    r["total_loss"] = r["loss_offline"] + r["loss_online"] + 5 * r["loss_distill"]
    wanted = {name: r[name] for name in ("logits", "logits_online", *(n for n in r if "loss" in n))}
    return v.with_record(case, {**wanted, **v.gradients(case, w, r["total_loss"])})


def check(case: Case) -> None:
    wrong = [str(d) for d in compare(case, systems.run(case)) if not d.equal]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(("name", "record"), [("hl-net-eval", eval_record), ("hl-net-train", train_record)])
def test_the_second_formula_meets_the_records(name: str, record: Any) -> None:
    case = load_case(v.CASES / f"{name}.json")
    found = [difference(n, case.outputs[n], o.value) for n, o in record(case).outputs.items() if n in case.outputs]
    assert len(found) >= 6 and not [str(d) for d in found if not d.equal]


def narrow(raw: dict[str, Any], width: int = 10) -> None:
    """Give the network ``width`` features."""
    raw["config"]["feature_size"] = width
    shapes = raw["state"]["shapes"]
    for name, shape in shapes.items():
        shapes[name] = [width if n == 1152 else n for n in shape]
    for entry in raw["inputs"].values():
        entry["draw"][-1] = width


@pytest.mark.parametrize(("t", "width"), [(1, 10), (2, 1152), (5, 1024), (7, 2176), (1200, 10)])
def test_scores_videos_of_any_length_and_width(t: int, width: int, tmp_path: Path) -> None:
    def edit(raw: dict[str, Any]) -> None:
        narrow(raw, width)
        v.length(raw, t, 1 if t == 1200 else 2)

    case = v.edited("hl-net-eval", edit, tmp_path)
    if t < 1200:
        check(eval_record(case))
        return
    # The slow formula takes t * t small products, so a few rows of each graph are compared.
    found = systems.run(case)
    x, rows = v.drawn(case, "features")[0], (0, 600, 1199)
    cosines = x @ x.T / (x.norm(dim=1)[:, None] * x.norm(dim=1) + 1e-20)
    for i in rows:
        wanted = torch.where(cosines[i] > 0.7, cosines[i], 0).softmax(0)
        torch.testing.assert_close(torch.tensor(found["adj_sim"][0, i]).double(), wanted, rtol=2e-5, atol=1e-9)
    assert found["logits"].shape == (1, 1200, 1) and abs(found["logits"]).max() < 1e3


def test_scores_with_lengths_leave_padding_out_of_two_graphs(tmp_path: Path) -> None:
    def edit(raw: dict[str, Any]) -> None:
        narrow(raw)
        v.length(raw, 12, 3)
        raw["given"]["seq_len"] = [12, 1, 7]

    check(eval_record(v.edited("hl-net-eval", edit, tmp_path)))


@pytest.mark.parametrize("is_topk", [True, False])
@pytest.mark.parametrize(
    ("lengths", "labels"),
    [([1, 20], [1.0, 0.0]), ([17, 16, 33], [0.0, 0.0, 0.0]), ([5, 2, 31], [1.0, 1.0, 1.0]), ([3], [1.0])],
)
def test_trains_on_any_batch(lengths: list[int], labels: list[float], is_topk: bool, tmp_path: Path) -> None:
    def edit(raw: dict[str, Any]) -> None:
        narrow(raw)
        v.lengths(raw, lengths)
        raw["given"]["labels"], raw["config"]["is_topk"] = labels, is_topk

    check(train_record(v.edited("hl-net-train", edit, tmp_path)))


@pytest.mark.parametrize(
    ("name", "unused"), [("hl_net_xd", 99_393), ("hl_net_xd_rgb", 91_201), ("hl_net_xd_rgb_flow_audio", 164_929)]
)
def test_ours_and_what_is_never_called_are_the_authors_parameters(name: str, unused: int) -> None:
    model = vadkit.build(name)
    width = sum(model.input_sizes.values())
    idle = (128 * 32 + 32 * 32) * 5 + 2 * 32 + 2 * width * 32 + 1  # conv1d3, conv1d4, simAdj, disAdj
    theirs = {1152: 842_883, 1024: 769_155, 2176: 1_432_707}[width]
    assert idle == unused and sum(p.numel() for p in model.parameters()) + idle == theirs
