"""Scoring a split with a stub model: what goes in, what is averaged, what is written."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_store import LONGER_RGB, write_tiny_store
from torch import Tensor, nn
from vadkit_feature_store import FeatureStore
from vadkit_score_smoothing import ScoreSmoothing

from vadkit.data.validation_split import with_validation
from vadkit.evaluate import score_video
from vadkit.evaluate.score import evaluate, evaluate_as_configured
from vadkit.problems import VadkitError
from vadkit.results_folder import RECORD


class Mean(nn.Module):
    """Scores by the mean of the first stream, so that every expected number can be worked out."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.drop = nn.Dropout(0.5)
        self.frozen = nn.Dropout(0.5).eval()
        self.calls: list[tuple[list[tuple[int, ...]], int]] = []

    def forward(self, *streams: Tensor, crops: int | None = None) -> Tensor:
        self.calls.append(([tuple(x.shape) for x in streams], crops or 0))
        assert not torch.is_grad_enabled()
        return torch.sigmoid(self.scale * self.frozen(self.drop(streams[0])).mean(-1))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_tiny_store(tmp_path / "store", crops={"rgb": 3})


@pytest.fixture
def dataset(root: Path) -> FeatureStore:
    return FeatureStore(root=str(root))


def change(root: Path, numbers: Sequence[int], **values: Any) -> FeatureStore:
    videos = json.loads((root / "videos.json").read_text())
    for number in numbers:
        videos[number].update(values)
    (root / "videos.json").write_text(json.dumps(videos))
    return FeatureStore(root=str(root))


def expected(features: np.ndarray) -> np.ndarray:
    """Return the scores of ``Mean``, averaged over crops (crops, t, dim)."""
    return (1 / (1 + np.exp(-features.astype(np.float64).mean(-1)))).mean(0)


def test_scores_are_averaged_over_crops(dataset: FeatureStore) -> None:
    model = Mean()
    result = evaluate(model, dataset, streams=["rgb", "clip"])
    assert list(result.scores) == [v.name for v in dataset.videos("test")]
    for video in dataset.videos("test"):
        wanted = expected(dataset.read(video, "rgb"))
        np.testing.assert_allclose(result.scores[video.name], wanted, atol=1e-6)
    assert model.calls[0] == ([(3, 10, 16), (3, 10, 8)], 3)


def test_only_the_first_crop(dataset: FeatureStore) -> None:
    result = evaluate(Mean(), dataset, streams=["rgb"], crops="first")
    video = dataset.videos("test")[1]
    np.testing.assert_allclose(result.scores[video.name], expected(dataset.read(video, "rgb")[:1]), atol=1e-6)
    assert result.protocol["crops"] == "first crop only"


def test_crops_of_long_videos_are_scored_in_parts(dataset: FeatureStore, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = evaluate(Mean(), dataset, streams=["rgb"])
    monkeypatch.setattr(score_video, "PAIRS", 2 * 23**2)
    model = Mean()
    parts = evaluate(model, dataset, streams=["rgb"])
    crops = {(shapes[0][1], shapes[0][0]) for shapes, _ in model.calls}
    assert {(23, 2), (23, 1), (40, 1), (10, 3)} <= crops and (40, 2) not in crops
    for name, scores in whole.scores.items():
        np.testing.assert_allclose(parts.scores[name], scores, atol=1e-7)


def test_every_module_is_in_its_own_mode_afterwards(dataset: FeatureStore) -> None:
    model = Mean().train()
    model.frozen.eval()
    evaluate(model, dataset, streams=["rgb"])
    assert model.training and model.drop.training and not model.frozen.training

    class Broken(Mean):
        def forward(self, *streams: Tensor, crops: int | None = None) -> Tensor:
            raise RuntimeError("broken")

    broken = Broken().train()
    with pytest.raises(RuntimeError, match="broken"):
        evaluate(broken, dataset, streams=["rgb"])
    assert broken.training


def test_anomalies_of_the_tiny_store_can_be_found(dataset: FeatureStore) -> None:
    class Spread(Mean):
        def forward(self, *streams: Tensor, crops: int | None = None) -> Tensor:
            return torch.sigmoid(streams[0].abs().mean(-1) - 1)

    figures = evaluate(Spread(), dataset, streams=["rgb"]).figures
    assert figures["auc"] > 0.95 and figures["ap"] > 0.9 and figures["gain_ap"] > 0.3
    assert figures["videos"] == 8 and figures["frames"] == sum(v.num_frames or 0 for v in dataset.videos("test"))


def test_post_is_applied_after_averaging_and_named(dataset: FeatureStore) -> None:
    plain = evaluate(Mean(), dataset, streams=["rgb"])
    smooth = evaluate(Mean(), dataset, streams=["rgb"], post=[ScoreSmoothing(kappa=3, pad="edge")])
    for name, scores in plain.scores.items():
        np.testing.assert_array_equal(smooth.scores[name], ScoreSmoothing(kappa=3, pad="edge")(scores))
    assert smooth.protocol["post"] == [{"use": "score_smoothing", "args": {"kappa": 3, "mode": "slide", "pad": "edge"}}]


def test_progress_is_reported(dataset: FeatureStore) -> None:
    heard: list[tuple[int, int, str]] = []
    evaluate(Mean(), dataset, streams=["rgb"], on_progress=lambda *said: heard.append(said))
    assert heard[0] == (1, 8, LONGER_RGB) and heard[-1][:2] == (8, 8)


def test_the_protocol_names_every_choice_and_is_plain_data(dataset: FeatureStore) -> None:
    protocol = evaluate(Mean(), dataset, streams=["rgb"], threshold=0.3, tail="full").protocol
    assert json.loads(json.dumps(protocol)) == protocol
    assert protocol["data_set"] == "feature_store" and protocol["split"] == "test"
    assert protocol["threshold"] == 0.3 and protocol["tail"] == "every snippet counts in full"
    assert {"crops", "alignment", "truth", "post", "snippet_frames", "streams", "versions"} <= set(protocol)


def test_an_abnormal_video_without_spans_is_left_out_of_frame_figures(root: Path) -> None:
    dataset = change(root, [16], spans=[])
    result = evaluate(Mean(), dataset, streams=["rgb"])
    whole = evaluate(Mean(), change(root, [16], spans=[[36, 84]]), streams=["rgb"])
    assert result.figures["frames"] == whole.figures["frames"] - 144
    assert result.figures["videos_without_truth"] == 1 and LONGER_RGB in result.scores
    assert result.warnings[-1] == (
        f"1 of 8 videos is abnormal but has no intervals (the first is '{LONGER_RGB}'): "
        "only video_auc and video_ap count such videos"
    )


def test_a_carved_validation_split_without_intervals_has_video_figures(root: Path) -> None:
    dataset, _ = with_validation(change(root, range(8), spans=[]), 0.4, 0)
    figures = evaluate(Mean(), dataset, "val", streams=["rgb"]).figures
    unknown = figures["videos_without_truth"]
    assert figures["ap"] is None
    assert unknown == 3 and figures["undefined"]["ap"] == "there is no positive frame (3 videos have no intervals)"
    assert figures["video_auc"] is not None and figures["video_ap"] is not None


def test_as_configured(dataset: FeatureStore) -> None:
    section = {
        "post": [{"use": "score_smoothing", "args": {"kappa": 2}}],
        "threshold": 0.7,
        "crops": "first",
        "split": "train",
        "tail": "full",
    }
    model = Mean()
    model.input_sizes = {"rgb": 16}  # type: ignore[assignment]
    protocol = evaluate_as_configured(model, dataset, section, split="test").protocol
    assert protocol["split"] == "test" and protocol["threshold"] == 0.7 and protocol["streams"] == ["rgb"]
    assert protocol["tail"] == "every snippet counts in full"
    assert evaluate_as_configured(model, dataset, section).protocol["split"] == "train"
    with pytest.raises(VadkitError, match="eval.post\\[0\\].args.kapa: score_smoothing has no such argument"):
        evaluate_as_configured(model, dataset, {"post": [{"use": "score_smoothing", "args": {"kapa": 2}}]})
    with pytest.raises(VadkitError, match="'tca' is a temporal, not a postprocess"):
        evaluate_as_configured(model, dataset, {"post": [{"use": "tca"}]})


def test_weights_that_are_not_finite(dataset: FeatureStore) -> None:
    model = Mean()
    nn.init.constant_(model.scale, float("nan"))
    with pytest.raises(VadkitError, match=f"the score of snippet 0 of video '{LONGER_RGB}' is nan"):
        evaluate(model, dataset, streams=["rgb"])


def test_a_width_that_the_model_does_not_take(dataset: FeatureStore) -> None:
    model = Mean()
    model.input_sizes = {"rgb": 2560}  # type: ignore[assignment]
    with pytest.raises(VadkitError, match="input 'rgb' of the graph is 2560 wide"):
        evaluate(model, dataset)


def test_an_empty_split(dataset: FeatureStore) -> None:
    with pytest.raises(VadkitError, match="the data set has no video in split 'val'"):
        evaluate(Mean(), dataset, "val", streams=["rgb"])


# -- files ---------------------------------------------------------------------------------------
def test_saved_files_hold_figures_and_every_score(dataset: FeatureStore, tmp_path: Path) -> None:
    result = evaluate(Mean(), dataset, streams=["rgb"])
    result.save(tmp_path / "out")
    assert {p.name for p in (tmp_path / "out").iterdir()} == {RECORD, "index.html", "results.json", "scores.csv"}
    saved = json.loads((tmp_path / "out" / "results.json").read_text())
    assert saved["figures"] == result.figures and saved["protocol"] == result.protocol
    assert saved["videos"][0]["name"] == LONGER_RGB and saved["videos"][0]["frames"] == 144
    rows = list(csv.DictReader((tmp_path / "out" / "scores.csv").open()))
    assert len(rows) == sum(map(len, result.scores.values()))
    assert [np.float32(r["score"]) for r in rows[:10]] == list(result.scores[LONGER_RGB])
    assert rows[2]["first_frame"] == "32" and rows[2]["start_seconds"] == "1.333"
    assert rows[9]["frames"] == "0"  # rgb has one snippet more than the video
    assert [int(r["positive_frames"]) for r in rows[:10]] == [0, 0, 12, 16, 16, 4, 0, 0, 0, 0]


def test_results_that_cannot_be_written(dataset: FeatureStore, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(VadkitError, match="cannot write"):
        evaluate(Mean(), dataset, streams=["rgb"]).save(tmp_path / "out")
    assert (tmp_path / "out").read_text() == "a file"


@pytest.mark.guards("2.1")
def test_videos_of_unknown_label_are_scored_and_count_in_no_figure(root: Path, dataset: FeatureStore) -> None:
    """Without a label they were normal, and gave a rate of false alarms."""
    numbers = [i for i, v in enumerate(json.loads((root / "videos.json").read_text())) if v["split"] == "test"]
    left = change(root, numbers[:3], label=None, classes=[], spans=[])
    found = evaluate(Mean(), left, streams=["rgb"])
    assert len(found.scores) == len(numbers) and found.figures["unlabelled_videos"] == 3
    gone = change(root, numbers[:3], split="val")
    wanted = evaluate(Mean(), gone, streams=["rgb"])
    assert {**found.figures, "unlabelled_videos": 0} == wanted.figures and found.figures["videos"] == len(numbers) - 3
    name = found.details[0].video.name
    sentence = f"3 of 8 videos of split 'test' have an unknown label (the first is '{name}')"
    assert any(sentence in text for text in found.warnings)
    entry = found.as_json()["videos"][0]
    assert (entry["name"], entry["label"], entry["positives"]) == (name, None, None)


@pytest.mark.guards("2.1")
def test_without_any_label_there_are_scores_and_no_figure(root: Path, tmp_path: Path) -> None:
    dataset = change(root, range(24), label=None, classes=[], spans=[])
    found = evaluate(Mean(), dataset, streams=["rgb"])
    assert found.figures["far"] is None and found.figures["auc"] is None and found.figures["video_ap"] is None
    found.save(tmp_path / "out")
    rows = list(csv.DictReader((tmp_path / "out/scores.csv").open()))
    assert {row["positive_frames"] for row in rows} == {""} and len({row["video"] for row in rows}) == 8
