"""Videos that share their source with training are measured apart from those that do not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_store import write_tiny_store

import vadkit
from vadkit.cli import main
from vadkit.evaluate.scorebook import ScoreBook
from vadkit.evaluate.source_parts import PART_FIGURES, source_parts
from vadkit.graph.model_file import save
from vadkit.store import overlap, source_rule

GRAPH = {
    "inputs": {"rgb": "b t 16"},
    "nodes": {"score": {"use": "mlp_head", "in": "rgb"}},
    "losses": {"mil": {"use": "topk_mil", "in": "score"}},
    "output": "score",
}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    store = write_tiny_store(tmp_path / "store")
    torch.manual_seed(0)
    built = vadkit.build({**GRAPH, "data": {"args": {"root": str(store), "sources": "(?P<film>.+?)__#"}}})
    return save(built, tmp_path / "model.safetensors", {})


def test_each_part_has_the_figures_of_its_own_videos(model: Path) -> None:
    found = vadkit.evaluate(model)
    sources = found.sources
    assert sources is not None and sources["what"] == "film" and sources["unknown"] == 0
    names = {video.video.name for video in found.details}
    store = [v for v in json.loads((model.parent / "store" / "videos.json").read_text()) if v["split"] == "train"]
    split = overlap(source_rule("(?P<film>.+?)__#"), names, [video["name"] for video in store])
    for part, own in (("seen", split.seen), ("clean", split.clean)):
        book = ScoreBook()
        for one in found.details:
            if one.video.name in own:
                book.add(one.video.name, one.scores, one.positives, one.frames, one.video.label or 0)
        wanted = book.figures()
        assert {key: sources[part][key] for key in PART_FIGURES} == {key: wanted[key] for key in PART_FIGURES}
        assert sources[part]["videos"] == len(own) > 0
    assert sources["seen"]["videos"] + sources["clean"]["videos"] == found.figures["videos"]
    assert "film not in training" in found.page()


def test_the_table_and_json_show_both_parts(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "--model", str(model)]) == 0
    lines = [line.split("  ")[0] for line in capsys.readouterr().out.splitlines()]
    first = lines.index("videos")
    assert lines[first + 1 : first + 4] == ["all", "film also in training", "film not in training"]
    assert main(["eval", "--model", str(model), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["sources"]["what"] == "film"


def test_without_a_rule_there_are_no_parts(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = vadkit.evaluate(model, set="data.args.sources=null")
    assert found.sources is None and "in training" not in found.page()


def test_a_part_without_a_video_has_no_figures(scored_of: Callable[..., Any]) -> None:
    class Same:
        def source_overlap(self, split: str) -> Any:
            return overlap(source_rule("(?P<camera>v)"), ["v0", "v1"], ["v7"])

    found = source_parts(Same(), "test", [])
    assert found is not None and found["clean"]["videos"] == 0 and found["clean"]["ap"] is None


def test_a_run_writes_them_down(model: Path, tmp_path: Path) -> None:
    root = str(model.parent / "store")
    data = {"args": {"root": root, "sources": "(?P<film>.+?)__#"}, "batch": 4}
    vadkit.train({**GRAPH, "data": data, "train": {"steps": 2}}, out=tmp_path / "run", device="cpu")
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert set(result["sources"]) == {"what", "rule", "seen", "clean", "unknown"}
    assert set(result["floors"]) == {"label_only", "feature_norm", "constant", "chance"}
