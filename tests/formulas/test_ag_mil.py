"""The guesses of AG-MIL against slow formulas: gated attention (Ilse et al., Eq. 8 and 9), its bag, the guidance."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from small_models import drawn
from vadkit_attention_pool import AttentionPool
from vadkit_distillation import Distillation
from vadkit_score_mean import ScoreMean

B, T, C, H = 3, 7, 5, 4


def padding() -> torch.Tensor:
    mask = torch.ones(B, T, dtype=torch.bool)
    mask[-1, 3:] = False
    return mask


@pytest.mark.formula("ag_mil", "attention", "bag classifier")
@pytest.mark.parametrize("form", ["gated", "plain", "mean"])
def test_a_bag_is_the_mean_weighted_by_attention(form: str) -> None:
    pool = AttentionPool(in_dim=C, hidden=H, form=form, use_mask=True).double()  # type: ignore[arg-type]
    x, mask = drawn(B, T, C), padding()
    with torch.no_grad():
        found = {name: value.numpy() for name, value in pool(x, mask).items()}
    w = {name: value.numpy() for name, value in pool.state_dict().items()}
    for b in range(B):
        real = [t for t in range(T) if mask[b, t]]
        a = {t: attention(x[b, t].numpy(), w, form) for t in real}
        whole = sum(math.exp(value) for value in a.values())
        bag = sum(math.exp(a[t]) / whole * x[b, t].numpy() for t in real)
        for t in range(T):
            assert np.abs(found["x"][b, t] - bag).max() < 1e-12
            assert found["weight"][b, t] == pytest.approx(math.exp(a[t]) / whole if t in a else 0, abs=1e-12)
            assert found["gate"][b, t] == pytest.approx(math.exp(a[t] - max(a.values())) if t in a else 0, abs=1e-12)


def attention(x: np.ndarray, w: dict[str, np.ndarray], form: str) -> float:
    if form == "mean":
        return 0.0
    total = 0.0
    for h in range(H):
        inner = math.tanh(sum(w["value.weight"][h, c] * x[c] for c in range(C)) + w["value.bias"][h])
        if form == "gated":
            gate = sum(w["gate.weight"][h, c] * x[c] for c in range(C)) + w["gate.bias"][h]
            inner /= 1 + math.exp(-gate)
        total += w["out.weight"][0, h] * inner
    return total


@pytest.mark.formula("ag_mil", "guidance")
def test_scores_follow_attention_times_the_score_of_the_bag() -> None:
    gate, bag, score, mask = (
        drawn(B, T).sigmoid(),
        drawn(B, T, seed=1).sigmoid(),
        drawn(B, T, seed=2).sigmoid(),
        padding(),
    )
    loss = Distillation(mode="mse")(score, ScoreMean(form="product")([gate, bag]), mask)["total"]
    squares = [
        (float(score[b, t]) - float(gate[b, t]) * float(bag[b, t])) ** 2
        for b in range(B)
        for t in range(T)
        if mask[b, t]
    ]
    assert float(loss) == pytest.approx(sum(squares) / len(squares), abs=1e-12)


def test_a_bag_of_padding_alone_is_zero() -> None:
    pool, mask = AttentionPool(in_dim=C, use_mask=True), torch.ones(2, T, dtype=torch.bool)
    mask[1] = False
    assert pool(drawn(2, T, C).float(), mask)["x"][1].abs().max() == 0
