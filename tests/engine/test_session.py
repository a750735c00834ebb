"""What one training does: steps, groups, accumulation, averages, schedules, selection, and what it leaves alone."""

from __future__ import annotations

import copy
import math
import random

import numpy as np
import pytest
import torch
from engine_stub import StubBatches, StubModel, fit, section

from vadkit.engine.progress import Progress
from vadkit.engine.selection import FLATTERS
from vadkit.engine.session import Session
from vadkit.engine.tensor_tree import same
from vadkit.problems import VadkitError


def trained(model=None, batches=None, evaluate=None, **changes):
    """Return (trained model, outcome)."""
    model = model or StubModel()
    outcome = Session(model, batches or StubBatches(), section(**changes), torch.device("cpu"), evaluate=evaluate).run()
    return model, outcome


def test_a_training_lowers_the_loss_and_leaves_the_model_ready_to_score():
    model, outcome = trained(steps=60)
    losses = [record["losses"]["total"] for record in outcome.history]
    assert outcome.steps == outcome.chosen == 60
    assert losses[-1] < losses[0] - 0.1
    assert not model.training and all(p.grad is None for p in model.parameters())


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    first, second, other = (trained(seed=seed)[0].state_dict() for seed in (3, 3, 4))
    assert same(first, second) and not same(first, other)


def test_a_training_equals_the_plain_loop_of_the_text_book():
    """Against torch alone, dropout off: the same weights, bit for bit."""
    batches, model = StubBatches(), StubModel(dropout=0)
    plain = copy.deepcopy(model).train()
    optimizer = torch.optim.Adam(plain.parameters(), lr=0.01, fused=True)
    for step in range(12):
        optimizer.zero_grad()
        plain.loss(batches.batch(step))["total"].backward()
        optimizer.step()
    trained(model, batches)
    assert same(model.state_dict(), plain.state_dict())


def test_epochs_count_batches_and_steps_count_updates():
    assert trained(steps=None, epochs=3)[1].steps == 30
    assert trained(steps=None, epochs=3, accumulate=4)[1].steps == 6  # 10 batches are 2 whole updates


class Joined(StubBatches):
    """Two batches of ``StubBatches`` as one."""

    def batch(self, step):
        one, two = super().batch(2 * step), super().batch(2 * step + 1)
        return {"x": torch.cat([one["x"], two["x"]]), "labels": torch.cat([one["labels"], two["labels"]])}


def test_accumulated_batches_equal_one_big_batch():
    small, _ = trained(StubModel(dropout=0), StubBatches(), accumulate=2)
    big, _ = trained(StubModel(dropout=0), Joined())
    for name, parameter in small.named_parameters():
        torch.testing.assert_close(parameter, dict(big.named_parameters())[name], atol=1e-6, rtol=1e-5)


def test_accumulation_never_drops_a_last_incomplete_update():
    """mmengine scales the last batches of a run by what is left over; here a step is a whole update."""
    model, outcome = trained(StubModel(dropout=0), accumulate=3, steps=5)
    assert model.seen == 15 and outcome.steps == 5


def test_groups_learn_at_their_own_rate_and_rate_zero_freezes():
    start = StubModel().state_dict()
    model, outcome = trained(groups=[{"nodes": ["context"], "lr": 0.0}, {"nodes": ["score"], "lr": 0.5}], steps=1)
    assert outcome.history[0]["lr"] == {"train.groups[0]": 0.0, "train.groups[1]": 0.5, "rest": 0.01}
    end = model.state_dict()
    assert torch.equal(start["context.weight"], end["context.weight"])
    # The first step of Adam moves every weight by its rate.
    moved = (end["score.weight"] - start["score.weight"]).abs()
    torch.testing.assert_close(moved, torch.full_like(moved, 0.5), atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("groups", "says"),
    [
        ([{"nodes": ["contxt"], "lr": 1.0}], "there is no node 'contxt'"),
        ([{"nodes": ["dropout"], "lr": 1.0}], "have no parameters to train"),
        ([{"nodes": ["context"]}, {"nodes": ["score", "context"]}], "already in train.groups[0]"),
    ],
)
def test_groups_that_cannot_be_are_reported(groups, says):
    with pytest.raises(VadkitError, match="train.groups") as error:
        trained(groups=groups)
    assert says in str(error.value)


def test_an_unknown_optimizer_argument_is_reported_with_the_nearest_name():
    from vadkit.engine.optimizers import build

    with pytest.raises(VadkitError, match="did you mean 'momentum'"):
        build(StubModel(), {"use": "sgd", "lr": 0.1, "args": {"momentun": 0.9}})


@pytest.mark.guards("6")
def test_biases_may_be_left_out_of_weight_decay():
    from vadkit.engine.optimizers import build

    model = StubModel()
    section = {"use": "adam", "lr": 0.1, "weight_decay": 0.2, "decay_biases": False, "args": {}}
    groups = build(model, section, [{"nodes": ["context"], "lr": 0.3}]).param_groups
    found = {g["name"]: (g["lr"], g["weight_decay"], [p.ndim for p in g["params"]]) for g in groups}
    assert found == {
        "train.groups[0]": (0.3, 0.2, [2]),
        "train.groups[0].biases": (0.3, 0.0, [1]),
        "rest": (0.1, 0.2, [1, 2]),  # a parameter of the model, and the weight of the score
        "rest.biases": (0.1, 0.0, [1]),
    }


@pytest.mark.parametrize("name", ["adagrad", "adam", "adamw", "nadam", "sgd"])
def test_every_optimizer_trains(name):
    _, outcome = trained(optimizer={"use": name, "lr": 0.05}, steps=40)
    assert outcome.history[-1]["losses"]["total"] < outcome.history[0]["losses"]["total"]


def test_the_average_is_what_is_left_and_is_the_mean_by_definition():
    class Watch(Progress):
        seen: list = []

        def step(self, step):
            Watch.seen.append({k: v.detach().clone() for k, v in model.named_parameters()})

    model = StubModel()
    fit(model, StubBatches(), {"ema": 0.8, "steps": 6}, progress=Watch())
    mean = Watch.seen[0]["score.weight"]
    for state in Watch.seen[1:]:
        mean = 0.8 * mean + 0.2 * state["score.weight"]
    torch.testing.assert_close(model.score.weight.detach(), mean, atol=1e-6, rtol=0)
    assert not torch.equal(model.score.weight.detach(), Watch.seen[-1]["score.weight"])


def test_clipping_bounds_the_gradient_and_the_norm_is_logged():
    sgd = {"use": "sgd", "lr": 1.0, "args": {"momentum": 0.0}}
    model, outcome = trained(StubModel(dropout=0), clip_grad=1e-3, optimizer=sgd, steps=1)
    pairs = zip(model.parameters(), StubModel().parameters())
    moved = math.sqrt(sum(float((a - b).detach().square().sum()) for a, b in pairs))
    assert moved == pytest.approx(1e-3, rel=1e-3)
    assert outcome.history[0]["grad_norm"] > 1e-3


# -- selection -----------------------------------------------------------------------------------
def figure_of_steps(figures):
    """An evaluation that gives the figures one after the other, and what it saw of the weights."""
    seen = []

    def evaluate(model):
        assert not model.training and not torch.is_grad_enabled()
        torch.rand(100), np.random.rand(100), random.random()  # must not change the training
        seen.append({k: v.clone() for k, v in model.state_dict().items()})
        return {"ap": figures[len(seen) - 1], "auc": 0.5}

    return evaluate, seen


@pytest.mark.parametrize("select", ["val", "test_best"])
@pytest.mark.parametrize("ema", [None, 0.9])
def test_the_weights_of_the_best_evaluation_are_left(select, ema):
    evaluate, seen = figure_of_steps([0.2, 0.7, 0.7, 0.4])
    model, outcome = trained(select=select, evaluate_every=3, evaluate=evaluate, ema=ema)
    assert (outcome.chosen, outcome.best, outcome.steps) == (6, 0.7, 12)
    assert same(model.state_dict(), seen[1])


def test_last_keeps_the_last_weights_whatever_the_figures():
    evaluate, seen = figure_of_steps([0.9, 0.1, 0.1, 0.1])
    model, outcome = trained(evaluate_every=3, evaluate=evaluate)
    assert outcome.chosen == 12 and outcome.best is None and same(model.state_dict(), seen[-1])


def test_evaluating_changes_nothing_in_the_training():
    evaluate, _ = figure_of_steps([0.5] * 12)
    watched, _ = trained(evaluate_every=1, evaluate=evaluate, ema=0.9)
    alone, _ = trained(ema=0.9)
    assert same(watched.state_dict(), alone.state_dict())


@pytest.mark.parametrize(("select", "note"), [("last", None), ("val", None), ("test_best", FLATTERS)])
def test_only_test_best_is_labelled_in_the_log(select, note):
    evaluate, _ = figure_of_steps([0.5] * 12)
    _, outcome = trained(select=select, evaluate_every=6, evaluate=evaluate)
    records = [r for r in outcome.history if r["kind"] == "evaluation"]
    assert [r["step"] for r in records] == [6, 12]
    assert all(r["select"] == select and r.get("note") == note for r in records)


def test_selecting_without_the_figure_is_reported():
    with pytest.raises(VadkitError, match="gave no 'ap'"):
        trained(select="val", evaluate=lambda model: {"ap": float("nan")})


def test_selecting_without_an_evaluation_is_reported():
    with pytest.raises(VadkitError, match="nothing to evaluate on"):
        trained(select="val")


# -- what a training leaves alone -----------------------------------------------------------------
def test_the_random_generators_of_the_caller_are_left_as_they_were():
    torch.manual_seed(1), np.random.seed(1), random.seed(1)
    expected = torch.rand(3).tolist(), np.random.rand(3).tolist(), random.random()
    torch.manual_seed(1), np.random.seed(1), random.seed(1)
    trained()
    assert (torch.rand(3).tolist(), np.random.rand(3).tolist(), random.random()) == expected


def test_deterministic_algorithms_are_on_during_the_run_only():
    seen = []
    for wanted in (True, False):
        trained(
            deterministic=wanted,
            evaluate_every=12,
            evaluate=lambda model: {"on": seen.append(torch.are_deterministic_algorithms_enabled())},
        )
    assert seen == [True, False] and not torch.are_deterministic_algorithms_enabled()


def test_a_training_inside_another_disturbs_neither():
    """The first evaluates by training a second one, as a search for settings would."""
    alone, _ = trained()
    inner = []
    outer, outcome = trained(evaluate_every=4, evaluate=lambda model: {"n": inner.append(trained()[0].state_dict())})
    assert same(alone.state_dict(), outer.state_dict())
    assert len(inner) == 3 and all(same(alone.state_dict(), state) for state in inner)
    assert [r["step"] for r in outcome.history if r["kind"] == "evaluation"] == [4, 8, 12]
