"""With the video at hand, the very thing that differs is named, though no recipe says so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from planted import pictures, planted

from vadkit.backbones import flow as flows
from vadkit.diff import trial as trials
from vadkit.diff.compare import compare
from vadkit.diff.comparison import Trial
from vadkit.diff.replay import Footage, Replay, rebuild
from vadkit.diff.trial import explain
from vadkit.extract.one_pass import extract_video
from vadkit.extract.snippets import Clock
from vadkit.kinds import Backbone
from vadkit.problems import VadkitError

Make = Callable[..., Path]
Build = Callable[..., Backbone]
MEAN, DEVIATION = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])


@pytest.fixture(scope="module")
def base(make: Make, backbone: Build) -> Path:
    return make(rgb=backbone("probe_rgb"), flow=backbone("probe_flow"), audio=backbone("logmel_stats"))


@pytest.fixture(autouse=True)
def few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "ROWS", 3)


def tried(a: Path, b: Path, stream: str, video: Path) -> Trial:
    """Return the trial; what it found must be the first cause, and sure if it gives B exactly."""
    comparison, side_a, side_b = compare(a, b, [stream])
    (found,) = comparison.streams
    explain(found, side_a, side_b, video)
    assert found.trial is not None
    best = found.trial.outcomes[0]
    if best.gives_b:
        assert found.causes[0].certainty == ("certain" if best.exact else "likely")
        assert found.causes[0].name == best.field
    return found.trial


def shifted(frames: int) -> dict[str, Callable[..., Any]]:
    """Return a method for ``planted``: each snippet seen that many frames later, the whole video at once."""

    def extract(true: Callable[..., Any], snippets: list[np.ndarray]) -> np.ndarray:
        n = len(snippets[0])
        line = np.concatenate([*snippets, np.repeat(snippets[-1][-1:], frames, 0)])
        return true([line[k * n + frames : k * n + frames + n] for k in range(len(snippets))])

    return {"extract": extract}


PLANTED: dict[str, tuple[str, dict[str, Callable[..., Any]], str, str]] = {
    "BGR": ("probe_rgb", pictures(lambda x: x[..., ::-1]), "colour", "BGR for RGB"),
    "ImageNet's mean": (
        "probe_rgb",
        {"normalised": lambda _, x: (x / 255 - MEAN.view(3, 1, 1)) / DEVIATION.view(3, 1, 1)},
        "normalise",
        "ImageNet's mean and deviation",
    ),
    "0 to 1": ("probe_rgb", {"normalised": lambda _, x: x / 255}, "normalise", "[0, 1]"),
    "mirrored": ("probe_rgb", pictures(lambda x: x[:, :, ::-1]), "mirrored", "left to right"),
    "one frame later": ("probe_rgb", shifted(1), "start", "1 frame later"),
    "five frames later": ("probe_rgb", shifted(5), "start", "5 frames later"),
    "BGR and 0 to 1": (
        "probe_rgb",
        {**pictures(lambda x: x[..., ::-1]), "normalised": lambda _, x: x / 255},
        "and",
        "BGR for RGB",
    ),
    "flow of the other sign": ("probe_flow", {"flow": lambda flow, grey: -flow(grey)}, "flow_sign", "other sign"),
    "x for y": ("probe_flow", {"flow": lambda flow, grey: flow(grey)[..., ::-1].copy()}, "flow_axes", "swapped"),
    "sound at half its level": ("logmel_stats", pictures(lambda x: x / 2), "gain", "half"),
}


@pytest.mark.parametrize("case", PLANTED)
def test_what_was_done_is_named(case: str, base: Path, make: Make, backbone: Build, videos: dict[str, Path]) -> None:
    name, methods, field, word = PLANTED[case]
    stream = {"probe_rgb": "rgb", "probe_flow": "flow", "logmel_stats": "audio"}[name]
    trial = tried(base, make(**{stream: planted(backbone(name), **methods)}), stream, videos["fair"])
    best = trial.outcomes[0]
    assert trial.again < 1e-5, "features extracted again are those of the store"
    assert trial.giving == [best] and field in best.field and word in best.text, trial.outcomes[:3]


@pytest.mark.parametrize(
    ("clock", "field", "word"), [({"fps": 25.0}, "fps", "25 frames"), ({"fps": 12.0}, "fps", "12 frames")]
)
def test_another_clock_is_named_though_b_has_no_recipe(
    clock: dict[str, float],
    field: str,
    word: str,
    base: Path,
    make: Make,
    backbone: Build,
    videos: dict[str, Path],
    tmp_path: Path,
) -> None:
    other = make(rgb=backbone("probe_rgb"), **clock)
    trial = tried(base, other / "rgb" / "fair.npy", "rgb", videos["fair"])
    assert trial.outcomes[0].exact and trial.outcomes[0].field == field and word in trial.outcomes[0].text


def test_sound_windows_shifted(base: Path, backbone: Build, videos: dict[str, Path], tmp_path: Path) -> None:
    with av.open(str(videos["fair"])) as media:  # windows cut by hand: from a snippet's beginning on
        frames = [(round(float(f.pts * f.time_base) * 16000), f.to_ndarray()[0]) for f in media.decode(audio=0)]
    line = np.concatenate([samples[max(0, -start) :] for start, samples in frames])
    windows = [line[round(k * 16000 * 16 / 24) :][:15600] for k in range(13)]
    windows = [np.pad(window, (0, 15600 - len(window))) for window in windows]
    np.save(tmp_path / "fair.npy", backbone("logmel_stats").extract(windows))
    trial = tried(base, tmp_path / "fair.npy", "audio", videos["fair"])
    assert trial.outcomes[0].gives_b and "begin where the snippet begins" in trial.outcomes[0].text, trial.outcomes[:3]


def test_only_b_has_a_recipe(base: Path, make: Make, backbone: Build, videos: dict[str, Path]) -> None:
    other = make(rgb=planted(backbone("probe_rgb"), **pictures(lambda x: x[..., ::-1])))
    comparison, a, b = compare(other / "rgb" / "fair.npy", base)
    explain(comparison.streams[0], a, b, videos["fair"])
    assert comparison.streams[0].maker == "B" and comparison.streams[0].causes[0].name == "colour"


def test_other_weights_are_given_by_no_change(base: Path, make: Make, backbone: Build, videos: dict[str, Path]) -> None:
    trial = tried(base, make(rgb=backbone("probe_rgb", seed=5)) / "rgb" / "fair.npy", "rgb", videos["fair"])
    assert not any(outcome.gives_b for outcome in trial.outcomes)


def test_a_store_that_is_not_what_its_recipe_says(
    base: Path, make: Make, backbone: Build, videos: dict[str, Path]
) -> None:
    wrong = make(rgb=planted(backbone("probe_rgb"), **pictures(lambda x: x[..., ::-1])))
    comparison, a, b = compare(wrong, base, ["rgb"])
    explain(comparison.streams[0], a, b, videos["fair"])
    assert "A does not follow its recipe" in comparison.streams[0].causes[0].text


def test_what_a_trial_needs(base: Path, videos: dict[str, Path], tmp_path: Path) -> None:
    for path in (base / "rgb").glob("*.npy"):
        np.save(tmp_path / path.name, np.load(path) + np.random.default_rng(0).normal(size=np.load(path).shape))
    comparison, a, b = compare(tmp_path, tmp_path, [])
    with pytest.raises(VadkitError, match="neither A nor B has a recipe"):
        explain(comparison.streams[0], a, b, videos["fair"])
    comparison, a, b = compare(base, tmp_path, ["rgb:features"])
    with pytest.raises(VadkitError, match="there is no video 'far' in both"):
        explain(comparison.streams[0], a, b, videos["fair"], name="far")


def test_a_backbone_is_built_again_by_its_recipe(backbone: Build) -> None:
    flow = {"short_side": 96, "crops": "five_ur_dmu", "flow": "dis", "quantise": "clamp"}
    for name, args in {
        "c3d": {"random_weights": True, "normalise": "raw", "last_pool": "padded", "crops": "five"},
        "i3d_flow": {"random_weights": True, **flow},
        "clip_vit": {"random_weights": True, "model": "b32", "activation": "gelu"},
        "i3d_resnet50": {"random_weights": True, "non_local": True, "short_side": 64},
        "efficientnet_lite0": {"short_side": 96, "frames": 3},
        "probe_rgb": {"seed": 4, "crops": "ten"},
    }.items():
        recipe = {"backbone": name, **backbone(name, **args).recipe()}
        again, found = rebuild(recipe)
        assert again.recipe().items() <= recipe.items()
        assert {key: value for key, value in found.items() if key in args} == args
    with pytest.raises(VadkitError, match="needs its weight file"):
        rebuild({"backbone": "i3d_rgb", "weights": "0" * 64, "pretrained": True})


def test_a_trial_changes_neither_the_backbone_nor_anybody_elses_flow(
    backbone: Build, videos: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    true, probe = flows.optical_flow, backbone("probe_flow")
    seen = []
    footage = Footage(videos["fair"])

    def watch(flow: np.ndarray) -> np.ndarray:
        seen.append(flows.optical_flow is true)
        return -flow

    replay = Replay(probe, footage.fps, footage.size)
    _, plain = replay.rows(footage, 0, 2)
    _, changed = replay.but(flow=watch).rows(footage, 0, 2)
    assert seen and all(seen), "others get the true flow even while a changed one is tried"
    assert not np.array_equal(plain, changed)
    assert np.array_equal(plain, replay.rows(footage, 0, 2)[1])


def test_rows_are_those_of_the_store_wherever_they_begin(base: Path, backbone: Build, videos: dict[str, Path]) -> None:
    footage = Footage(videos["fair"])
    for stream, name in {"rgb": "probe_rgb", "flow": "probe_flow", "audio": "logmel_stats"}.items():
        stored = np.load(base / stream / "fair.npy")
        replay = Replay(backbone(name), footage.fps, footage.size)
        for first in (0, 7, 3):
            rows, found = replay.rows(footage, first, 4)
            assert rows.tolist() == [*range(first, first + 4)]
            np.testing.assert_allclose(found[0], stored[rows], rtol=0, atol=1e-5)


def test_a_backbone_whose_flow_cannot_be_changed_is_reported(
    base: Path, make: Make, backbone: Build, videos: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    probe = type(backbone("probe_flow"))
    other = make(flow=planted(backbone("probe_flow"), flow=lambda flow, grey: -flow(grey)))
    monkeypatch.setattr(probe, "flow", lambda self, grey: flows.optical_flow(grey, "dis"))
    true = probe.__init__

    def without(self: Any) -> None:
        true(self)
        del self.optical_flow

    monkeypatch.setattr(probe, "__init__", without)
    notes = [outcome.note for outcome in tried(base, other, "flow", videos["fair"]).outcomes]
    assert "not tried: backbone 'probe_flow' has no 'optical_flow' that could be changed" in notes


def test_sound_windows_begin_where_they_should(videos: dict[str, Path]) -> None:
    window, heard = 4000, Heard()
    extract_video(videos["fair"], {"": heard}, Clock(16.0, 8))
    line = np.concatenate([np.zeros(2 * window, np.float32), *heard.windows])  # half a second each
    keeper = Heard(window)
    for delay in (0.0, 0.1, -0.1, -0.25, 0.3):
        footage, keeper.windows = Footage(videos["fair"]), []
        Replay(keeper, 16.0, footage.size, 8, 8, delay=delay).rows(footage, 0, 12)
        assert len(keeper.windows) == 12
        for j, found in enumerate(keeper.windows):
            end = 2 * window + round((j + 1) * 8000 + delay * 16000)
            assert np.abs(found - line[end - window : end]).max() < 1e-5, (delay, j)


class Heard(Backbone):
    """Keeps the windows that it hears."""

    name = "heard"
    modality = "audio"
    dim = 1

    def __init__(self, window: int = 8000) -> None:
        self.window, self.windows = window, list[np.ndarray]()

    def recipe(self) -> dict[str, Any]:
        return {"sample_rate": 16000, "window": self.window}

    def extract(self, snippets: list[np.ndarray]) -> np.ndarray:
        self.windows += snippets
        return np.zeros((len(snippets), 1), np.float32)
