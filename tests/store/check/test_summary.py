"""What a store holds, as a table and as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_store import write_tiny_store

from vadkit.backbones.crops import crop_places
from vadkit.cli import main
from vadkit.extract.run import Resources, extract_store
from vadkit.kinds import Backbone
from vadkit.store.summary import summarise


def test_streams_recipes_and_times(whole: Path) -> None:
    found = summarise(whole)
    assert found.videos == 3 and found.splits == {"test": {"unknown": 3}}
    assert found.hours == pytest.approx((40 + 60 + 80) / 24 / 3600)
    assert found.clip_times == [(0.0, pytest.approx(16 / 24))]
    rgb, sound = found.streams["rgb"], found.streams["sound"]
    assert (rgb.dim, rgb.crops, rgb.rows, rgb.random) == (3, 2, 3 + 4 + 5, False)
    assert sound.random and sound.recipe["sample_rate"] == 8000 and sound.recipe["stride"] == 16
    assert rgb.bytes == sum(path.stat().st_size for path in (whole / "rgb").iterdir())
    assert found.made_with.keys() >= {"vadkit", "av", "torch", "numpy"}


def test_table(whole: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["store", "info", str(whole)]) == 0
    out = capsys.readouterr().out
    for text in (
        "3 videos (test 3 unknown)",
        "RANDOM: means nothing",
        "fps: each video's own",
        "tail: repeat",
        "snippets of 16 frames, from 0 s on, every 0.6667 s",
        "extracted with vadkit",
    ):
        assert text in out, text


def test_a_licence_that_is_not_told(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head = json.loads((store / "store.json").read_text())
    head["streams"]["rgb"]["recipe"]["weights"] = "0123" * 16
    (store / "store.json").write_text(json.dumps(head))
    assert main(["store", "info", str(store)]) == 0
    assert capsys.readouterr().out.count("licence of the weights: unknown") == 1  # sound has random ones


def test_a_licence_is_next_to_the_recipe(
    scenes: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Learned(Backbone):
        name, modality, dim = "learned", "rgb", 3
        licence = "MIT, as published"

        def recipe(self) -> dict[str, Any]:
            return {"weights": "0123" * 16}

        def extract(self, snippets: list[np.ndarray]) -> np.ndarray:
            return np.array([s.mean((0, 1, 2)) for s in snippets], np.float32)

    entries: Any = [{"name": name, "file": str(scenes[name])} for name in ("fair", "street")]
    extract_store(entries[:1], {"rgb": Learned()}, tmp_path, resources=Resources(workers=0))
    about = json.loads((tmp_path / "store.json").read_text())["streams"]["rgb"]
    assert about["licence"] == "MIT, as published" and "licence" not in about["recipe"]
    Learned.licence = "in other words"  # decides no number, so the store can be extended
    assert extract_store(entries, {"rgb": Learned()}, tmp_path, resources=Resources(workers=0)).extracted == ["street"]
    assert main(["store", "info", str(tmp_path)]) == 0
    assert "licence of the weights: MIT, as published" in capsys.readouterr().out


def test_a_run_that_was_killed(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (store / "videos.json").unlink()
    assert main(["store", "info", str(store)]) == 2
    assert "was stopped before it ended" in capsys.readouterr().err


def test_json(whole: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["store", "info", str(whole), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["streams"]["rgb"]["recipe"]["backbone"] == "colours" and found["clip_times"][0][0] == 0


def test_the_order_of_crops_is_told(whole: Path, store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head = json.loads((store / "store.json").read_text())
    head["streams"]["rgb"]["recipe"]["crops"] = "ten_ur_dmu"
    (store / "store.json").write_text(json.dumps(head))
    places = crop_places(2, 2, 1, "ten_ur_dmu")
    order = summarise(store).streams["rgb"].order
    assert [text.removesuffix(", mirrored") for text in order] == [place.place for place in places]
    assert [text.endswith("mirrored") for text in order] == [place.mirrored for place in places]
    main(["store", "info", str(store)])
    assert "2 centre; 3 bottom left" in capsys.readouterr().out


def test_a_store_of_unknown_making(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = write_tiny_store(tmp_path / "store", crops={"rgb": 5})
    (store / "clip" / next((store / "clip").glob("*.npy")).name).unlink()
    found = summarise(store)
    assert found.streams["rgb"].crops == 5 and found.streams["clip"].unreadable == 1
    assert main(["store", "info", str(store)]) == 0
    assert "(1 unreadable)" in capsys.readouterr().out
