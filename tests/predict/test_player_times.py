"""A page that plays the user's own file goes by the player's times; a copy begins with the first picture."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chromium import Chromium
from clips import alarm, make_clip
from models import write_model

from vadkit.predict import predict

pytestmark = pytest.mark.guards("F")

LATE = 3.0


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pages of one scene, red from its second 2 to 4: as it is, 3 s after its sound, and with a clock that jumps."""
    folder = tmp_path_factory.mktemp("times")
    times = np.arange(48) / 8
    make_clip(folder / "plain.mp4", sound="beep")
    make_clip(folder / "late.mp4", 9, alarm(LATE + 2, LATE + 4), times=list(LATE + times))
    make_clip(folder / "jump.mp4", 6, alarm(2, 4), times=[t if t < 3 else t + 5000 for t in times], sound=None)
    make_clip(folder / "late.webm", 6, alarm(LATE + 2, LATE + 4), times=list(LATE + times), sound=None, video="libvpx")
    predict([folder], write_model(folder / "model.safetensors", audio=True), folder / "out")
    return folder / "out"


def page(out: Path, name: str) -> tuple[str, dict[str, Any]]:
    text = (out / f"{name}.html").read_text()
    found = re.search(r'id="data">(.*?)</script>', text, re.DOTALL)
    assert found
    return text, json.loads(found[1])


def test_a_page_goes_by_the_players_times(out: Path) -> None:
    plain, late = page(out, "plain")[1], page(out, "late")[1]
    assert plain["offset"] == 0 and late["offset"] == LATE
    assert late["edges"] == pytest.approx([edge + LATE for edge in plain["edges"]])
    text = page(out, "late")[0]
    assert 'src="../late.mp4"' in text and "first picture at 0:03.0" in text
    links = [float(t) for t in re.findall(r"late\.mp4#t=([0-9.]+)", text)]
    assert links and min(links) >= LATE


def test_json_and_csv_count_from_the_first_picture_and_tell_the_offset(out: Path) -> None:
    plain, late = (json.loads((out / f"{name}.json").read_text()) for name in ("plain", "late"))
    assert [s["start"] for s in late["scores"]] == [s["start"] for s in plain["scores"]]
    assert (plain["video"]["first_picture_at"], late["video"]["first_picture_at"]) == (0.0, LATE)
    assert (out / "late.csv").read_text().splitlines()[1].startswith("0.0,")


@pytest.mark.parametrize(("name", "file"), [("jump", "jump.mp4"), ("late-2", "late.webm")])
def test_where_players_may_differ_the_page_plays_a_copy(out: Path, name: str, file: str) -> None:
    text, data = page(out, name)
    assert f'src="./{name}.preview.mp4"' in text and data["offset"] == 0 and data["edges"][0] == 0
    assert "players may show" in text
    assert json.loads((out / f"{name}.json").read_text())["video"]["first_picture_at"] is None


def test_in_a_browser_the_score_is_that_of_the_picture(out: Path) -> None:
    data = page(out, "late")[1]
    with Chromium() as browser:
        browser.open(out / "late.html")
        browser.wait("document.getElementById('video').readyState >= 2")
        for time in (1.0, 4.5, 6.9):
            browser.run(f"document.getElementById('video').currentTime = {time}")
            browser.wait("!document.getElementById('video').seeking")
            shown = str(browser.run("document.getElementById('now').textContent"))
            seen = max(time, LATE)
            place = int(np.searchsorted(data["edges"], seen + 1e-6, "right")) - 1
            assert f"0:0{seen:.1f}" in shown and f"{data['scores'][place]:.3f}" in shown
        duration = float(browser.run("document.getElementById('video').duration"))  # type: ignore[arg-type]
        assert duration == pytest.approx(LATE + 6, abs=0.2), "the player counts the 3 s before the pictures"
        assert browser.errors == []
