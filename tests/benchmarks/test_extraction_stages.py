"""The command that holds each stage of extraction against its limit."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

import extraction_stages  # noqa: E402
import results  # noqa: E402

from vadkit.backbones.flow import TvL1Settings  # noqa: E402
from vadkit.demo.render import render  # noqa: E402
from vadkit.demo.script import Clip  # noqa: E402

STAGES = ["decode", "resize and crop", "TV-L1", "I3D rgb", "I3D flow", "CLIP ViT-B/16", "VGGish"]


def test_every_stage_has_a_limit_and_a_reason_if_it_is_far_above(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    render(Clip("clip", "test", "normal", 0, 30, None, (0, 0)), tmp_path / "clip.mp4")
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    extraction_stages.main([str(tmp_path / "clip.mp4"), "--small"])
    (file,) = tmp_path.glob("extraction_stages-small-cpu-*.json")
    rows = json.loads(file.read_text())["rows"]
    assert [row["stage"] for row in rows] == STAGES
    for row in rows:
        assert row["limit, ms"] > 0 and math.isclose(row["ratio"], row["CPU ms"] / row["limit, ms"], rel_tol=0.02)
        assert (row["why"] == "-") == (row["ratio"] <= extraction_stages.FAR)


def test_the_loops_of_tv_l1_are_counted() -> None:
    """Two equal frames: one iteration after one median for each warp of each level."""
    frame = np.random.default_rng(0).integers(0, 255, (32, 40), dtype=np.uint8)
    settings = TvL1Settings()
    visits = settings.warps * sum(h * w for h, w in settings.sizes(32, 40))
    counted = extraction_stages.counted_flow(np.stack([frame, frame]))
    assert counted == {"inner_loop": visits, "median": visits, "warp": visits}
