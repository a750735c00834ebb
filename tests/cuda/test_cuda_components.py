"""Every component that computes with tensors gives on a GPU what it gives on the CPU."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from vadkit.plugin_manager import load_plugins
from vadkit.testing import check_component

pytestmark = pytest.mark.cuda
PINNED = (Path(__file__).parent.parent / "names.txt").read_text("ascii").splitlines()
COMPUTING = [line for line in PINNED if line.split()[0] in ("temporal", "fusion", "head", "source", "selector", "loss")]


@pytest.mark.parametrize("line", COMPUTING)
def test_a_component_agrees_with_the_cpu(line):
    kind, name = line.split()
    report = check_component(load_plugins().components.find(name, kind))
    not_run = [promise for promise in report.not_run if "CUDA" in promise]
    assert not_run == [] if torch.cuda.is_available() else len(not_run) >= 2


def test_components_were_found():
    assert len(COMPUTING) > 15
