"""VadCLIP at other lengths, sizes and batches, and its test in chunks, against a second, slow formula."""

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
from cases import Case
from compare import compare
from torch import Tensor

Weights = Mapping[str, Tensor]
WIDTH, LENGTH = 16, 24
NAMES = {"A": 0, "B1": 1, "B2": 2, "B4": 3, "B5": 4, "B6": 5, "G": 6}


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


# -- the second formula --------------------------------------------------------------------------
def quick(x: Tensor) -> Tensor:
    return x / (1 + torch.exp(-1.702 * x))


def block(w: Weights, p: str, x: Tensor, heads: int, allowed: Tensor) -> Tensor:
    """One layer on x (l, c): every pair that is not allowed gets -inf."""
    q, k, value = (plain.norm(w, f"{p}.ln_1", x) @ w[f"{p}.attn.in_proj_weight"].T + w[f"{p}.attn.in_proj_bias"]).chunk(
        3, -1
    )
    d, parts = x.shape[1] // heads, []
    for h in range(heads):
        a, b, c = (y[:, h * d : (h + 1) * d] for y in (q, k, value))
        parts.append((a @ b.T / math.sqrt(d)).masked_fill(~allowed, -torch.inf).softmax(-1) @ c)
    x = x + plain.linear(w, f"{p}.attn.out_proj", torch.cat(parts, 1))
    return x + plain.linear(
        w, f"{p}.mlp.c_proj", quick(plain.linear(w, f"{p}.mlp.c_fc", plain.norm(w, f"{p}.ln_2", x)))
    )


def alike(x: Tensor, n: int) -> Tensor:
    """The similarity graph of the first n rows, entry by entry."""
    graph = torch.zeros(len(x), len(x), dtype=x.dtype)
    for i in range(n):
        row = [x[i] @ x[j] / (x[i].norm() * x[j].norm()) for j in range(n)]
        row = [value.exp() if value > 0.7 else torch.ones((), dtype=x.dtype) for value in row]
        graph[i, :n] = torch.stack(row) / sum(row)
    return graph


def close(x: Tensor) -> Tensor:
    return torch.tensor([[math.exp(-abs(i - j) / math.e) for j in range(len(x))] for i in range(len(x))], dtype=x.dtype)


def graph_layers(w: Weights, names: Sequence[str], x: Tensor, graph: Tensor) -> Tensor:
    first, second = names
    x = quick(graph @ (x @ w[f"{first}.weight"]) + plain.convolve(w, f"{first}.residual", x[None], 2)[0])
    return quick(graph @ (x @ w[f"{second}.weight"]) + x)


def network(case: Case, w: Weights, x: Tensor, n: int) -> dict[str, Tensor]:
    """The branches for one video x (length, c) with n real rows."""
    config, t = case.config, len(x)
    x = x + w["frame_position_embeddings.weight"]
    window = torch.arange(t) // config["attn_window"]
    for layer in range(config["visual_layers"]):
        x = block(w, f"temporal.resblocks.{layer}", x, config["visual_head"], window[:, None] == window)
    parts = [graph_layers(w, ("gc1", "gc2"), x, alike(x, n)), graph_layers(w, ("gc3", "gc4"), x, close(x))]
    visual = plain.linear(w, "linear", torch.cat(parts, 1))
    refined = visual + plain.linear(w, "mlp2.c_proj", quick(plain.linear(w, "mlp2.c_fc", visual)))
    logits = plain.linear(w, "classifier", refined)[:, 0]
    pooled = sum(value * row for value, row in zip(logits, visual))
    classes = texts(case, w) + pooled / pooled.norm()
    classes = classes + plain.linear(w, "mlp1.c_proj", quick(plain.linear(w, "mlp1.c_fc", classes)))
    cosines = [[row @ c / (row.norm() * c.norm()) for c in classes] for row in visual]
    logits2 = torch.stack([torch.stack(row) for row in cosines]) / config["temperature"]
    return {"visual_features": visual, "logits1": logits[:, None], "logits2": logits2}


def texts(case: Case, w: Weights) -> Tensor:
    """All positions of every sentence, also those after its end."""
    rows, config = [], case.config
    for name in case.given["prompts"]:
        ids = case.given["prompt_token_ids"][name]
        x = w["text_prompt_embeddings.weight"].clone()
        end = config["prompt_prefix"] + len(ids) - 1 + config["prompt_postfix"]
        for place, token in [
            (0, ids[0]),
            (end, ids[-1]),
            *((config["prompt_prefix"] + i, ids[i]) for i in range(1, len(ids) - 1)),
        ]:
            x[place] = w["clipmodel.token_embedding.weight"][token]
        x = x + w["clipmodel.positional_embedding"]
        for layer in range(2):
            x = block(w, f"clipmodel.transformer.resblocks.{layer}", x, 8, torch.ones(len(x), len(x)).tril().bool())
        rows.append(plain.norm(w, "clipmodel.ln_final", x[end]) @ w["clipmodel.text_projection"])
    return torch.stack(rows)


def losses(case: Case, text: Tensor, found: Mapping[str, Tensor]) -> dict[str, Tensor]:
    lengths, labels = case.given["lengths"], case.given["labels"]
    scores, types = [], []
    for n, label, one, many in zip(lengths, labels, found["logits1"], found["logits2"]):
        k = n // 16 + 1
        score = one[:n, 0].sigmoid().sort(descending=True).values[:k].mean()
        scores.append(-score.log() if label != "A" else -(1 - score).log())
        bag = many[:n].sort(0, descending=True).values[:k].mean(0)
        own = [NAMES[part] for part in label.split("-") if part != "0"]
        types.append(-bag.log_softmax(0)[own].mean())
    spread = sum((text[0] @ row / (text[0].norm() * row.norm())).abs() for row in text[1:])
    parts = {"loss_clas2": plain.mean(scores), "loss_clasm": plain.mean(types)}
    parts["loss_text_weighted"] = spread / (len(text) - 1) * 1e-4
    return {**parts, "loss_total": sum(parts.values())}


# -- variants ------------------------------------------------------------------------------------
def small(lengths: list[int], labels: list[str] | None, layers: int = 1, window: int = 8, heads: int = 1) -> v.Edit:
    """Give the case small widths, and videos of these lengths, padded, or one video of one length in chunks."""

    def edit(raw: dict[str, Any]) -> None:
        raw["config"] |= {"embed_dim": WIDTH, "visual_width": WIDTH, "visual_length": LENGTH, "visual_layers": layers,
                          "attn_window": window, "visual_head": heads}  # fmt: skip
        sizes = {512: WIDTH, 2048: 4 * WIDTH, 1536: 3 * WIDTH, 256: WIDTH // 2}
        shapes, first = raw["state"]["shapes"], "temporal.resblocks.0."
        for name in [name for name in shapes if name.startswith(first)]:
            shapes |= {name.replace(".0.", f".{layer}.", 1): shapes[name] for layer in range(1, layers)}
        for name in [
            name for name in shapes if name.startswith("clipmodel.transformer") and int(name.split(".")[3]) > 1
        ]:
            del shapes[name]
        for name, shape in shapes.items():
            shapes[name] = [sizes.get(n, n) for n in shape]
        shapes["frame_position_embeddings.weight"] = [LENGTH, WIDTH]
        pieces = [{"draw": [n, WIDTH], "name": f"features_{i}",
                   "ops": [["add_blocks", f"common_{i}", [-(-n // 16), WIDTH], 16, 2.0], ["pad_rows", LENGTH]]}
                  for i, n in enumerate(lengths)]  # fmt: skip
        if labels is None:
            count = lengths[0] // LENGTH + 1
            raw["inputs"]["features"] = {**pieces[0], "ops": pieces[0]["ops"][:1]}
            given = [LENGTH] * count
            given[-1] = lengths[0] % LENGTH or LENGTH
            raw["given"]["lengths"] = given
            del raw["given"]["labels"]
        else:
            raw["inputs"]["features"] = {"stack": pieces}
            raw["given"] |= {"lengths": lengths, "labels": labels}

    return edit


def check(case: Case) -> None:
    wrong = [str(d) for d in compare(case, systems.run(case)) if not d.equal]
    assert not wrong, wrong


@pytest.mark.parametrize(
    ("lengths", "labels", "settings"),
    [
        ([1, 2, 5, 24], ["A", "B1-B2-G", "B6-0-0", "A"], {}),
        ([24], ["G"], {"layers": 2, "window": 3, "heads": 2}),
        ([17, 9], ["A", "A"], {"window": 64}),
        ([16, 3], ["B5", "B1-G"], {"window": 5}),
    ],
)
def test_padded_videos(lengths: list[int], labels: list[str], settings: dict[str, int], tmp_path: Path) -> None:
    case = v.edited("vadclip-xd-eval-b2", small(lengths, labels, **settings), tmp_path)
    w, x = v.weights(case), torch.tensor(case.inputs["features"]).double()
    videos = [network(case, w, row, n) for row, n in zip(x, lengths)]
    found = {name: torch.stack([video[name] for video in videos]) for name in videos[0]}
    text = texts(case, w)
    check(v.with_record(case, {**found, "text_features": text, **losses(case, text, found)}))


@pytest.mark.parametrize("t", [1, 23, 24, 25, 100])
def test_chunks_give_both_curves(t: int, tmp_path: Path) -> None:
    case = v.edited("vadclip-xd-eval-b2", small([t], None), tmp_path)
    w, x = v.weights(case), torch.tensor(case.inputs["features"]).double()
    curves: dict[str, list[Tensor]] = {"prob1": [], "prob2": []}
    for start in range(0, t, LENGTH):
        rows = x[start : start + LENGTH]
        n = len(rows)
        chunk = network(case, w, torch.cat([rows, rows.new_zeros(LENGTH - n, WIDTH)]), n)
        curves["prob1"].append(chunk["logits1"][:n, 0].sigmoid())
        curves["prob2"].append(1 - chunk["logits2"][:n].softmax(-1)[:, 0])
    check(v.with_record(case, {name: torch.cat(parts) for name, parts in curves.items()}))
