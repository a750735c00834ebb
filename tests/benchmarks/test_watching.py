"""The benches of watching, in a small form: what they write, and that memory is bounded."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from clips import alarm, make_clip
from models import write_model
from unpackaged import TINY_BACKBONES, unpackaged

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

import latency  # noqa: E402
import results  # noqa: E402
import soak  # noqa: E402


@pytest.fixture(scope="module", autouse=True)
def tiny_backbones() -> Iterator[None]:
    with unpackaged(TINY_BACKBONES):
        yield


def rows(folder: Path, name: str) -> list[dict[str, float]]:
    (file,) = folder.glob(f"{name}-cpu-*.json")
    return json.loads(file.read_text())["rows"]  # type: ignore[no-any-return]


def test_latency_and_soak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "FOLDER", tmp_path / "results")
    monkeypatch.setattr(soak, "LENGTH", 18.0)
    model = str(write_model(tmp_path / "model.safetensors", audio=True))
    video = str(make_clip(tmp_path / "clip.mp4", 2.0, alarm(1, 2)))
    latency.main(["--model", model, "--video", video, "--cameras", "2", "--seconds", "2"])
    (row,) = rows(tmp_path / "results", "latency")
    assert row["cameras"] == 2 and row["scores"] >= 8 and row["events"] == 2
    assert 0 <= row["p50, ms"] <= row["p95, ms"] <= row["worst, ms"]
    soak.main(["--model", model, "--video", video, "--hours", "0.02", "--pace", "200"])
    (row,) = rows(tmp_path / "results", "soak")
    assert row["hours of stream"] == 0.02 and row["scores"] > 0 and row["at most, MiB"] > 0
    assert 1 <= len(row["held between recordings, MiB"].split()) <= 4  # at this pace, all of one may be dropped
