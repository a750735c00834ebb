"""At 80 columns a progress line keeps its bar, the step and the time left; what is cut is the rest."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from vadkit.api import progress, train_progress

pytestmark = pytest.mark.guards("6")


def lines(text: str) -> list[str]:
    return [line for line in re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)) if line.strip()]


def terminal(width: int) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None, legacy_windows=False)


@pytest.mark.parametrize("width", [60, 80, 200])
def test_training(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    console = terminal(width)
    monkeypatch.setattr(train_progress, "console", lambda stderr: console)
    shown = train_progress.TrainProgress()
    shown.begin(0, 12000)
    shown.step(11999)
    losses = {f"a_long_name_of_a_loss_{n}": 0.123456 for n in range(6)} | {"total": 1.0}
    shown.record({"kind": "train", "losses": losses, "steps_per_second": 3.21})
    shown.end()
    line = lines(console.file.getvalue())[-1]
    assert len(line) <= width
    assert (
        line.startswith("training \u2501")
        and "11999/12000" in line
        and re.search(r"[-\d]:[-\d]{2}:[-\d]{2} left", line)
    )
    assert "left 3.21" in line and "\u2026" in line


@pytest.mark.parametrize("width", [60, 80])
def test_videos(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    console = terminal(width)
    monkeypatch.setattr(progress, "console", lambda stderr: console)
    with progress.showing(True, "videos") as callback:
        callback(7, 5000, "A.Very.Long.Name.Of.A.Film.2004__#00-21-52_00-23-00_label_B2-0-0" * 2)
    line = next(line for line in lines(console.file.getvalue()) if "7/5000" in line)
    assert len(line) <= width and line.startswith("videos 7/5000 ") and " left A.V" in line
