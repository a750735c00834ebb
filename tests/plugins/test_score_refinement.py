"""score_refinement against loops over snippets and scales."""

from __future__ import annotations

import math

import pytest
import torch
from vadkit_score_refinement import ScoreRefinement

from vadkit.testing import check_component


def by_hand(module, x, scores, real):
    """Return the refined scores of one video, of which the snippets in ``real`` exist."""
    hidden = (module.weigh[0].weight @ x[list(real)].mean(0) + module.weigh[0].bias).clamp_min(0)
    exps = [math.exp(logit) for logit in module.weigh[2].weight @ hidden + module.weigh[2].bias]
    found = []
    for t, score in enumerate(scores.tolist()):
        total = 0.0
        for number, radius in enumerate(module.radii):
            near = [scores[n].item() for n in real if n != t and abs(n - t) <= radius]
            around = sum(near) / len(near) if near else score
            apart = abs(score - around) if module.difference == "magnitude" else score - around
            logit = math.log(score / (1 - score)) + module.support[number] * around - module.contrast[number] * apart
            total += exps[number] / sum(exps) / (1 + math.exp(-logit))
        found.append(total)
    return torch.tensor(found, dtype=torch.float64)


@pytest.mark.parametrize("t", [1, 2, 5, 11])
@pytest.mark.parametrize("args", [{}, {"radii": [3], "difference": "signed"}])
def test_equals_loops(t, args):
    torch.manual_seed(t)
    module = ScoreRefinement(in_dim=6, **args).double()
    torch.nn.init.normal_(module.support)
    torch.nn.init.normal_(module.contrast)
    x, scores = torch.randn(2, t, 6, dtype=torch.float64), torch.rand(2, t, dtype=torch.float64)
    with torch.no_grad():
        for row, own, found in zip(x, scores, module(x, scores)):
            torch.testing.assert_close(found, by_hand(module, row, own, range(t)))


def test_padding_supports_no_score():
    module = ScoreRefinement(in_dim=6, use_mask=True).double()
    x, scores = torch.randn(1, 8, 6, dtype=torch.float64), torch.rand(1, 8, dtype=torch.float64)
    with torch.no_grad():
        found = module(x, scores, torch.arange(8)[None] < 5)[0]
        torch.testing.assert_close(found[:5], by_hand(module, x[0], scores[0], range(5))[:5])


@pytest.mark.parametrize("wrong", [{"radii": []}, {"radii": [0]}, {"hidden": 0}])
def test_wrong_arguments_are_refused(wrong):
    with pytest.raises(ValueError, match="at least 1"):
        ScoreRefinement(in_dim=8, **wrong)


def test_contract():
    check_component(ScoreRefinement)
