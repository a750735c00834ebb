"""Every component that vadkit brings keeps its contract. None is skipped, and what is not run is counted."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from vadkit.plugin_manager import load_plugins
from vadkit.testing import Report, check_component

PINNED = (Path(__file__).parent / "names.txt").read_text("ascii").splitlines()
# The only reasons for a promise not to be tested, and what they may be about.
NOT_RUN = {
    "a training step is captured on a CUDA device, and replayed on other inputs it gives what it gives without": (
        "there is no CUDA device"
    ),
    "it gives the same outputs on a CUDA device": "there is no CUDA device",
    "it gives the same number on a CUDA device": "there is no CUDA device",
}
REPORTS: dict[str, Report] = {}


@pytest.mark.parametrize("line", PINNED)
def test_component_keeps_its_contract(line: str) -> None:
    kind, name = line.split()
    component = load_plugins().components.find(name, kind)
    assert component is not None, f"{line} is not registered"
    report = check_component(component)
    assert report.kept and not report.broken
    REPORTS[name] = report


def test_every_component_was_checked(request: pytest.FixtureRequest) -> None:
    run = [item for item in request.session.items if item.name.startswith("test_component_keeps_its_contract")]
    if len(run) < len(PINNED):
        pytest.skip("only some components were selected")
    assert len(REPORTS) == len(PINNED) >= 27
    not_run = Counter((p.split(" (with ")[0], why) for r in REPORTS.values() for p, why in r.not_run.items())
    assert not_run.keys() <= NOT_RUN.items(), not_run  # a promise is kept again with optional ports wired
