"""tca against loops over bags, rows and columns."""

from __future__ import annotations

import math

import pytest
import torch
from vadkit_tca import CausalContextAggregation, TemporalContextAggregation

from vadkit.testing import check_component


def block(**args):
    torch.manual_seed(0)
    made = TemporalContextAggregation(in_dim=6, hidden=4, **args).double()
    with torch.no_grad():
        made.alpha.fill_(0.7)
    return made


def snippets(b, t):
    return torch.randn(b, t, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def by_hand(tca, bag, window):
    """Return (t, hidden), what one bag reads, row by row."""
    q, k, v = tca.q(bag), tca.k(bag), tca.v(bag)
    rows = []
    for j in range(len(bag)):
        logits = []
        for i in range(len(bag)):
            code = math.exp(-abs(tca.gamma.item() * (i - j) ** 2 - tca.beta.item()))
            logits.append(float(q[j] @ k[i]) / math.sqrt(4) + code)
        inside = range(max(0, j - window // 2), min(len(bag), j - window // 2 + window))
        everywhere = sum(math.exp(logit) for logit in logits)
        nearby = sum(math.exp(logits[i]) for i in inside)
        mix = 1 / (1 + math.exp(-tca.alpha.item()))
        row = torch.zeros(4, dtype=torch.float64)
        for i, logit in enumerate(logits):
            local = math.exp(logit) / nearby if i in inside else 0.0
            row += (mix * math.exp(logit) / everywhere + (1 - mix) * local) * v[i]
        rows.append(row)
    return torch.stack(rows)


@pytest.mark.parametrize("window", [1, 3, 4, 20])
@pytest.mark.parametrize("t", [1, 2, 9])
def test_equals_the_loops(window, t):
    tca, x = block(window=window), snippets(2, t)
    with torch.no_grad():
        read = torch.stack([by_hand(tca, bag, window) for bag in x])
        torch.testing.assert_close(tca(x), x + tca.out(read))


@pytest.mark.parametrize("use_mask", [False, True])
def test_a_long_video_is_read_a_few_rows_at_a_time(use_mask, monkeypatch):
    tca, x = block(window=4, power_norm="time", use_mask=use_mask), snippets(2, 30)
    mask = torch.arange(30).expand(2, 30) < torch.tensor([[30], [13]])
    whole = tca(x, mask)
    monkeypatch.setattr("vadkit.layers.CELLS", 2 * 30 * 7)
    torch.testing.assert_close(tca(x, mask), whole)


@pytest.mark.parametrize("axis", ["time", "channel"])
def test_power_norm(axis):
    tca, x = block(window=3, power_norm=axis), snippets(2, 7)
    with torch.no_grad():
        read = torch.stack([by_hand(tca, bag, 3) for bag in x])
        root = read.sign() * read.abs().sqrt()
        root = root / root.square().sum(1 if axis == "time" else 2, keepdim=True).sqrt()
        torch.testing.assert_close(tca(x), x + tca.out(root))


def test_power_norm_has_finite_gradients_at_zero():
    tca = block(power_norm="time")
    torch.nn.init.zeros_(tca.v.weight)
    torch.nn.init.zeros_(tca.v.bias)
    tca(snippets(1, 5)).sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in tca.parameters())


def test_layer_norm_comes_behind_the_residual():
    plain, x = block(), snippets(2, 5)
    normed = block(norm="layer")
    torch.testing.assert_close(normed(x), torch.nn.functional.layer_norm(plain(x), (6,)))


@pytest.mark.parametrize("power_norm", ["off", "time", "channel"])
def test_with_the_mask_a_padded_bag_scores_as_the_bag_alone(power_norm):
    tca, x = block(window=5, power_norm=power_norm, use_mask=True), snippets(2, 9)
    mask = torch.arange(9).expand(2, 9) < torch.tensor([[9], [4]])
    torch.testing.assert_close(tca(x, mask)[1:, :4], tca(x[1:, :4], mask[1:, :4]))


def test_without_the_switch_the_mask_changes_nothing():
    tca, x = block(), snippets(1, 6)
    assert torch.equal(tca(x, torch.arange(6)[None] < 3), tca(x))


def test_a_bag_that_is_all_padding_stays_finite():
    tca = block(use_mask=True)
    assert tca(snippets(1, 4), torch.zeros(1, 4, dtype=torch.bool)).isfinite().all()


def test_window_of_zero_is_refused():
    with pytest.raises(ValueError, match="window must be at least 1, not 0"):
        TemporalContextAggregation(in_dim=6, window=0)


# -- causal --------------------------------------------------------------------------------------
def causal(**args):
    torch.manual_seed(0)
    made = CausalContextAggregation(in_dim=6, hidden=4, **args).double()
    with torch.no_grad():
        made.alpha.fill_(0.7)
    return made


@pytest.mark.parametrize(("past", "window"), [(1, 1), (4, 2), (4, 9), (50, 3)])
def test_the_causal_variant_equals_the_loops(past, window):
    tca, x = causal(window=window, past=past), snippets(1, 9)
    with torch.no_grad():
        q, k, v = tca.q(x[0]), tca.k(x[0]), tca.v(x[0])
        mix = torch.sigmoid(tca.alpha)
        rows = []
        for j in range(9):
            seen, near = range(max(0, j - past + 1), j + 1), range(max(0, j - min(past, window) + 1), j + 1)
            code = [math.exp(-abs(tca.gamma.item() * (i - j) ** 2 - tca.beta.item())) for i in range(9)]
            logits = [q[j] @ k[i] / 2 + code[i] for i in range(9)]
            far, local = (
                sum(logits[i].exp() * v[i] for i in of) / sum(logits[i].exp() for i in of) for of in (seen, near)
            )
            rows.append(mix * far + (1 - mix) * local)
        torch.testing.assert_close(tca(x)[0], x[0] + tca.out(torch.stack(rows)))


def test_weights_of_the_offline_form_fit():
    causal(past=3).load_state_dict(block().state_dict())


@pytest.mark.parametrize("args", [{}, {"power_norm": "channel", "norm": "layer"}])
def test_contract_of_the_causal_variant(args):
    check_component(CausalContextAggregation, **args)


def test_past_is_checked():
    with pytest.raises(ValueError, match="past must be at least 1, not 0"):
        causal(past=0)
