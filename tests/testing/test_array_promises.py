"""The promises of samplers, postprocesses, backbones, metrics and datasets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from faulty import broken, named
from torch import Tensor

from vadkit import Backbone, Dataset, Labeller, Metric, Postprocess, Sampler
from vadkit.testing import check_component


@named
class Start(Sampler):
    """Take the first snippets."""

    def __init__(self, *, length: int = 12) -> None:
        self.length = length

    def sample(self, streams: dict[str, np.ndarray], rng: np.random.Generator) -> tuple[dict[str, np.ndarray], int]:
        taken = {name: np.resize(x, (self.length, x.shape[1])) for name, x in streams.items()}
        return taken, min(self.length, len(next(iter(streams.values()))))


def sampler(**members: Any) -> type[Any]:
    return type("Faulty", (Start,), {"name": "faulty", "__doc__": "Take some.", **members})


SAMPLERS: dict[str, tuple[Any, str]] = {
    "short": (lambda self, s, rng: ({k: x[: self.length] for k, x in s.items()}, 1), "not float32 (12, 6)"),
    "wide": (lambda self, s, rng: ({k: np.zeros((12, x.shape[1])) for k, x in s.items()}, 1), "float64"),
    "streams": (lambda self, s, rng: ({"rgb": Start.sample(self, s, rng)[0]["rgb"]}, 1), "it returned rgb"),
    "count": (lambda self, s, rng: (Start.sample(self, s, rng)[0], 13), "13 real snippets"),
    "source": (
        lambda self, s, rng: ({k: np.random.rand(12, x.shape[1]).astype(np.float32) for k, x in s.items()}, 1),
        "source of randomness other than",
    ),
}


def test_a_sound_sampler_passes() -> None:
    assert broken(Start) == {}


@pytest.mark.parametrize("case", SAMPLERS)
def test_a_faulty_sampler_is_found(case: str) -> None:
    sample, cause = SAMPLERS[case]
    assert cause in str(broken(sampler(sample=sample)))


def test_a_sampler_without_a_length_is_found() -> None:
    assert "'length'" in str(broken(sampler(__init__=lambda self: None)))


def test_a_sampler_that_draws_in_secret_is_found() -> None:
    def drawn(self: Any, streams: Any, rng: np.random.Generator) -> tuple[dict[str, np.ndarray], int]:
        start = int(rng.integers(100))
        return {name: np.resize(x[start % len(x) :], (12, x.shape[1])) for name, x in streams.items()}, 1

    assert broken(sampler(sample=drawn)) == {}
    assert "another generator gives other snippets" in str(broken(sampler(sample=drawn, draws=False)))


def test_a_sampler_that_leaves_rows_as_they_were_is_found() -> None:
    def no_padding(self: Any, streams: Any, rng: Any, out: dict[str, np.ndarray]) -> int:
        for name, x in streams.items():
            out[name][: len(x)] = x[: self.length]
        return min(self.length, len(streams["rgb"]))

    assert "sample_into does not write" in str(broken(sampler(sample_into=no_padding)))


PIECES: dict[str, tuple[dict[str, Any], str]] = {
    "none": ({"cut": lambda self, s: []}, "into no piece at all"),
    "wide": ({"cut": lambda self, s: [({k: x.astype(float) for k, x in s.items()}, 1)]}, "rgb float64 (1, 6)"),
    "lost": ({"cut": lambda self, s: [({"rgb": s["rgb"]}, len(s["rgb"]))]}, "float32 of one length for each stream"),
    "empty": ({"cut": lambda self, s: [(s, 0)]}, "it counts 0 real snippets in a piece of 1"),
    "content": (
        {
            "cut": lambda self, s: [(s, max(1, int((s["rgb"][:, 0] > 0).sum())))],
            "spread": lambda self, x, t: np.full(t, x[0][0]),
        },
        "depend on the features",
    ),
    "short": ({"spread": lambda self, x, t: np.concatenate(x)[: t - 1]}, "spread to an array of shape (0,)"),
    "scaled": (
        {"spread": lambda self, x, t: 2 * np.concatenate(x)},
        "not between the lowest and the highest of the pieces",
    ),
    "greedy": ({"spread": lambda self, x, t: np.sort(x[0], out=None) if x[0].sort() else x[0]}, "modifies the scores"),
}


@pytest.mark.parametrize("case", PIECES)
def test_a_sampler_that_cuts_or_spreads_wrongly_is_found(case: str) -> None:
    members, cause = PIECES[case]
    found = str(broken(sampler(**members)))
    assert "it cuts a video into pieces" in found and cause in found


def test_a_sampler_that_parts_the_streams_is_found() -> None:
    def cut_one(self: Any, streams: dict[str, Tensor], lengths: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        return {name: x[:, :5] if name == "rgb" else x for name, x in streams.items()}, lengths

    assert "finish keeps the streams of a batch together" in str(broken(sampler(finish=cut_one)))


@named
class Halve(Postprocess):
    """Halve every score."""

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        return scores / 2


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (lambda self, s: s[1:], "1 scores became an array of shape (0,)"),
        (lambda self, s: s * 2, "above the largest"),
        (lambda self, s: np.divide(s, 0 * s), "not finite"),
        (lambda self, s: np.multiply(s, 0.5, out=s), "modifies the scores"),
    ],
)
def test_a_faulty_postprocess_is_found(change: Any, cause: str) -> None:
    assert broken(Halve) == {}
    with np.errstate(all="ignore"):
        assert cause in str(broken(type("F", (Halve,), {"name": "f", "__doc__": "Change.", "__call__": change})))


@named
class Mean(Labeller):
    """Take the mean score of each snippet."""

    def label(self, scores: Any, labels: Any, earlier: Any) -> dict[str, np.ndarray]:
        return {n: np.stack([x.mean(0), np.ones(x.shape[1])], 1).astype(np.float32) for n, x in scores.items()}


def _spoiled(scores: Any, labels: Any, earlier: Any) -> dict[str, np.ndarray]:
    for x in scores.values():
        x *= 0.5
    return Mean().label(scores, labels, earlier)


@pytest.mark.parametrize(
    ("label", "cause"),
    [
        (lambda self, s, k, e: dict(list(Mean().label(s, k, e).items())[1:]), "it labels video2"),
        (lambda self, s, k, e: {n: x[:, :1] for n, x in Mean().label(s, k, e).items()}, "float32 (1, 1), not float32"),
        (lambda self, s, k, e: {n: x + 1 for n, x in Mean().label(s, k, e).items()}, "not from 0 to 1"),
        (lambda self, s, k, e: {n: -x for n, x in Mean().label(s, k, e).items()}, "some weight below 0"),
        (lambda self, s, k, e: {n: x * np.random.rand() for n, x in Mean().label(s, k, e).items()}, "a second call"),
        (lambda self, s, k, e: _spoiled(s, k, e), "modifies the scores"),
    ],
)
def test_a_faulty_labeller_is_found(label: Any, cause: str) -> None:
    assert broken(Mean) == {}
    assert cause in str(broken(type("F", (Mean,), {"name": "f", "__doc__": "Label.", "label": label})))


@named
class Colour(Backbone):
    """Mean colour of a snippet."""

    modality = "rgb"
    dim = 3

    def recipe(self) -> dict[str, Any]:
        return {"pool": "mean"}

    def extract(self, snippets: list[np.ndarray]) -> np.ndarray:
        return np.stack([s.reshape(-1, 3).mean(0) for s in snippets]).astype(np.float32)


BACKBONES: dict[str, tuple[dict[str, Any], str]] = {
    "modality": ({"modality": "smell"}, "'smell'"),
    "dim": ({"dim": 0}, "dim is 0"),
    "recipe": ({"recipe": lambda self: {"f": len}}, "JSON"),
    "empty recipe": ({"recipe": lambda self: {}}, "empty"),
    "width": ({"dim": 4}, "not float32 (2, 4)"),
    "together": (
        {"extract": lambda self, s: Colour.extract(self, s) - Colour.extract(self, s).mean(0)},
        "depend on the other snippets",
    ),
}


def test_a_sound_backbone_passes() -> None:
    assert broken(Colour) == {}


@pytest.mark.parametrize("case", BACKBONES)
def test_a_faulty_backbone_is_found(case: str) -> None:
    members, cause = BACKBONES[case]
    assert cause in str(broken(type("F", (Colour,), {"name": "f", "__doc__": "Look.", **members})))


def test_a_backbone_whose_weights_are_missing_is_counted_as_not_run() -> None:
    def no_weights(self: Any) -> None:
        raise FileNotFoundError("weights.pt")

    report = check_component(type("F", (Colour,), {"name": "f", "__doc__": "Look.", "__init__": no_weights}))
    assert len(report.not_run) == 2
    assert "weights.pt" in str(report)


@named
class MeanScore(Metric):
    """Mean score of abnormal snippets."""

    def __init__(self) -> None:
        self.scores: list[float] = []

    def add(self, name: str, scores: Any, positives: Any, frames: Any, label: int, group: Any = ()) -> None:
        self.scores += list(scores[positives > 0])

    def figures(self, threshold: float = 0.5) -> dict[str, Any]:
        return {"mean": float(np.mean(self.scores))}


METRICS: dict[str, tuple[Any, str]] = {
    "order": (lambda self, threshold: {"last": self.scores[-1]}, "last changes with the order"),
    "array": (lambda self, threshold: {"all": np.array(self.scores)}, "JSON"),
    "nan": (lambda self, threshold: {"mean": float("nan")}, "JSON"),
    "empty": (lambda self, threshold: {}, "empty"),
}


@pytest.mark.parametrize("case", METRICS)
def test_a_faulty_metric_is_found(case: str) -> None:
    figures, cause = METRICS[case]
    assert broken(MeanScore) == {}
    assert cause in str(broken(type("F", (MeanScore,), {"name": "f", "__doc__": "Count.", "figures": figures})))


def test_a_dataset_without_its_methods_is_found() -> None:
    assert "it has no videos, read" in str(broken(type("F", (Dataset,), {"name": "f", "__doc__": "Hold."})))


def test_a_component_that_cannot_be_built_alone_is_found() -> None:
    def length_needed(self: Any, *, length: int) -> None:
        self.length = length

    assert "length must be given" in str(broken(sampler(__init__=length_needed)))
    assert broken(sampler(__init__=length_needed, example={"length": 12})) == {}
