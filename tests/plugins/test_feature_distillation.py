"""feature_distillation against sums over snippets."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from vadkit_feature_distillation import FeatureDistillation

from vadkit.testing import check_component

MASK = torch.arange(6) < torch.tensor([[6], [2], [0]])


def pair() -> tuple[Tensor, Tensor]:
    generator = torch.manual_seed(0)
    return torch.randn(3, 6, 4, generator=generator), torch.randn(3, 6, 4, generator=generator)


def apart(a: list[float], b: list[float], mode: str) -> float:
    if mode == "mse":
        return sum((p - q) ** 2 for p, q in zip(a, b)) / len(a)
    return 1 - sum(p * q for p, q in zip(a, b)) / math.hypot(*a) / math.hypot(*b)


def test_contract() -> None:
    check_component(FeatureDistillation)


@pytest.mark.parametrize("mode", ["cosine", "mse"])
def test_equals_the_mean_over_real_snippets(mode: str) -> None:
    x, teacher = pair()
    terms = [apart(a, b, mode) for a, b in zip(x[MASK].tolist(), teacher[MASK].tolist())]
    found = FeatureDistillation(dim=4, mode=mode)(x, teacher, MASK)  # type: ignore[arg-type]
    assert float(found) == pytest.approx(sum(terms) / len(terms), rel=1e-5)


def test_cosine_does_not_see_the_length_and_mse_does() -> None:
    x, _ = pair()
    assert float(FeatureDistillation(dim=4)(x, 3 * x)) == pytest.approx(0, abs=1e-6)
    assert float(FeatureDistillation(dim=4, mode="mse")(x, 3 * x)) > 1


def test_the_teacher_learns_nothing() -> None:
    x, teacher = (s.requires_grad_() for s in pair())
    FeatureDistillation(dim=4)(x, teacher).backward()  # type: ignore[no-untyped-call]
    assert teacher.grad is None and x.grad is not None and x.grad.abs().sum() > 0
