"""Broken promises of optimizers, schedules and loggers are found, each broken once on purpose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from faulty import broken, named

from vadkit import Logger, Optimizer, Schedule

pytestmark = pytest.mark.guards("6")


@named
class Descent(Optimizer):
    """Follow the gradient."""

    def build(self, groups: list[dict[str, Any]]) -> Any:
        return torch.optim.SGD(groups, momentum=0.5)


@named
class Halved(Schedule):
    """Halve the rate."""

    def share(self, step: int, steps: int) -> float:
        return 0.5


@named
class Kinds(Logger):
    """Write the kinds."""

    def open(self, folder: Path, keep: int | None) -> None:
        self.folder = folder

    def write(self, record: dict[str, Any]) -> None:
        (self.folder / "last").write_text(record["kind"])


def faulty(kind: type, **members: Any) -> dict[str, str]:
    return broken(type("F", (kind,), {"name": "f", "__doc__": "Break it.", **members}))


class Forgetful(torch.optim.SGD):
    """Keeps a count that its state lacks."""

    def step(self, closure: Any = None) -> None:
        self.count = getattr(self, "count", 0) + 1
        for group in self.param_groups:
            for weight in group["params"]:
                weight.data -= group["lr"] * weight.grad / self.count


def test_sound_ones_pass() -> None:
    assert [broken(kind) for kind in (Descent, Halved, Kinds)] == [{}, {}, {}]


@pytest.mark.parametrize(
    ("build", "cause"),
    [
        (lambda self, groups: None, "not a torch optimizer"),
        (lambda self, groups: torch.optim.SGD([{**groups[0], "lr": 1.0}, groups[1]]), "became"),
        (lambda self, groups: torch.optim.SGD(groups, maximize=True), "after 20 steps"),
        (lambda self, groups: Forgetful(groups), "its state_dict lacks"),
    ],
)
def test_a_faulty_optimizer_is_found(build: Any, cause: str) -> None:
    assert cause in str(faulty(Descent, build=build))


def test_a_faulty_schedule_is_found() -> None:
    assert "is nan" in str(faulty(Halved, share=lambda self, step, steps: float("nan")))
    assert "share(3, 1) is -2" in str(faulty(Halved, share=lambda self, step, steps: 1 - step / steps))

    def counted(self: Any, step: int, steps: int) -> float:
        self.calls = getattr(self, "calls", 0) + 1
        return 1 / self.calls

    assert "would get other rates" in str(faulty(Halved, share=counted))


def test_a_faulty_logger_is_found() -> None:
    def outside(self: Any, folder: Path, keep: int | None) -> None:
        self.folder = folder.parent

    assert "outside the folder" in str(faulty(Kinds, open=outside))
    assert "KeyError" in str(faulty(Kinds, write=lambda self, record: record["losses"]))
