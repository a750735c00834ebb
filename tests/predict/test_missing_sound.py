"""A video without a sound track, to a model that takes ``presence`` and to one that does not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from clips import make_clip
from models import RECIPES, RGB_AUDIO, write_model

import vadkit
from vadkit.extract.run import extract_store
from vadkit.extract.snippets import Clock
from vadkit.graph.model_file import save
from vadkit.predict.system import load_system
from vadkit.store import read_store


@pytest.fixture
def robust(tmp_path: Path) -> Path:
    """Write the model of ``write_model``, which doubles the weight of the colour where there is no sound."""
    fused = {"use": "present_sum", "in": {"x": ["rgb", "audio"]}, "args": {"of": ["rgb", "audio"], "dim": 1}}
    head = {"use": "mlp_head", "in": "joined", "args": {"hidden": []}}
    model = vadkit.build({**RGB_AUDIO, "nodes": {"joined": fused, "score": head}})
    with torch.no_grad():
        for parameter, value in (
            (model.joined.project[0].weight, [[8.0, -8.0, 0.0]]),
            (model.joined.project[1].weight, [[8.0]]),
            (model.joined.bias, [-8.0]),
            (model.score.layers[0].weight, [[1.0]]),
            (model.score.layers[0].bias, [0.0]),
        ):
            parameter.copy_(torch.tensor(value))
    return save(model, tmp_path / "robust.safetensors", {"recipes": RECIPES})


def predicted(clip: Path, model: Path, out: Path) -> tuple[dict[str, Any], str]:
    vadkit.predict(clip, model=model, out=out, device="cpu")
    return json.loads((out / f"{clip.stem}.json").read_text()), (out / f"{clip.stem}.html").read_text()


def test_a_video_without_sound_is_scored_by_its_pictures(robust: Path, tmp_path: Path) -> None:
    clip, heard = make_clip(tmp_path / "mute.mp4", sound=None), make_clip(tmp_path / "heard.mp4")
    data, page = predicted(clip, robust, tmp_path / "out")
    assert data["absent"] == {"audio": True} and data["video"]["audio"] == "missing"
    told = "The video has no sound: the stream audio is absent, and rgb are scored without it."
    assert told in data["warnings"] and told in page
    assert all(row["contributions"]["audio"] == 0 for row in data["scores"])
    system = load_system(robust, "cpu")
    rgb = system.extract(clip).streams["rgb"]
    wanted = vadkit.score(robust, {"rgb": rgb})
    assert [row["score"] for row in data["scores"]] == pytest.approx(wanted, abs=1e-6)
    assert vadkit.Scorer(robust).video(clip).scores == pytest.approx(wanted, abs=1e-6)
    assert predicted(heard, robust, tmp_path / "out")[0]["absent"] == {}


def test_where_sound_is_lost_the_pictures_alone_are_scored(robust: Path, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "lost.mp4", sound="lost")
    data, page = predicted(clip, robust, tmp_path / "out")
    system = load_system(robust, "cpu")
    found = system.extract(clip)
    ((start, end),) = found.absent["audio"]
    assert end == len(found.snippet_times) and 4 <= found.snippet_times[start][0] <= 4.5
    assert data["absent"] == {"audio": [[start, end]]}
    said = f"Nothing can be heard in {end - start} of {end} snippets: the stream audio is absent there, and rgb"
    assert any(warning.startswith(said) for warning in data["warnings"]) and said in page
    added = [row["contributions"]["audio"] for row in data["scores"]]
    assert any(added[:start]) and not any(added[start:])
    rows = np.arange(end) >= start
    wanted = vadkit.score(robust, found.streams, absent={"audio": rows})
    assert [row["score"] for row in data["scores"]] == pytest.approx(wanted, abs=1e-6)
    assert not np.allclose(wanted, vadkit.score(robust, found.streams))


def test_other_models_take_the_features_of_silence_as_before(tmp_path: Path) -> None:
    model, clip = write_model(tmp_path / "m.safetensors", audio=True), make_clip(tmp_path / "mute.mp4", sound=None)
    data, _ = predicted(clip, model, tmp_path / "out")
    assert data["absent"] == {}
    assert "Without sound, the stream audio holds the features of silence." in data["warnings"]


def test_a_store_declares_the_sound_of_such_a_video_absent(robust: Path, tmp_path: Path) -> None:
    clip, heard = make_clip(tmp_path / "mute.mp4", sound=None), make_clip(tmp_path / "heard.mp4")
    system = load_system(robust, "cpu")
    entries: Any = [{"name": path.stem, "file": str(path), "label": 0} for path in (clip, heard)]
    root = tmp_path / "store"
    rgb, audio = ({name: system.backbones[name]} for name in ("rgb", "audio"))
    for backbones in (rgb, audio, rgb | audio):  # also where a stream is added to a finished store
        extract_store(entries, backbones, root, clock=Clock(**system.clock))
    mute, other = read_store(root).videos
    assert mute.absent == {"audio": ((0, None),)} and other.absent == {}
    found = vadkit.evaluate(robust, set=[f"data.args.root={root}"], device="cpu")
    assert found.scores["mute"] == pytest.approx(vadkit.Scorer(robust).video(clip).scores, abs=1e-6)
    assert found.protocol["absent_share"] == {"rgb": 0.0, "audio": 0.5}
    gaps = system.extract(make_clip(clip, sound="lost")).absent
    for sound, wanted in (("lost", gaps), ("beep", {})):
        make_clip(clip, sound=sound)  # the file is replaced
        extract_store(entries, rgb | audio, root, clock=Clock(**system.clock))
        assert read_store(root).videos[0].absent == wanted
        assert np.load(root / "audio" / "mute.npy").any()
        before = (root / "videos.json").stat().st_mtime_ns
        extract_store(entries, rgb | audio, root, clock=Clock(**system.clock))
        assert (root / "videos.json").stat().st_mtime_ns == before
