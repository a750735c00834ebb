"""The contract test as a whole: what it reports, and that each promise was broken once on purpose."""

from __future__ import annotations

import pytest
import torch
from faulty import Sound, broken, with_forward
from torch import nn

from vadkit.testing import ComponentError, check_component


def test_a_sound_component_passes_and_exports() -> None:
    report = check_component(Sound)
    assert report.broken == {} and len(report.kept) > 20
    assert "promises kept, 0 broken" in str(report)
    assert set(report.not_run.values()) <= {"there is no CUDA device"}
    assert len(report.not_run) == (0 if torch.cuda.is_available() else 2)


def test_the_error_names_component_promise_and_cause() -> None:
    with pytest.raises(ComponentError) as error:
        check_component(with_forward(lambda self, x, mask=None: self.layer(x)[:, :1]))
    text = str(error.value)
    assert text.startswith("faulty (temporal): ")
    assert "broken: outputs have their declared shapes and are finite" in text
    assert "output x is declared 'b t dim' = [1, 2, 6] but is [1, 1, 6] at b=1, t=2" in text


def test_all_broken_promises_are_reported_at_once() -> None:
    found = broken(with_forward(lambda self, x, mask=None: x.detach() + torch.rand(()) + x.mean()))
    assert len(found) >= 4


def test_what_is_no_component_is_refused() -> None:
    with pytest.raises(TypeError, match="Linear is no component"):
        check_component(nn.Linear)


def test_overrides_reach_the_constructor() -> None:
    assert "ZeroDivisionError" in str(
        broken(with_forward(lambda self, x, mask=None: self.layer(x) / (1 if self.in_dim == 6 else 1 // 0)), in_dim=5)
    )
