"""topk_nominator against the one-hot form that CLIP-TSA builds, and against the exact expectation."""

from __future__ import annotations

import math

import pytest
import torch
from vadkit_topk_nominator import CausalNominator, SoftMask, TopkNominator, topk_mask

from vadkit.testing import check_component


def block(**args):
    torch.manual_seed(0)
    return TopkNominator(in_dim=6, **{"samples": 20, **args})


def snippets(b=3, t=12):
    return torch.randn(b, t, 6, generator=torch.Generator().manual_seed(1))


def noise_of(shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(2))


def one_hot(scores, noise, sigma, k):
    """Return (b, n, k, t): for every draw the chosen snippets, in order of time, one after the other."""
    b, n, t = noise.shape
    ranks = torch.zeros(b, n, k, t)
    for row in range(b):
        for draw in range(n):
            disturbed = (scores[row] + sigma * noise[row, draw]).tolist()
            best = sorted(sorted(range(t), key=lambda i: -disturbed[i])[:k])
            for rank, snippet in enumerate(best):
                ranks[row, draw, rank, snippet] = 1.0
    return ranks


@pytest.mark.parametrize("ratio, t", [(0.95, 12), (0.4, 7), (0.1, 5), (1.0, 4), (0.95, 1)])
def test_forward_equals_the_one_hot_form(ratio, t):
    nominator, x, noise = block(ratio=ratio).train(), snippets(3, t), noise_of((3, 20, t))
    nominator.draw_noise = lambda shape, like: noise
    with torch.no_grad():
        out = nominator(x)
        indicators = one_hot(nominator.scores(x), noise, 0.05, max(1, int(ratio * t))).mean(1)  # (b, k, t)
        nominated = torch.einsum("bkt,btc->bktc", indicators, x).sum(1)
    torch.testing.assert_close(out["gate"], indicators.sum(1))
    torch.testing.assert_close(out["x"], nominated)


@pytest.mark.parametrize("gradient", ["authors", "textbook", "centred"])
def test_backward_equals_the_sums_written_out(gradient):
    b, n, t, sigma = 2, 20, 7, 0.1
    scores, noise = torch.rand(b, t, generator=torch.Generator().manual_seed(3)), noise_of((b, n, t))
    slope, masks = torch.randn(b, t), one_hot(scores, noise, sigma, 4).sum(2)  # (b, n, t)
    wanted = torch.zeros(b, t)
    for row in range(b):
        for d in range(t):
            for e in range(t):
                mean_mask = masks[row, :, d].mean() if gradient == "centred" else 0.0
                jacobian = ((masks[row, :, d] - mean_mask) * noise[row, :, e]).mean() / sigma
                if gradient == "authors":
                    wanted[row, d] += slope[row, e] * jacobian
                else:
                    wanted[row, e] += slope[row, d] * jacobian
    scores.requires_grad_()
    mask = topk_mask(scores.detach()[:, None] + sigma * noise, 4)
    SoftMask.apply(scores, mask, noise, sigma, gradient).backward(slope)
    torch.testing.assert_close(scores.grad, wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("gradient", ["authors", "textbook", "centred"])
def test_gradient_is_right_on_average(gradient):
    # Of two snippets one is kept: the gate is Phi((s0 - s1) / (sigma sqrt 2)), whose slope is known.
    sigma, n = 0.05, 400_000
    scores = torch.tensor([[0.5, 0.53]], requires_grad=True)
    noise = noise_of((1, n, 2))
    mask = topk_mask(scores.detach()[:, None] + sigma * noise, 1)
    gate = SoftMask.apply(scores, mask, noise, sigma, gradient)
    gate[0, 0].backward()
    z = -0.03 / (sigma * math.sqrt(2))
    slope = math.exp(-z * z / 2) / math.sqrt(2 * math.pi) / (sigma * math.sqrt(2))
    assert gate[0, 0].item() == pytest.approx(0.5 * (1 + math.erf(z / math.sqrt(2))), abs=0.005)
    assert scores.grad[0].tolist() == pytest.approx([slope, -slope], rel=0.03)


@pytest.mark.parametrize("ratio", [0.95, 0.9, 0.5, 0.1, 0.01, 1.0])
def test_count_is_what_floating_point_gives(ratio):
    nominator = block(ratio=ratio, k_max=None)
    assert all(nominator._count(t) == max(1, int(ratio * t)) for t in range(1, 3000))


def test_count_is_cut_at_k_max():
    x = snippets(1, 30)
    kept = {k_max: int(block(k_max=k_max, eval_noise="off").eval()(x)["gate"].sum()) for k_max in (5, None)}
    assert kept == {5: 5, None: 28}


def test_hard_choice_without_noise():
    nominator, x = block(ratio=0.5, eval_noise="off").eval(), snippets()
    gate, best = nominator(x)["gate"], nominator.scores(x).argsort(1, descending=True)[:, :6]
    assert torch.equal(gate, torch.zeros(3, 12).scatter(1, best, 1.0))


def test_a_seeded_bag_scores_the_same_in_any_company_and_in_any_instance():
    x = snippets()
    first, second = block().eval(), block().eval()
    together = first(x)["gate"]
    assert ((together > 0) & (together < 1)).any(), "the noise has no effect at all"
    for row in range(3):
        torch.testing.assert_close(second(x[row : row + 1])["gate"], together[row : row + 1])


def test_seeded_noise_goes_on_behind_the_table():
    nominator = TopkNominator(in_dim=6, samples=2).eval()
    with torch.no_grad():
        assert nominator(torch.randn(1, 2100, 6))["x"].shape == (1, 2100, 6)


def test_fresh_noise_differs_from_pass_to_pass():
    nominator, x = block(eval_noise="on", sigma=0.5).eval(), snippets()
    assert not torch.equal(nominator(x)["gate"], nominator(x)["gate"])


def test_noise_table_is_no_weight():
    assert set(block().state_dict()) == {"scorer.0.weight", "scorer.0.bias", "scorer.2.weight", "scorer.2.bias"}


def test_l2norm_keeps_the_longest_vectors():
    nominator = block(score="l2norm", ratio=0.5, eval_noise="off").eval()
    x = torch.ones(1, 4, 6) * torch.tensor([1.0, 4.0, 2.0, 3.0])[:, None]
    assert nominator(x)["gate"].tolist() == [[0.0, 1.0, 0.0, 1.0]]
    assert nominator.scores(x)[0].tolist() == pytest.approx([0.25, 1.0, 0.5, 0.75])


@pytest.mark.parametrize(
    "args, message",
    [
        ({"ratio": 0.0}, "ratio must be above 0 and at most 1, not 0.0"),
        ({"k_max": 0}, "k_max must be at least 1, or null for no limit, not 0"),
        ({"sigma": 0.0}, "samples and sigma must be above 0, not 20 and 0.0"),
    ],
)
def test_bad_values_are_refused(args, message):
    with pytest.raises(ValueError, match=message):
        block(**args)


# -- causal --------------------------------------------------------------------------------------
def causal(**args):
    torch.manual_seed(0)
    return CausalNominator(in_dim=6, **{"samples": 20, **args}).eval()


@pytest.mark.parametrize("past", [1, 3, 30])
@pytest.mark.parametrize("ratio", [0.4, 0.95])
def test_the_causal_variant_ranks_each_snippet_among_those_before_it(past, ratio):
    nominator, x = causal(past=past, ratio=ratio, sigma=0.5), snippets(2, 12)
    with torch.no_grad():
        gate = nominator(x)["gate"]
        perturbed = nominator.scores(x)[:, None] + 0.5 * nominator.table[:, :12]
    wanted = torch.zeros(2, 12)
    for i in range(12):
        seen = perturbed[..., max(0, i - past + 1) : i + 1]
        k = max(1, int(ratio * seen.shape[-1]))
        wanted[:, i] = ((seen > seen[..., -1:]).sum(-1) < k).float().mean(-1)
    # Scores nearer than a hundredth of sigma are not told apart sharply.
    assert (gate - wanted).abs().max() < 0.06 and (gate - wanted).abs().mean() < 0.01


def test_rounding_does_not_decide_over_a_snippet():
    nominator, x = causal(past=6), snippets(1, 40)
    with torch.no_grad():
        found, shaken = nominator(x)["gate"], nominator(x * (1 + 1e-7))["gate"]
    assert (found - shaken).abs().max() < 1e-5


def test_contract_of_the_causal_variant():
    check_component(CausalNominator)
