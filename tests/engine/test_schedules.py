"""The learning rate is a function of the step; against mmengine's own schedulers, and resumed longer."""

from __future__ import annotations

import mmengine.optim as mm
import pytest
import torch
from engine_stub import section

from vadkit.engine.schedules import Schedule, share

STEPS = 24


def rates(scheduler, optimizer, steps):
    """Return the rate used in each step."""
    used = []
    for _ in range(steps):
        used.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        scheduler.step()
    return torch.tensor(used)


def optimizer():
    one, two = torch.nn.Parameter(torch.ones(1)), torch.nn.Parameter(torch.ones(1))
    return torch.optim.SGD([{"params": [one], "lr": 0.1}, {"params": [two], "lr": 0.002}])


def ours(steps=STEPS, epoch_steps=1, **schedule):
    opt = optimizer()
    args = {key: schedule.pop(key) for key in ("end_factor", "milestones", "gamma") if key in schedule}
    schedule = {**schedule, "args": args}
    return Schedule(opt, share(section(schedule=schedule)["schedule"], steps, epoch_steps)), opt


@pytest.mark.parametrize(
    ("schedule", "theirs"),
    [
        ({"use": "constant"}, lambda o: mm.ConstantLR(o, factor=1.0, by_epoch=False)),
        ({"use": "cosine", "end_factor": 0.0}, lambda o: mm.CosineAnnealingLR(o, T_max=STEPS, by_epoch=False)),
        (
            {"use": "cosine", "end_factor": 0.1},
            lambda o: mm.CosineAnnealingLR(o, T_max=STEPS, eta_min_ratio=0.1, by_epoch=False),
        ),
        (
            {"use": "linear", "end_factor": 0.2},
            lambda o: mm.LinearLR(o, start_factor=1, end_factor=0.2, end=STEPS + 1, by_epoch=False),
        ),
        (
            {"use": "step", "milestones": [5, 12], "gamma": 0.3},
            lambda o: mm.MultiStepLR(o, milestones=[5, 12], gamma=0.3, by_epoch=False),
        ),
    ],
)
def test_an_uninterrupted_run_has_the_rates_of_mmengine(schedule, theirs):
    other = optimizer()
    torch.testing.assert_close(
        rates(*ours(**schedule), STEPS), rates(theirs(other), other, STEPS), atol=1e-9, rtol=1e-6
    )


def test_a_cosine_of_60_epochs_left_after_50_is_that_of_pel4vad():
    """Their rate falls once per epoch, along a curve that is longer than the run."""
    (scheduler, opt), other = ours(200, 4, use="cosine", span=60, per="epoch"), optimizer()
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(other, T_max=60)
    wanted = []
    for _ in range(50):
        wanted += [[group["lr"] for group in other.param_groups]] * 4
        other.step()
        theirs.step()
    torch.testing.assert_close(rates(scheduler, opt, 200), torch.tensor(wanted), atol=1e-9, rtol=1e-5)


def test_per_epoch_and_warmup():
    used = rates(*ours(24, 4, use="linear", warmup=6, per="epoch"), 24)[:, 0]
    torch.testing.assert_close(used[:6], torch.arange(1, 7) / 70)
    assert used[6:8].equal(torch.full((2,), 0.1)) and len(used[8:].unique()) == 4


def test_milestones_and_warmup_in_epochs():
    """Without the unit, milestones count steps: both drops come after the first epoch of ten steps."""
    used = rates(*ours(50, 10, use="step", milestones=[4, 8], per="epoch"), 50)[:, 0]
    torch.testing.assert_close(used[[0, 9, 10, 49]], torch.tensor([0.1, 0.1, 0.001, 0.001]))
    used = rates(*ours(50, 5, use="step", milestones=[4, 8], gamma=0.1, unit="epoch", warmup=2), 50)[:, 0]
    torch.testing.assert_close(used[:10], torch.arange(1, 11) / 110)
    torch.testing.assert_close(used[10:].unique_consecutive(), torch.tensor([0.1, 0.01, 0.001]))
    assert [int((used == rate).sum()) for rate in used[[19, 20, 40]]] == [10, 20, 10]


def test_milestones_of_the_authors_scheduler_fall_on_the_same_epochs():
    (scheduler, opt), other = ours(40, 4, use="step", milestones=[4, 8], per="epoch", unit="epoch"), optimizer()
    theirs = torch.optim.lr_scheduler.MultiStepLR(other, [4, 8])
    wanted = []
    for _ in range(10):
        wanted += [[group["lr"] for group in other.param_groups]] * 4
        other.step()
        theirs.step()
    torch.testing.assert_close(rates(scheduler, opt, 40), torch.tensor(wanted), atol=1e-9, rtol=1e-5)


@pytest.mark.parametrize("name", ["cosine", "linear"])
def test_the_unit_changes_no_curve_that_only_knows_its_length(name):
    one, other = (rates(*ours(24, 4, use=name, span=5, unit=unit), 24) for unit in ("step", "epoch"))
    torch.testing.assert_close(one, other)


def test_a_curve_shorter_than_the_run_stays_at_its_end():
    used = rates(*ours(24, 4, use="cosine", span=2, end_factor=0.5), 24)[:, 0]
    assert used[0] > used[7] and used[8:].equal(torch.full((16,), 0.05))


def test_warmup_rises_in_a_straight_line_and_the_rest_follows():
    scheduler, opt = ours(use="cosine", warmup=4)
    used = rates(scheduler, opt, STEPS)[:, 0]
    torch.testing.assert_close(used[:5], torch.tensor([0.02, 0.04, 0.06, 0.08, 0.1]))
    assert (used[4:].diff() < 0).all()


@pytest.mark.parametrize("name", ["constant", "cosine", "linear", "step"])
def test_going_to_a_step_gives_the_rate_of_that_step(name):
    scheduler, opt = ours(use=name, warmup=3)
    all_rates = rates(scheduler, opt, STEPS)
    for step in (0, 1, 3, 11, 23):
        scheduler, opt = ours(use=name, warmup=3)
        scheduler.go_to(step)
        assert rates(scheduler, opt, STEPS - step).equal(all_rates[step:])


def test_resumed_with_more_steps_the_rate_follows_the_longer_schedule():
    """mmengine restores the old end and freezes; see test_mmengine.py."""
    scheduler, opt = ours(2 * STEPS, use="linear")
    scheduler.go_to(STEPS)
    used = rates(scheduler, opt, STEPS)[:, 0]
    assert used[0] == pytest.approx(0.05) and used[-1] < 0.003 and (used.diff() < 0).all()


def test_a_run_longer_than_its_schedule_stays_at_the_end():
    scheduler, opt = ours(use="cosine", end_factor=0.25)
    assert rates(scheduler, opt, 40)[-1, 0] == pytest.approx(0.025)
