"""The promise that a training step can be captured, on the stand-in for CUDA graphs; without it, it is not run."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from faulty import Sound, variant, with_forward
from graph_stand_in import graphs_on_cpu
from torch import Tensor

from vadkit.plugin_manager import load_plugins
from vadkit.testing.capturing import is_captured
from vadkit.testing.report import Broken, NotRun
from vadkit.testing.subject import Subject

KINDS = ("temporal", "fusion", "head", "source", "selector", "loss")


def subject(cls: type[Any]) -> Subject:
    return Subject(cls, dict(cls.example))


@pytest.mark.skipif(torch.cuda.is_available(), reason="it is run on a CUDA device")
def test_it_is_not_run_without_a_device() -> None:
    with pytest.raises(NotRun, match="no CUDA device"):
        is_captured(subject(Sound))


def asks(self: Any, x: Tensor, mask: Tensor | None = None) -> Tensor:
    return self.layer(x) * (1 if float(x.detach().sum()) > 0 else -1)


def rows(self: Any, x: Tensor, mask: Tensor | None = None) -> Tensor:
    return self.layer(x) + x[x > 0].mean()


def copies(self: Any, x: Tensor, mask: Tensor | None = None) -> Tensor:
    return self.layer(x) + torch.tensor([1.0] * 6)


def counts(self: Any, x: Tensor, mask: Tensor | None = None) -> Tensor:
    self.calls = getattr(self, "calls", 0) + 1
    return self.layer(x) * self.calls


def keeps(self: Any, x: Tensor, mask: Tensor | None = None) -> Tensor:
    """Remember the first input, which is right to do for what does not depend on it."""
    if not hasattr(self, "first"):
        self.first = x.detach().clone()
    return self.layer(x) + self.first


def sounds(self: Any, x: Tensor, mask: Tensor | None = None) -> Tensor:
    return self.layer(torch.dropout(x, 0.5, self.training))


@pytest.mark.parametrize("forward", [asks, rows, copies])
def test_what_waits_for_the_host_is_broken(forward: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with graphs_on_cpu(monkeypatch), pytest.raises(Broken, match="a training step cannot be captured: CUDA error"):
        is_captured(subject(with_forward(forward)))


def test_what_python_counts_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    with graphs_on_cpu(monkeypatch), pytest.raises(Broken, match="something is decided in Python, once"):
        is_captured(subject(with_forward(counts)))


@pytest.mark.parametrize("forward", [sounds, keeps])
def test_noise_and_caches_are_sound(forward: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with graphs_on_cpu(monkeypatch):
        is_captured(subject(variant(forward=forward)))


@pytest.mark.parametrize("kind", KINDS)
def test_every_component_is_captured_on_the_stand_in(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    components = load_plugins().components
    found = [components.find(name, kind) for name in components.names(kind)]
    with graphs_on_cpu(monkeypatch):
        for cls in found:
            for each in subject(cls).variants():
                is_captured(each)
    assert found
