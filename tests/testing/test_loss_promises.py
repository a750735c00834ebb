"""The promises of losses."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from faulty import broken
from torch import Tensor

from vadkit import Loss


class Pull(Loss):
    """Pull the mean score to the label."""

    name = "pull"
    inputs = {"scores": "b t", "labels": "v", "mask?": "b t", "crops?": ""}
    needs = {"scores": "probability"}

    def forward(self, scores: Tensor, labels: Tensor, mask: Tensor | None = None, crops: int | None = None) -> Tensor:
        real = torch.ones_like(scores) if mask is None else mask.to(scores.dtype)
        mean = ((scores * real).sum(1) / real.sum(1)).view(len(labels), -1).mean(1)
        return (mean - labels).square().mean()


def loss(forward: Any, **members: Any) -> type[Any]:
    return type("Faulty", (Pull,), {"name": "faulty", "__doc__": "Teach.", "forward": forward, **members})


def mean_of(scores: Tensor, labels: Tensor) -> Tensor:
    return scores.view(len(labels), -1).mean(1)


def first_half_is_normal(self: Any, scores: Tensor, labels: Tensor, mask: Any = None, crops: Any = None) -> Tensor:
    video = mean_of(scores, labels)
    half = max(1, len(video) // 2)
    return (video[:half].square().sum() + (1 - video[half:]).square().sum()) / len(video)


def of_normal_only(self: Any, scores: Tensor, labels: Tensor, mask: Any = None, crops: Any = None) -> Tensor:
    return mean_of(scores, labels)[labels < 0.5].mean()


def branches(self: Any, scores: Tensor, labels: Tensor, mask: Any = None, crops: Any = None) -> Tensor:
    return Pull.forward(self, scores, labels, mask, crops) if scores.sum() > -1 else scores.sum()


def constant(self: Any, scores: Tensor, labels: Tensor, mask: Any = None, crops: Any = None) -> Tensor:
    return torch.tensor(1.0)


def per_row(self: Any, scores: Tensor, labels: Tensor, mask: Any = None, crops: Any = None) -> Tensor:
    return scores.mean(1)


def logarithm(self: Any, scores: Tensor, labels: Tensor, mask: Any = None, crops: Any = None) -> Tensor:
    return -(labels * mean_of(scores.log(), labels) + (1 - labels) * mean_of((1 - scores).log(), labels)).mean()


def draws(self: Any, scores: Tensor, labels: Tensor, mask: Any = None, crops: Any = None) -> Tensor:
    return (mean_of(scores * torch.rand_like(scores), labels) - labels).square().mean()


def ignores_mask(self: Any, scores: Tensor, labels: Tensor, mask: Any = None, crops: Any = None) -> Tensor:
    return (mean_of(scores, labels) - labels).square().mean()


def clips(self: Any, scores: Tensor, labels: Tensor, mask: Any = None, crops: Any = None) -> Tensor:
    scores.clamp_(0.1, 0.9) if not scores.requires_grad else None
    return Pull.forward(self, scores, labels, mask, crops)


def unnamed_parts(self: Any, scores: Tensor, labels: Tensor, mask: Any = None, crops: Any = None) -> Any:
    return {"mean": Pull.forward(self, scores, labels, mask, crops)}


def one_crop(self: Any, scores: Tensor, labels: Tensor, mask: Any = None, crops: Any = None) -> Tensor:
    return (scores.mean(1) - labels).square().mean()


LOSSES = {
    "positions": (first_half_is_normal, "permuting the videos", "in the order"),
    "all abnormal": (of_normal_only, "it gives one finite number", "nan for 4 videos (abnormal)"),
    "constant": (constant, "it can be differentiated", "nothing can be differentiated"),
    "no scalar": (per_row, "it gives one finite number", "'total' is not one number but [4]"),
    "logarithm": (logarithm, "scores of exactly 0 and 1", "for scores of exactly 0 and 1"),
    "draws": (draws, "in eval mode it gives the same number", "call to call"),
    "mask": (ignores_mask, "with the mask honoured", "other values in the padding"),
    "in place": (clips, "in eval mode it gives the same number", "modifies its input scores"),
    "parts": (unnamed_parts, "it gives one finite number", "without 'total': mean"),
    "branch": (branches, "a training step asks for no value", "waits for the device"),
    "selected rows": (of_normal_only, "a training step asks for no value", "aten.nonzero.default waits for the device"),
    "crops": (one_crop, "it gives one finite number", "RuntimeError"),
}


def test_a_sound_loss_passes() -> None:
    assert broken(Pull) == {}


@pytest.mark.parametrize("case", LOSSES)
def test_a_faulty_loss_is_found(case: str) -> None:
    forward, promise, cause = LOSSES[case]
    found = {p: how for p, how in broken(loss(forward)).items() if p.startswith(promise)}
    assert any(cause in how for how in found.values()), found


def test_a_loss_says_what_it_needs_truly() -> None:
    assert "needs declares logits" in str(broken(loss(Pull.forward, needs={"logits": "probability"})))


def test_a_loss_that_pairs_videos_may_say_so() -> None:
    def pairs(self: Any, scores: Tensor, labels: Tensor, mask: Any = None, crops: Any = None) -> Tensor:
        video = Pull.forward(self, scores, labels, mask, crops)
        means = mean_of(scores if mask is None else scores * mask, labels)
        normal, abnormal = means[labels < 0.5], means[labels > 0.5]
        count = min(len(normal), len(abnormal))
        return video + (normal[:count] - abnormal[:count]).abs().square().sum()

    promise = "permuting the videos of a batch leaves it unchanged: labels, not positions, say which is normal"
    assert promise in broken(loss(pairs))
    assert promise not in broken(loss(pairs, pairs_bags=True))
    assert promise in broken(loss(first_half_is_normal, pairs_bags=True))

    def init(self: Any) -> None:
        Loss.__init__(self)
        self.pairs_bags = True

    assert promise not in broken(loss(pairs, __init__=init))
