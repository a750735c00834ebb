"""What the components of prototypes, attention pooling and joined scores refuse, and what no choice may do.

Their formulas are checked in tests/formulas.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from vadkit_attention_pool import AttentionPool
from vadkit_prototype_clustering import PrototypeClustering
from vadkit_prototype_head import PrototypeHead
from vadkit_prototype_triplet import PrototypeTriplet
from vadkit_score_mean import ScoreMean
from vadkit_top_score import TopScore

WRONG: list[tuple[Callable[[], nn.Module], str]] = [
    (lambda: ScoreMean(weights=[0.0, 0.0]), "weights are of a mean, at least 0, and not all 0"),
    (lambda: ScoreMean(weights=[]), "weights are of a mean"),
    (lambda: ScoreMean(form="product", weights=[1.0]), r"\[1.0\] of a product"),
    (lambda: AttentionPool(in_dim=4, hidden=0), "hidden must be at least 1, not 0"),
    (lambda: PrototypeClustering(rows=2, dim=4, spread=-1.0), "spread must be at least 0, not -1.0"),
    (lambda: PrototypeTriplet(dim=4, rows=2, margin=2.5), "from 0 to 2, not 2.5"),
    (lambda: PrototypeTriplet(dim=4, rows=2, divisor=0), "divisor must be at least 1, not 0"),
    (lambda: TopScore(k=0), "k must be at least 1, not 0"),
]


@pytest.mark.parametrize(("build", "message"), WRONG)
def test_a_wrong_argument_is_refused(build: Callable[[], nn.Module], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()


def test_every_head_has_a_weight() -> None:
    with pytest.raises(ValueError, match="there are 3 weights for 2 heads"):
        ScoreMean(weights=[1.0, 2.0, 3.0])([torch.rand(1, 4), torch.rand(1, 4)])


def test_no_gradient_flows_through_a_choice() -> None:
    assert not TopScore(k=2)(torch.rand(2, 5, requires_grad=True)).requires_grad


def test_a_clipped_score_has_no_slope_where_a_halved_one_has() -> None:
    slopes = {}
    for form in ("clipped", "halved"):
        x = torch.tensor([[[-1.0, 0.2]]], requires_grad=True)
        PrototypeHead(in_dim=2, rows=1, form=form)(x, torch.tensor([[1.0, 0.0]]))["scores"].sum().backward()  # type: ignore[arg-type]
        assert x.grad is not None
        slopes[form] = float(x.grad.abs().sum())
    assert slopes["clipped"] == 0 < slopes["halved"]


def test_whatever_scores_a_pooled_bag_scores_all_of_its_snippets_alike() -> None:
    scores = nn.Linear(4, 1)(AttentionPool(in_dim=4, hidden=3)(torch.rand(2, 5, 4))["x"])[..., 0]
    torch.testing.assert_close(scores, scores[:, :1].expand_as(scores), rtol=1e-6, atol=1e-7)
