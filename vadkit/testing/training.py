"""The promises of components that a training run uses: optimizer, schedule, logger."""

from __future__ import annotations

import copy
import math
import tempfile
from pathlib import Path
from typing import Any

import torch

from vadkit.testing.arrays import builds_without_arguments
from vadkit.testing.report import Broken, NotRun
from vadkit.testing.subject import Subject

STEPS = 20


def _groups(start: float = 1.0, rate: float = 0.05) -> list[dict[str, Any]]:
    """Return two parameter groups as the engine gives them; the second has a rate of 0."""
    groups = []
    for name, lr in (("first", rate), ("frozen", 0.0)):
        weight = torch.full((3,), start, requires_grad=True)
        groups.append({"params": [weight], "lr": lr, "weight_decay": 0.0, "name": name})
    return groups


def _step(optimizer: torch.optim.Optimizer) -> None:
    for group in optimizer.param_groups:
        for weight in group["params"]:
            weight.grad = 2 * weight.detach()  # of the sum of squares
    optimizer.step()


def keeps_the_groups(subject: Subject) -> None:
    """build returns a torch optimizer with the given groups, rates and names"""
    groups = _groups()
    optimizer = subject.build().build(groups)
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise Broken(f"build returned a {type(optimizer).__name__}, not a torch optimizer")
    found = [(group.get("name"), group.get("lr")) for group in optimizer.param_groups]
    if found != [(group["name"], group["lr"]) for group in groups]:
        raise Broken(f"the groups first (lr 0.05) and frozen (lr 0) became {found}")


def learns(subject: Subject) -> None:
    """it lowers a sum of squares, and leaves weights with a learning rate of 0 as they are"""
    optimizer = subject.build().build(_groups())
    for _ in range(STEPS):
        _step(optimizer)
    first, frozen = (group["params"][0].detach() for group in optimizer.param_groups)
    if not bool((first.abs() < 1).all()):
        raise Broken(f"after {STEPS} steps from 1 the weights are {first.tolist()}")
    if not bool((frozen == 1).all()):
        raise Broken(f"with a learning rate of 0 the weights moved from 1 to {frozen.tolist()}")


def resumes(subject: Subject) -> None:
    """restored from its state_dict, it takes the same next steps"""
    straight = subject.build().build(_groups())
    for _ in range(4):
        _step(straight)
    values = [group["params"][0].detach().clone() for group in straight.param_groups]
    resumed = subject.build().build(_groups())
    resumed.load_state_dict(copy.deepcopy(straight.state_dict()))  # torch would share the tensors
    with torch.no_grad():
        for group, value in zip(resumed.param_groups, values):
            group["params"][0].copy_(value)
    for optimizer in (straight, resumed):
        _step(optimizer)
    for one, other in zip(straight.param_groups, resumed.param_groups):
        if not torch.equal(one["params"][0], other["params"][0]):
            raise Broken("it keeps something that its state_dict lacks, so a resumed run would differ")


def gives_shares(subject: Subject) -> None:
    """share returns a finite number of 0 or more, of curves of 1, 2 and 100 steps and after their ends"""
    schedule = subject.build()
    for steps in (1, 2, 100):
        for step in (0, 1, steps // 2, steps - 1, steps, 3 * steps):
            share = schedule.share(step, steps)
            if not isinstance(share, int | float) or not math.isfinite(share) or share < 0:
                raise Broken(f"share({step}, {steps}) is {share!r}")


def keeps_nothing(subject: Subject) -> None:
    """share depends on the step alone, not on the steps that were asked for before"""
    forward, backward = subject.build(), subject.build()
    there = [forward.share(step, STEPS) for step in range(STEPS)]
    back = [backward.share(step, STEPS) for step in reversed(range(STEPS))]
    if there != back[::-1]:
        raise Broken("a run that resumes would get other rates")


RECORDS: tuple[dict[str, Any], ...] = (
    {"kind": "start", "step": 0, "seed": 0, "select": "val", "device": "cpu", "processes": 1, "versions": {}},
    {"kind": "train", "step": 2, "epoch": 0.5, "losses": {"total": 0.7, "mil": None}, "lr": {"rest": 0.1},
     "seconds": 1.0, "steps_per_second": 2.0, "waiting": 0.0},
    {"kind": "evaluation", "step": 2, "split": "val", "select": "val", "figures": {"ap": 0.5, "auc": None}},
    {"kind": "train", "step": 4, "epoch": 1.0, "losses": {"total": 0.6, "mil": 0.5}, "lr": {"rest": 0.1},
     "grad_norm": 1.0, "weights": {"mil": 0.7}, "seconds": 2.0, "steps_per_second": 2.0, "waiting": 0.0},
    {"kind": "evaluation", "step": 4, "split": "test", "select": "val", "figures": {"ap": 0.6}, "final": True},
)  # fmt: skip


def writes_records(subject: Subject) -> None:
    """it takes every kind of record, of a new run and of one that resumes, and writes into its folder only"""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "logs" / "own"
        folder.mkdir(parents=True)
        for keep, records in ((None, RECORDS), (2, ({**RECORDS[0], "kind": "resume", "step": 2}, *RECORDS[3:]))):
            logger = subject.build()
            try:
                logger.open(folder, keep)
            except ImportError as error:
                raise NotRun(f"it cannot be built here: {error}") from error
            for record in records:
                logger.write(dict(record))
            logger.close()
        if [path.name for path in folder.parent.iterdir()] != ["own"] or len(list(Path(place).iterdir())) != 1:
            raise Broken("it wrote outside the folder that open was given")


OPTIMIZER = [builds_without_arguments, keeps_the_groups, learns, resumes]
SCHEDULE = [builds_without_arguments, gives_shares, keeps_nothing]
LOGGER = [builds_without_arguments, writes_records]
