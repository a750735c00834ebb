"""gated_attention against loops over bags and snippets."""

from __future__ import annotations

import math

import torch
from vadkit_gated_attention import GatedAttention

from vadkit.testing import check_component


def block(dims, **args):
    torch.manual_seed(0)
    return GatedAttention(dims=dims, **args).double()


def streams(dims, b=2, t=5):
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(b, t, dim, dtype=torch.float64, generator=generator) for dim in dims]


def by_hand(step, main, other):
    """Return one bag (t, c) of the main stream with another folded in."""
    q, k, v = step.query(main), step.key(other), step.value(other)
    rows = []
    for i in range(len(main)):
        logits = [float(q[i] @ k[j]) / math.sqrt(main.shape[1]) for j in range(len(other))]
        total = sum(map(math.exp, logits))
        answer = sum(math.exp(logit) / total * row for logit, row in zip(logits, v))
        joint = torch.cat([main[i], answer + main[i]])
        rows.append(step.out(joint / (1 + torch.exp(-step.gate(joint)))))
    return torch.stack(rows)


@torch.no_grad()
def test_equals_the_loops():
    fusion, (a, o) = block([4, 4]), streams([4, 4])
    wanted = torch.stack([by_hand(fusion.steps[0], *bags) for bags in zip(a, o)])
    torch.testing.assert_close(fusion([a, o]), wanted)


@torch.no_grad()
def test_streams_are_folded_in_order_and_other_widths_are_projected():
    dims = [4, 3, 4]
    fusion, (a, o, p) = block(dims), streams(dims)
    projected = fusion.steps[0].project(o)
    first = torch.stack([by_hand(fusion.steps[0], *bags) for bags in zip(a, projected)])
    second = torch.stack([by_hand(fusion.steps[1], *bags) for bags in zip(first, p)])
    torch.testing.assert_close(fusion([a, o, p]), second)
    assert not list(fusion.steps[1].project.parameters()), "equal widths need no projection"


def test_one_stream_passes():
    fusion, (a,) = block([4]), streams([4])
    assert fusion([a]) is a
    assert (fusion.lookahead, block([4, 4]).lookahead) == (0, "all")


@torch.no_grad()
def test_with_the_mask_a_padded_bag_scores_as_the_bag_alone():
    fusion, (a, o) = block([4, 3], use_mask=True), streams([4, 3])
    mask = torch.arange(5).expand(2, 5) < torch.tensor([[5], [2]])
    torch.testing.assert_close(fusion([a, o], mask)[1:, :2], fusion([a[1:, :2], o[1:, :2]], mask[1:, :2]))
    free = block([4, 3])
    assert torch.equal(free([a, o], mask), free([a, o]))


# -- causal --------------------------------------------------------------------------------------
@torch.no_grad()
def test_the_causal_variant_equals_the_loops():
    fusion, (a, o) = block([4, 4], past=3), streams([4, 4])
    found = fusion([a, o])
    for i in range(5):
        seen = slice(max(0, i - 2), i + 1)
        wanted = torch.stack([by_hand(fusion.steps[0], *bags)[-1] for bags in zip(a[:, seen], o[:, seen])])
        torch.testing.assert_close(found[:, i], wanted)
    assert fusion.lookahead == 0


def test_contract_of_the_causal_variant():
    check_component(GatedAttention, past=3)
