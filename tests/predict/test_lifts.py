"""What each stream adds to a score, and the sentence about it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from clips import alarm, make_clip
from models import write_model

import vadkit
from vadkit.graph.model_file import save
from vadkit.predict import predict
from vadkit.predict.lifts import copies_note, lift_sentence, logits_of, neutral
from vadkit.predict.system import System, load_system

pytestmark = pytest.mark.guards("3")

CALM, EVENT = [0.25, 0.25, 0.25], [0.9, 0.1, 0.1]
RGB = np.array([CALM, CALM, EVENT, EVENT, CALM, CALM], np.float32)
AUDIO = np.array([[1.3], [1.3], [1.6], [1.6], [1.3], [1.3]], np.float32)
INSIDE, OUTSIDE = slice(2, 4), [0, 1, 4, 5]


def sure(path: Path, scale: float, **changes: object) -> System:
    """Return a system whose scores are 0 or 1 to the last digit: each stream alone is enough for that."""
    model = vadkit.load(write_model(path / "m.safetensors", audio=True, **changes))  # type: ignore[arg-type]
    with torch.no_grad():
        model.score.layers[0].weight.mul_(scale)  # type: ignore[union-attr]
        model.score.layers[0].bias.fill_(scale * -11.4)  # type: ignore[union-attr]
    return load_system(save(model, path / "sure.safetensors", {}), "cpu")


SMOOTH = [{"use": "score_smoothing", "args": {"kappa": 1}}]


@pytest.mark.parametrize(("scale", "post"), [(1, []), (10, []), (60, []), (1, SMOOTH), (3, SMOOTH)])
def test_contributions_lift_inside_the_event_however_sure_the_model_is(
    tmp_path: Path, scale: float, post: list[dict[str, object]]
) -> None:
    system = sure(tmp_path, scale, eval={"threshold": 0.5, "post": post})
    scored = system.scored({"rgb": RGB, "audio": AUDIO})
    lifts = system.lifts({"rgb": RGB, "audio": AUDIO}, scored)
    for name in ("rgb", "audio"):
        values = lifts.contributions[name]
        assert values[INSIDE].min() > 1.5, name
        assert np.abs(values[OUTSIDE]).max() < 1e-3, name
    if scale > 1:  # differences of probabilities say nothing here, which is what the page showed
        assert np.ptp(scored.scores[INSIDE]) == 0 and scored.scores[INSIDE].min() > 0.999


def test_without_post_processing_contributions_are_exact_at_any_logit(tmp_path: Path) -> None:
    system = sure(tmp_path, 60)
    lifts = system.lifts({"rgb": RGB, "audio": AUDIO}, system.scored({"rgb": RGB, "audio": AUDIO}))
    assert lifts.contributions["rgb"][2] == pytest.approx(60 * 6.4, rel=1e-4)
    assert lifts.contributions["audio"][2] == pytest.approx(60 * 2.4, rel=1e-4)


def test_a_head_that_gives_probabilities_is_explained_in_bounded_logits(tmp_path: Path) -> None:
    graph = {
        "inputs": {"rgb": {"use": "mean_colour"}},
        "nodes": {"score": {"use": "own_sigmoid", "in": "rgb"}},
        "output": "score",
    }
    system = load_system(save(vadkit.build(graph), tmp_path / "m.safetensors", {}), "cpu")
    lifts = system.lifts({"rgb": RGB}, system.scored({"rgb": RGB}))
    assert system.unit == "logit" and system.model.output_range == "probability"
    assert lifts.contributions["rgb"].tolist() == pytest.approx([0, 0, 28, 28, 0, 0], abs=0.1)  # 16 + 12


def test_logits_of_probabilities_are_bounded() -> None:
    assert logits_of(np.array([0.0, 0.5, 1.0]), 16).tolist() == pytest.approx([-16, 0, 16], abs=1e-6)
    assert logits_of(np.array([0.9]), 30)[0] == pytest.approx(np.log(9))


def test_the_neutral_value_is_the_mean_of_the_calmer_half() -> None:
    stream = np.array([[1.0], [9.0], [3.0], [8.0]], np.float32)
    assert neutral(stream, np.array([0.1, 0.9, 0.2, 0.8]))[:, 0].tolist() == [2, 2, 2, 2]
    crops = np.stack([stream, 10 * stream])
    assert neutral(crops, np.array([0.1, 0.9, 0.2, 0.8]))[:, 0, 0].tolist() == [2, 20]
    assert neutral(stream[:1], np.array([0.1])).tolist() == [[1.0]]


@pytest.mark.parametrize(
    ("without", "sentence"),
    [
        ({}, ""),
        ({"rgb": 0.9, "audio": 0.31}, "audio lifts it over the threshold; without it 0.310"),
        (
            {"rgb": 0.2, "audio": 0.31},
            "rgb and audio lift it over the threshold; without rgb 0.200, without audio 0.310",
        ),
        ({"rgb": 0.9, "audio": 0.8}, "even without audio it reaches 0.800"),
        (
            {"a": 0.9, "b": 0.8, "c": 0.9, "b+a": 0.7, "b+a+c": 0.1},
            "b, a and c together lift it over the threshold; without them 0.100",
        ),
        ({"rgb": 0.7}, "even without rgb it reaches 0.700"),
    ],
)
def test_one_sentence_says_what_lifts_an_event(without: dict[str, float], sentence: str) -> None:
    assert lift_sentence(without, 0.5) == sentence


def test_the_page_and_the_json_say_which_stream_lifts_the_event(tmp_path: Path) -> None:
    model = write_model(tmp_path / "m.safetensors", audio=True)
    clip = make_clip(tmp_path / "loud.mp4")  # red and loud from 2 s to 4 s
    assert predict([clip], model, tmp_path / "out")[0].error is None
    data = json.loads((tmp_path / "out" / "loud.json").read_text())
    (event,) = data["events"]
    assert event["without"].keys() == {"rgb", "audio"} and event["without"]["rgb"] < 0.5 < event["without"]["audio"]
    assert event["lift"] == f"rgb lifts it over the threshold; without it {event['without']['rgb']:.3f}"
    assert event["lift"] in (tmp_path / "out" / "loud.html").read_text()
    assert data["contributions"]["unit"] == "logit" and "calmer half" in data["contributions"]["meaning"]


def test_streams_that_are_copies_of_each_other_are_said_so(tmp_path: Path) -> None:
    inputs = {"rgb": {"use": "mean_colour"}, "clip": {"use": "mean_colour"}}
    nodes = {
        "joined": {"use": "concat", "in": ["rgb", "clip"]},
        "score": {"use": "mlp_head", "in": "joined", "args": {"hidden": []}},
    }
    model = vadkit.build({"inputs": inputs, "nodes": nodes, "output": "score"})
    save(model, tmp_path / "m.safetensors", {})
    clip = make_clip(tmp_path / "a.mp4", sound=None, colour=alarm(0, 1))
    assert predict([clip], tmp_path / "m.safetensors", tmp_path / "out")[0].error is None
    data = json.loads((tmp_path / "out" / "a.json").read_text())
    said = "The streams rgb and clip are copies of each other (equal features)"
    assert data["contributions"]["equal_streams"] == [["rgb", "clip"]]
    assert any(text.startswith(said) for text in data["warnings"]) and said in (tmp_path / "out" / "a.html").read_text()
    assert copies_note({"rgb": RGB, "audio": AUDIO}) == []
