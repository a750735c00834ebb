"""prompt_alignment against a loop over rows, in the order and with the row count of the authors."""

from __future__ import annotations

import math

import pytest
import torch
from vadkit_prompt_alignment import PromptAlignment

from vadkit.testing import check_component

T, DIM = 9, 6


def batch(labels, seed=0):
    generator = torch.manual_seed(seed)
    v = len(labels)
    x = torch.randn(v, T, DIM, generator=generator)
    scores = torch.rand(v, T, generator=generator)
    table = torch.randn(5, DIM, generator=generator)
    labels = torch.tensor(labels)
    classes = torch.where(labels > 0, torch.arange(1, v + 1) % 4 + 1, 0)
    prompts = torch.stack([table[0].expand(v, DIM), table[classes]], dim=1)
    return x, scores, prompts, classes, labels


def by_hand(x, scores, prompts, classes, labels, temperature, log="log_softmax"):
    rows, texts, kinds = [], [], []
    for i, abnormal in enumerate(labels.tolist()):
        for which in ("own", "background") if abnormal else ("own",):
            s = scores[i] if which == "own" else 1 - scores[i]
            weight = torch.exp(10 * s.double()) - 1
            rows.append((weight / weight.sum()) @ x[i].double())
            own = which == "own" and abnormal
            texts.append(prompts[i, 1 if own else 0].double())
            kinds.append(int(classes[i]) if own else 0)
    total = 0.0
    for a, kind in zip(rows, kinds):
        z = torch.stack([a @ b / a.norm() / b.norm() / temperature for b in texts])
        p = torch.softmax(torch.tensor([10.0 if kind == other else 0.0 for other in kinds]).double(), 0)
        q = torch.softmax(z, 0)
        total += sum(
            float(pi * (math.log(pi) - math.log(qi + (0 if log == "log_softmax" else 1e-7)))) for pi, qi in zip(p, q)
        )
    return total / len(rows)


def test_contract():
    check_component(PromptAlignment)


@pytest.mark.parametrize("log", ["log_softmax", "softmax_eps"])
@pytest.mark.parametrize("labels", [[1.0, 0.0, 1.0, 1.0], [1.0, 1.0], [0.0, 1.0]])
def test_equals_the_loop(labels, log):
    given = batch(labels)
    found = PromptAlignment(dim=DIM, temperature=0.2, log=log)(*given)["total"]
    assert float(found) == pytest.approx(by_hand(*given, 0.2, log), rel=1e-4)


@pytest.mark.parametrize("videos", range(1, 12))
def test_normal_videos_alone_lose_exactly_nothing(videos):
    assert PromptAlignment(dim=DIM)(*batch([0.0] * videos))["total"] == 0


def test_temperature_is_learned_as_its_logarithm():
    loss = PromptAlignment(dim=DIM, temperature=0.05)
    assert float(loss.logit_scale) == pytest.approx(math.log(20))
    loss(*batch([1.0, 0.0]))["total"].backward()
    assert loss.logit_scale.grad.abs() > 0


def test_crops_are_pooled_one_by_one():
    x, scores, prompts, classes, labels = batch([1.0, 0.0, 1.0, 0.0])
    loss = PromptAlignment(dim=DIM)
    pooled = loss.pool(x, scores, None, 2)
    single = loss.pool(x, scores, None, 1).view(2, 2, 2, DIM)  # (v, crops, foreground or background, c)
    assert torch.allclose(pooled.view(2, 2, DIM), single.mean(1))
    assert loss(x, scores, prompts[:2], classes[:2], labels[:2], crops=2)["total"].isfinite()


def test_padding_takes_part_unless_told_otherwise():
    x, scores, *rest = batch([1.0, 0.0])
    mask = (torch.arange(T) < 5).expand(2, T)
    short = [x[:, :5], scores[:, :5], *rest]
    assert torch.allclose(
        PromptAlignment(dim=DIM, use_mask=True)(x, scores, *rest, mask=mask)["total"],
        PromptAlignment(dim=DIM)(*short)["total"],
        rtol=1e-5,
    )
    assert torch.equal(
        PromptAlignment(dim=DIM)(x, scores, *rest, mask=mask)["total"],
        PromptAlignment(dim=DIM)(x, scores, *rest)["total"],
    )


def test_refuses_a_temperature_of_zero():
    with pytest.raises(ValueError, match="temperature must be above 0, not 0"):
        PromptAlignment(dim=DIM, temperature=0)
