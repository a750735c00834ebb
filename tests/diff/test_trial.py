"""With the video at hand, the very thing that was done otherwise is named, though no recipe tells of it."""

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
from vadkit.diff.film import Film
from vadkit.diff.on_video import explain, giving
from vadkit.diff.rebuild import rebuild
from vadkit.diff.trial import Trial
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
    assert giving(trial) == [best] and field in best.field and word in best.tell, trial.outcomes[:3]


@pytest.mark.parametrize(
    ("clock", "field", "word"), [({"fps": 25.0}, "fps", "25 frames"), ({"fps": 12.0}, "fps", "12 frames")]
)
def test_another_clock_is_named_though_b_tells_nothing(
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
    assert trial.outcomes[0].exact and trial.outcomes[0].field == field and word in trial.outcomes[0].tell


def test_sound_windows_shifted(base: Path, backbone: Build, videos: dict[str, Path], tmp_path: Path) -> None:
    with av.open(str(videos["fair"])) as media:  # windows cut by hand: from a snippet's beginning on
        frames = [(round(float(f.pts * f.time_base) * 16000), f.to_ndarray()[0]) for f in media.decode(audio=0)]
    line = np.concatenate([samples[max(0, -start) :] for start, samples in frames])
    windows = [line[round(k * 16000 * 16 / 24) :][:15600] for k in range(13)]
    windows = [np.pad(window, (0, 15600 - len(window))) for window in windows]
    np.save(tmp_path / "fair.npy", backbone("logmel_stats").extract(windows))
    trial = tried(base, tmp_path / "fair.npy", "audio", videos["fair"])
    assert trial.outcomes[0].gives_b and "begin where the snippet begins" in trial.outcomes[0].tell, trial.outcomes[:3]


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
    assert "A was made otherwise than its recipe says" in comparison.streams[0].causes[0].tell


def test_what_a_trial_needs(base: Path, videos: dict[str, Path], tmp_path: Path) -> None:
    for path in (base / "rgb").glob("*.npy"):
        np.save(tmp_path / path.name, np.load(path) + np.random.default_rng(0).normal(size=np.load(path).shape))
    comparison, a, b = compare(tmp_path, tmp_path, [])
    with pytest.raises(VadkitError, match="neither A nor B says how it was made"):
        explain(comparison.streams[0], a, b, videos["fair"])
    comparison, a, b = compare(base, tmp_path, ["rgb:features"])
    with pytest.raises(VadkitError, match="there is no video 'far' in both"):
        explain(comparison.streams[0], a, b, videos["fair"], name="far")


def test_a_backbone_is_built_again_by_its_recipe(backbone: Build) -> None:
    flow = {"short_side": 96, "crops": "five_ur_dmu", "flow": "dis", "quantise": "clamp"}
    for name, args in {
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


def test_flow_is_true_again_after_a_trial() -> None:
    assert flows.optical_flow.__name__ == "optical_flow"


def test_sound_windows_begin_where_they_should(videos: dict[str, Path]) -> None:
    film, window = Film(videos["fair"]), 4000
    (line,) = film.windows(16000, 128_000, 8.0, 0.0, 1)  # the first 8 seconds
    line = np.pad(line, (window, 0))
    for delay in (0.0, 0.1, -0.1, -0.25, 0.3):
        for j, found in enumerate(film.windows(16000, window, 0.5, delay, 12)):
            end = window + round((j + 1) * 8000 + delay * 16000)
            assert np.abs(found - line[max(0, end - window) : end][-window:]).max() < 1e-5, (delay, j)
