"""Floors: scores without a model, against scikit-learn on single frames, and on the real labels of XD-Violence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import auc, average_precision_score, precision_recall_curve, roc_auc_score
from tiny_store import write_tiny_store

import vadkit
from vadkit.data import open_dataset
from vadkit.datasets.annotations import read_annotations
from vadkit.evaluate import evaluate, floors
from vadkit.evaluate.uninformed import FLOOR_FIGURES, FLOORS
from vadkit.problems import VadkitError
from vadkit.video import Video, VideoDataset


class Rows:
    """A data set whose features are given, (crops, t, dim) by video name."""

    snippet_frames, classes, warnings = 16, ("normal", "fight"), []

    def __init__(self, videos: Sequence[Video], features: dict[str, np.ndarray]) -> None:
        self._videos, self.features = list(videos), features

    def videos(self, split: str) -> list[Video]:
        return [video for video in self._videos if video.split == split]

    def read(self, video: Video, stream: str) -> np.ndarray:
        return self.features[video.name][..., :3] if stream == "rgb" else self.features[video.name][..., 3:]

    def class_index(self, video: Video) -> int:
        return video.label or 0


@pytest.fixture
def rows() -> Rows:
    rng = np.random.default_rng(2)
    videos, features = [], {}
    for n, t in enumerate((5, 9, 4, 12, 7, 6)):
        frames, label = 16 * t - 3 * n, n % 2
        spans = ((20, 50), (60, 16 * t)) if label else ()
        videos.append(Video(f"v{n}", "test", label, ("fight",) * label, frames, 25.0, spans))
        features[f"v{n}"] = rng.random((2, t, 5)).astype(np.float32)
    return Rows(videos, features)


def by_frame(rows: Rows) -> dict[str, np.ndarray]:
    """Return truth, label and the lengths of features of every single frame, by loops."""
    found: dict[str, list[float]] = {"truth": [], "label": [], "all": [], "rgb": []}
    for video in rows.videos("test"):
        for frame in range(video.num_frames or 0):
            x = rows.features[video.name][:, frame // 16].astype(np.float64)
            found["truth"].append(any(start <= frame < end for start, end in video.spans))
            found["label"].append(video.label or 0)
            found["all"].append(np.mean([np.sqrt((crop**2).sum()) for crop in x]))
            found["rgb"].append(np.mean([np.sqrt((crop[:3] ** 2).sum()) for crop in x]))
    return {name: np.array(column, float) for name, column in found.items()}


def figures(truth: np.ndarray, scores: np.ndarray, abnormal: np.ndarray) -> dict[str, float]:
    precision, recall, _ = precision_recall_curve(truth, scores)
    return {
        "ap": average_precision_score(truth, scores),
        "ap_trapezoid": auc(recall, precision),
        "auc": roc_auc_score(truth, scores),
        "ap_abnormal": average_precision_score(truth[abnormal], scores[abnormal]),
        "auc_abnormal": roc_auc_score(truth[abnormal], scores[abnormal]),
    }


def test_the_floors_are_those_of_single_frames(rows: Rows) -> None:
    found, frame = floors(rows, streams=["rgb", "audio"]), by_frame(rows)
    assert list(found) == ["label_only", "feature_norm", "feature_norm.rgb", "feature_norm.audio", "constant", "chance"]
    columns = {"label_only": "label", "feature_norm": "all", "feature_norm.rgb": "rgb"}
    for name, column in columns.items():
        wanted = figures(frame["truth"], frame[column], frame["label"] == 1)
        assert {key: found[name][key] for key in FLOOR_FIGURES} == pytest.approx(wanted, abs=1e-9), name
    wanted = figures(frame["truth"], np.zeros(len(frame["truth"])), frame["label"] == 1)
    assert {key: found["constant"][key] for key in FLOOR_FIGURES} == pytest.approx(wanted)
    share = frame["truth"].mean()
    assert found["chance"]["ap"] == found["chance"]["ap_trapezoid"] == pytest.approx(share)
    assert found["chance"]["auc"] == 0.5


def test_each_says_what_it_is(rows: Rows) -> None:
    found = floors(rows, streams=["rgb"])
    assert {name: own["what"] for name, own in found.items()} == FLOORS
    assert "labels of these very videos" in found["label_only"]["what"]
    for features in rows.features.values():
        features /= np.linalg.norm(features[..., :3], axis=-1, keepdims=True)
    assert floors(rows, streams=["rgb"])["feature_norm"]["what"].endswith("here all are 1 long, so it says nothing")


def test_on_the_real_labels_of_xd_violence() -> None:
    """As facts of the field have it: a constant reaches 0.6154 by the trapezoid, and labels alone an AUC of 0.85."""
    annotated = [video for video in read_annotations("xd_violence").of("test")]
    videos = [Video(v.name, "test", v.label, v.classes, None, 24.0, v.spans) for v in annotated]
    lengths = {v.name: v.snippets or 0 for v in annotated}
    found = floors(Rows(videos, {name: np.ones((1, t, 3), np.float32) for name, t in lengths.items()}), streams=["rgb"])
    assert sum(lengths.values()) * 16 == 2330384
    constant, label = found["constant"], found["label_only"]
    assert (constant["ap"], constant["ap_trapezoid"]) == pytest.approx((0.2308, 0.6154), abs=5e-5)
    assert (label["auc"], label["ap"], label["ap_trapezoid"]) == pytest.approx((0.8493, 0.4989, 0.7494), abs=5e-5)
    assert label["auc_abnormal"] == constant["auc"] == found["feature_norm"]["auc"] == 0.5


def test_what_has_no_truth_counts_in_none(rows: Rows) -> None:
    before = floors(rows, streams=["rgb"])
    more = [Video("bare", "test", 1, ("fight",), 48, 25.0), Video("unknown", "test", None, (), 48, 25.0)]
    both = Rows([*rows.videos("test"), *more], {**rows.features, **{v.name: np.ones((1, 3, 5), "f4") for v in more}})
    assert floors(both, streams=["rgb"]) == before
    normal = Rows([v for v in rows.videos("test") if not v.label], rows.features)
    assert set(floors(normal, streams=["rgb"])["label_only"].values()) == {None, FLOORS["label_only"]}
    with pytest.raises(VadkitError, match="no video in split 'val'"):
        floors(rows, "val", streams=["rgb"])


def test_an_evaluation_has_those_of_its_own_data_set(tmp_path: Path) -> None:
    store = write_tiny_store(tmp_path / "store", crops={"rgb": 2})
    graph = {
        "inputs": {"rgb": "b t 16", "clip": "b t 8"},
        "nodes": {"join": {"use": "concat", "in": ["rgb", "clip"]}, "score": {"use": "mlp_head", "in": "join"}},
        "losses": {"mil": {"use": "topk_mil", "in": "score"}},
        "output": "score",
    }
    torch.manual_seed(0)
    model = vadkit.build({**graph, "data": {"args": {"root": str(store)}}})
    dataset: VideoDataset = open_dataset({"args": {"root": str(store)}})
    found = vadkit.evaluate(model)
    assert found.floors == floors(dataset, streams=["rgb", "clip"]) == found.as_json()["floors"]
    label = found.floors["label_only"]
    assert (label["auc"], label["ap"]) == (found.figures["label_auc"], found.figures["label_ap"])
    assert "scores without a model" in found.page().lower() and "feature_norm of clip" in found.page()
    assert evaluate(model, dataset).floors == {}  # as in training, at each evaluation
