"""Optimizers and schedules keep the promises of their kinds; Adagrad against its equation."""

from __future__ import annotations

import pytest
import torch
from vadkit_adagrad import Adagrad
from vadkit_adam import Adam, AdamW, NAdam
from vadkit_constant import Constant
from vadkit_cosine import Cosine
from vadkit_linear import Linear
from vadkit_sgd import SGD
from vadkit_step import Step

from vadkit.testing import check_component

pytestmark = pytest.mark.guards("6")


@pytest.mark.parametrize("cls", [Adagrad, Adam, AdamW, NAdam, SGD, Constant, Cosine, Linear, Step])
def test_contract(cls):
    report = check_component(cls)
    assert not report.broken and not report.not_run


@pytest.mark.parametrize("args", [{}, {"momentum": 0.5, "nesterov": True}, {"momentum": 0.0}])
def test_a_weight_may_have_its_first_gradient_later(args):
    """As with a loss whose weight is 0 in the first epochs; torch's plain loop is the reference."""
    weights, others = ([torch.nn.Parameter(torch.ones(3)) for _ in range(2)] for _ in range(2))
    ours = SGD(**args).build([{"params": weights, "lr": 0.1, "weight_decay": 0.01, "name": "rest"}])
    plain = torch.optim.SGD(others, lr=0.1, weight_decay=0.01, **{"momentum": 0.9, **args}, foreach=False)
    for step in range(4):
        for optimizer, (early, late) in ((ours, weights), (plain, others)):
            optimizer.zero_grad()
            (early.square().sum() + (late.square().sum() if step > 1 else 0)).backward()
            optimizer.step()
    for weight, other in zip(weights, others):
        torch.testing.assert_close(weight, other)


def test_adagrad_by_hand():
    weight = torch.tensor([1.0, -2.0], requires_grad=True)
    optimizer = Adagrad(start=0.5).build([{"params": [weight], "lr": 0.1, "weight_decay": 0.01, "name": "rest"}])
    plain, total = torch.tensor([1.0, -2.0]), torch.full((2,), 0.5)
    for step in range(5):
        gradient = torch.tensor([0.3, -0.1]) * (step + 1)
        weight.grad = gradient.clone()
        optimizer.step()
        decayed = gradient + 0.01 * plain
        total = total + decayed**2
        plain = plain - 0.1 * decayed / (total.sqrt() + 1e-10)
    torch.testing.assert_close(weight.detach(), plain)


@pytest.mark.parametrize(
    ("cls", "args", "says"),
    [
        (Adam, {"betas": (0.9,)}, "two numbers from 0 to below 1"),
        (NAdam, {"betas": (0.9, 1.0)}, "two numbers from 0 to below 1"),
        (SGD, {"momentum": 1}, "from 0 to below 1"),
        (SGD, {"momentum": 0, "nesterov": True}, "nesterov needs"),
        (Adagrad, {"start": -1}, "at least 0"),
        (Cosine, {"end_factor": 2}, "from 0 to 1"),
        (Linear, {"end_factor": -1}, "from 0 to 1"),
        (Step, {"gamma": 0}, "above 0, at most 1"),
        (Step, {"milestones": [0]}, "above 0"),
    ],
)
def test_arguments_out_of_range_are_refused(cls, args, says):
    with pytest.raises(ValueError, match=says):
        cls(**args)
