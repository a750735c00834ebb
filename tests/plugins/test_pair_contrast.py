"""pair_contrast against a loop over bags, pairs and snippets."""

from __future__ import annotations

import math
from itertools import combinations

import pytest
import torch
from vadkit_pair_contrast import PairContrast

from vadkit.testing import check_component


def test_contract():
    check_component(PairContrast)


def by_hand(x, lengths, temperature):
    bags = []
    for bag, n in zip(x, lengths):
        unit = bag[:n] / bag[:n].norm(dim=-1, keepdim=True)
        for a, b in combinations(unit.unbind(1), 2):
            alike = [[math.exp(float(a[i] @ b[j]) / temperature) for j in range(n)] for i in range(n)]
            rows = [-math.log(alike[i][i] / sum(alike[i])) for i in range(n)]
            columns = [-math.log(alike[i][i] / sum(row[i] for row in alike)) for i in range(n)]
            bags.append((sum(rows) + sum(columns)) / n)
    return sum(bags) / len(bags)


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_equals_the_loop(temperature):
    x, lengths = torch.randn(3, 7, 4, 5, dtype=torch.float64, generator=torch.manual_seed(0)), [7, 4, 1]
    mask = torch.arange(7) < torch.tensor(lengths)[:, None]
    found = PairContrast(parts=4, dim=5, temperature=temperature)(x, mask)
    assert float(found) == pytest.approx(by_hand(x, lengths, temperature), rel=1e-9)
    assert float(PairContrast(parts=4, dim=5)(x)) == pytest.approx(by_hand(x, [7] * 3, 0.5), rel=1e-9)


def test_a_bag_without_snippets_counts_for_nothing():
    x, mask = torch.randn(3, 7, 2, 5, generator=torch.manual_seed(1)), torch.ones(3, 7, dtype=torch.bool)
    mask[2] = False
    loss = PairContrast(parts=2, dim=5)
    torch.testing.assert_close(loss(x, mask), loss(x[:2]))


@pytest.mark.parametrize(
    ("args", "message"),
    [({"parts": 1}, "two features to compare, not 1"), ({"parts": 2, "temperature": 0.0}, "above 0")],
)
def test_refuses_what_makes_no_contrast(args, message):
    with pytest.raises(ValueError, match=message):
        PairContrast(dim=5, **args)
