"""gl_mhsa against loops over heads and snippets."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import gelu
from vadkit_gl_mhsa import REACH, CausalGlobalLocalAttention, GlobalLocalAttention, local_kernel

from vadkit.testing import check_component


def block(**args):
    torch.manual_seed(0)
    args = {"depth": 2, "heads": 2, "head_dim": 3, **args}
    return GlobalLocalAttention(in_dim=6, **args).double().eval()


def snippets(b, t):
    return torch.randn(b, t, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def weight(i, j):
    return math.exp(-abs(i - j) / math.e)


def by_hand(layer, bag, normalise):
    """Return one bag (t, c) after one layer."""
    t, heads = len(bag), layer.heads
    projected = layer.qkvt(layer.attn_norm(bag)).view(t, 4, heads, -1)
    q, k, v, local = projected.unbind(1)  # (t, h, d) each
    rows = []
    for i in range(t):
        parts = []
        for h in range(heads):
            logits = [float(q[i, h] @ k[j, h]) / math.sqrt(q.shape[-1]) for j in range(t)]
            total = sum(map(math.exp, logits))
            parts.append(sum(math.exp(logits[j]) / total * v[j, h] for j in range(t)))
            # The slip: the sum that divides w_ij is that of row j.
            sums = [sum(weight(j if normalise == "column" else i, m) for m in range(t)) for j in range(t)]
            parts.append(sum(weight(i, j) / sums[j] * local[j, h] for j in range(t)))
        rows.append(torch.cat(parts))
    x = bag + layer.out(torch.stack(rows))
    return x + layer.ff_out(gelu(layer.ff_in(layer.ff_norm(x))))


@pytest.mark.parametrize("normalise", ["column", "row"])
@pytest.mark.parametrize("t", [1, 2, 7])
def test_equals_the_loops(normalise, t):
    attention, x = block(normalise=normalise), snippets(2, t)
    with torch.no_grad():
        wanted = x
        for layer in attention.layers:
            wanted = torch.stack([by_hand(layer, bag, normalise) for bag in wanted])
        torch.testing.assert_close(attention(x), wanted)


@pytest.mark.parametrize("normalise", ["column", "row"])
def test_with_the_mask_a_padded_bag_scores_as_the_bag_alone(normalise):
    attention, x = block(normalise=normalise, use_mask=True), snippets(2, 9)
    mask = torch.arange(9).expand(2, 9) < torch.tensor([[9], [4]])
    torch.testing.assert_close(attention(x, mask)[1:, :4], attention(x[1:, :4], mask[1:, :4]))


@pytest.mark.parametrize("normalise", ["column", "row"])
@pytest.mark.parametrize("use_mask", [False, True])
def test_in_a_long_video_the_part_of_the_kernel_that_is_zero_is_left_out(normalise, use_mask, monkeypatch):
    attention, x = block(normalise=normalise, use_mask=use_mask), snippets(2, 700)
    mask = torch.arange(700).expand(2, 700) < torch.tensor([[700], [301]])
    whole = attention(x, mask)
    monkeypatch.setattr("vadkit_gl_mhsa.LONG", 50)
    torch.testing.assert_close(attention(x, mask), whole, atol=1e-6, rtol=1e-5)  # the kernel is in float32


def test_what_is_left_out_is_zero_in_float32():
    assert torch.exp(torch.tensor(-float(REACH)) / math.e) > 0 == torch.exp(torch.tensor(-REACH - 1.0) / math.e)


def test_without_the_switch_the_mask_changes_nothing():
    attention, x = block(), snippets(1, 6)
    assert torch.equal(attention(x, torch.arange(6)[None] < 3), attention(x))


def test_snippets_far_inside_the_padding_stay_finite():
    mask = torch.zeros(1, 2000, dtype=torch.bool)
    mask[:, :3] = True
    kernel = local_kernel(torch.zeros(1, 2000, 1), mask, "column")
    assert kernel.isfinite().all()
    assert kernel[:, :, 3:].abs().max() == 0


def test_columns_or_rows_sum_to_one():
    x = torch.zeros(1, 11, 1)
    assert local_kernel(x, None, "column").sum(0).tolist() == pytest.approx([1.0] * 11)
    assert local_kernel(x, None, "row").sum(1).tolist() == pytest.approx([1.0] * 11)


@pytest.mark.parametrize("use_mask", [False, True])
def test_two_projections_folded_into_one_are_the_two(use_mask):
    attention, x = block(use_mask=use_mask, head_dim=5).train(), snippets(9, 7)
    attention.apply(lambda module: setattr(module, "p", 0.0) if hasattr(module, "p") else None)
    mask = torch.arange(7).expand(9, 7) < torch.arange(1, 10)[:, None]
    layer = attention.layers[0]
    assert layer._folds(x) and not layer._folds(x[:1])
    slopes = []
    for fold in (True, False):
        layer._folds = attention.layers[1]._folds = lambda x, fold=fold: fold
        attention.zero_grad()
        found = attention(x, mask)
        found.square().sum().backward()
        slopes.append([found.detach(), *(weight.grad.clone() for weight in attention.parameters())])
    torch.testing.assert_close(*slopes)


def test_dropout_acts_in_training_only():
    attention, x = block(dropout=0.5), snippets(1, 5)
    assert torch.equal(attention(x), attention(x))
    attention.train()
    assert not torch.equal(attention(x), attention(x))


def test_bad_depth_is_refused():
    with pytest.raises(ValueError, match="depth, heads, head_dim must be at least 1, not 0, 2, 3"):
        block(depth=0)


# -- causal --------------------------------------------------------------------------------------
def causal(**args):
    torch.manual_seed(0)
    args = {"depth": 2, "heads": 2, "head_dim": 3, **args}
    return CausalGlobalLocalAttention(in_dim=6, **args).double().eval()


def causal_by_hand(layer, bag, normalise, past):
    """Return one bag (t, c) after one causal layer."""
    t, heads = len(bag), layer.heads
    q, k, v, local = layer.qkvt(layer.attn_norm(bag)).view(t, 4, heads, -1).unbind(1)
    without_end = sum(math.exp(-d / math.e) for d in range(past))
    rows = []
    for i in range(t):
        seen = range(max(0, i - past + 1), i + 1)
        total = without_end if normalise == "column" else sum(weight(i, j) for j in seen)
        parts = []
        for h in range(heads):
            logits = {j: float(q[i, h] @ k[j, h]) / math.sqrt(q.shape[-1]) for j in seen}
            parts.append(sum(math.exp(logits[j]) * v[j, h] for j in seen) / sum(map(math.exp, logits.values())))
            parts.append(sum(weight(i, j) / total * local[j, h] for j in seen))
        rows.append(torch.cat(parts))
    x = bag + layer.out(torch.stack(rows))
    return x + layer.ff_out(gelu(layer.ff_in(layer.ff_norm(x))))


@pytest.mark.parametrize("normalise", ["column", "row"])
@pytest.mark.parametrize("past", [1, 3, 20])
def test_the_causal_variant_equals_the_loops(normalise, past):
    attention, x = causal(normalise=normalise, past=past), snippets(2, 7)
    with torch.no_grad():
        wanted = x
        for layer in attention.layers:
            wanted = torch.stack([causal_by_hand(layer, bag, normalise, past) for bag in wanted])
        torch.testing.assert_close(attention(x), wanted, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("normalise", ["column", "row"])
def test_a_long_video_is_attended_to_in_parts(normalise, monkeypatch):
    attention, x = causal(normalise=normalise, past=40), snippets(2, 700)
    with torch.no_grad():
        whole = attention(x)
        monkeypatch.setattr("vadkit_gl_mhsa.LONG", 100)
        monkeypatch.setattr("vadkit.layers.PAST_ROWS", 100)
        torch.testing.assert_close(attention(x), whole, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("args", [{}, {"normalise": "row", "depth": 2}])
def test_contract_of_the_causal_variant(args):
    check_component(CausalGlobalLocalAttention, **args)
