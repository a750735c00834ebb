"""channel_alignment against loops over channels, bags and snippets."""

from __future__ import annotations

from itertools import combinations

import pytest
import torch
from vadkit_channel_alignment import ChannelAlignment, assign

from vadkit.testing import check_component


def test_contract():
    check_component(ChannelAlignment)


def batch(dims, b=3, t=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = [torch.randn(b, t, dim, dtype=torch.float64, generator=generator) for dim in dims]
    return x, [torch.rand(b, t, dtype=torch.float64, generator=generator) for _ in dims]


def widened(x, main, rows, match):
    """Return x (b, t, s) at the channels of main (b, t, c), and where each channel went."""
    cosine = torch.nn.functional.cosine_similarity
    chosen = []
    for channel in x.unbind(-1):
        alike = [float(cosine(channel[rows], other[rows], dim=0)) for other in main.unbind(-1)]
        chosen.append(max((n for n in range(len(alike)) if n not in chosen), key=alike.__getitem__))
    order = chosen + [n for n in range(main.shape[-1]) if n not in chosen]
    result = torch.zeros_like(main)
    for n, place in enumerate(order):
        if match == "scatter" and n < x.shape[-1]:
            result[..., place] = x[..., n]
        if match == "gather" and place < x.shape[-1]:
            result[..., n] = x[..., place]
    return result


def by_hand(x, scores, lengths, match, use_mask):
    b, t = scores[0].shape
    real = torch.tensor([[i < n for i in range(t)] for n in lengths])
    rows = real if use_mask else torch.ones(b, t, dtype=torch.bool)
    wide = [x[0], *(widened(y, x[0], rows, match) for y in x[1:])]
    total = 0.0
    for i, j in combinations(range(len(x)), 2):
        for bag in range(b):
            for snippet in range(t):
                if not rows[bag, snippet]:
                    continue
                a, c = wide[i][bag, snippet], wide[j][bag, snippet]
                q, p = (s[bag, snippet] if real[bag, snippet] else torch.tensor(1e-6) for s in (scores[i], scores[j]))
                term = 1 - a @ c / a.norm() / c.norm() - (p * q.log() + (1 - p) * (1 - q).log())
                total = total + term / rows.sum()
    return total


@pytest.mark.parametrize("match", ["gather", "scatter"])
@pytest.mark.parametrize("use_mask", [False, True])
def test_equals_the_loops(match, use_mask):
    dims, lengths = [7, 3, 5], [6, 4, 2]
    x, scores = batch(dims)
    mask = torch.arange(6) < torch.tensor(lengths)[:, None]
    found = ChannelAlignment(dims=dims, match=match, use_mask=use_mask)(x, scores, mask)
    wanted = by_hand(x, scores, lengths, match, use_mask)
    torch.testing.assert_close(found["total"], wanted, rtol=1e-7, atol=1e-7)
    torch.testing.assert_close(found["total"], found["features"] + found["scores"])


def test_a_channel_takes_the_best_that_is_free():
    similarity = torch.tensor([[0.1, 0.9, 0.5, 0.0], [0.2, 0.8, 0.7, 0.1]])
    assert assign(similarity).tolist() == [1, 2, 0, 3]


def test_the_first_stream_is_fixed():
    x, scores = batch([6, 4, 4])
    for y in [*x, *scores]:
        y.requires_grad_()
    ChannelAlignment(dims=[6, 4, 4])(x, scores)["total"].backward()
    assert x[0].grad is None and scores[0].grad is None
    assert all(y.grad.abs().sum() > 0 for y in [*x[1:], *scores[1:]])


def test_equal_streams_are_at_no_distance():
    (x,), _ = batch([6])
    places = torch.tensor([2, 0, 5])
    loss = ChannelAlignment(dims=[6, 3], match="scatter")
    wide = loss.widen(x[..., places], x, torch.ones(3, 6, dtype=torch.bool))
    torch.testing.assert_close(wide[..., places], x[..., places])


def test_refuses_a_stream_wider_than_the_first_and_missing_scores():
    with pytest.raises(ValueError, match="x takes two streams or more, got 1"):
        ChannelAlignment(dims=[4])
    with pytest.raises(ValueError, match="x: no stream may be wider than the first: 3, 4"):
        ChannelAlignment(dims=[3, 4])
    x, scores = batch([4, 3])
    with pytest.raises(ValueError, match="as many scores as streams: 1 for 2"):
        ChannelAlignment(dims=[4, 3])(x, scores[:1])
