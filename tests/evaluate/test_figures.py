"""Figures against scikit-learn on single frames, and against the exact values of real data sets."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import auc, average_precision_score, precision_recall_curve, roc_auc_score

from vadkit.evaluate.scorebook import MEANINGS, ScoreBook
from vadkit.evaluate.truth import snippet_truth
from vadkit.problems import VadkitError
from vadkit.video import Video

Clips = Callable[..., list[Any]]
Frames = Callable[[list[Any]], tuple[np.ndarray, np.ndarray]]
ANNOTATIONS = Path(__file__).parent.parent / "datasets" / "annotations"
ORACLE = json.loads((ANNOTATIONS / "oracle_metrics.json").read_text())


def book_of(clips: list[Any]) -> ScoreBook:
    book = ScoreBook()
    for clip in clips:
        book.add(clip.name, clip.scores, clip.positives, clip.frames, clip.label, clip.classes)
    return book


def trapezoid(truth: np.ndarray, scores: np.ndarray) -> float:
    precision, recall, _ = precision_recall_curve(truth, scores)
    return float(auc(recall, precision))


@pytest.mark.parametrize("levels", [1, 2, 7, 1000])
@pytest.mark.parametrize("seed", range(5))
def test_figures_are_those_of_single_frames(clips: Clips, frames_of: Frames, seed: int, levels: int) -> None:
    videos = clips(seed, levels=levels)
    figures = book_of(videos).figures(0.5)
    truth, scores = frames_of(videos)
    assert figures["auc"] == pytest.approx(roc_auc_score(truth, scores), abs=1e-12)
    assert figures["ap"] == pytest.approx(average_precision_score(truth, scores), abs=1e-12)
    assert figures["ap_trapezoid"] == pytest.approx(trapezoid(truth, scores), abs=1e-12)
    assert (figures["frames"], figures["positives"]) == (len(truth), truth.sum())

    abnormal = [v for v in videos if v.label]
    truth, scores = frames_of(abnormal)
    assert figures["auc_abnormal"] == pytest.approx(roc_auc_score(truth, scores), abs=1e-12)
    assert figures["ap_abnormal"] == pytest.approx(average_precision_score(truth, scores), abs=1e-12)

    quiet = [v for v in videos if not v.positives.any()]
    assert figures["far"] == pytest.approx((frames_of(quiet)[1] >= 0.5).mean(), abs=1e-12)

    truth, _ = frames_of(videos)
    labels = np.concatenate([np.full(v.frames.sum(), v.label) for v in videos])
    assert figures["gain_auc"] == pytest.approx(figures["auc"] - roc_auc_score(truth, labels), abs=1e-12)
    assert figures["gain_ap"] == pytest.approx(figures["ap"] - average_precision_score(truth, labels), abs=1e-12)

    highest, label = [v.scores.max() for v in videos], [v.label for v in videos]
    assert figures["video_auc"] == pytest.approx(roc_auc_score(label, highest), abs=1e-12)
    assert figures["video_ap"] == pytest.approx(average_precision_score(label, highest), abs=1e-12)

    assert list(figures["per_class"]) == ["abuse", "explosion", "riot"]
    for name, of_class in figures["per_class"].items():
        truth, scores = frames_of([v for v in videos if not v.label or name in v.classes])
        assert of_class["auc"] == pytest.approx(roc_auc_score(truth, scores), abs=1e-12)
        assert of_class["ap"] == pytest.approx(average_precision_score(truth, scores), abs=1e-12)
        assert (of_class["positives"], of_class["frames"]) == (truth.sum(), len(truth))


def predict(predictor: str, label: int, frames: int) -> np.ndarray:
    position = np.arange(frames) / frames
    return {
        "constant": np.zeros(frames),
        "video_label": np.full(frames, float(label)),
        "position_in_video": position,
        "video_label_plus_position": label + position,
    }[predictor]


@pytest.mark.parametrize("predictor", [key for key in ORACLE["xd_violence"] if key not in ("frames", "positive")])
@pytest.mark.parametrize("name", ["xd_violence", "ucf_crime", "shanghaitech"])
def test_trivial_predictors_on_real_ground_truth(name: str, predictor: str) -> None:
    book = ScoreBook()
    for number, (label, frames, spans) in enumerate(json.loads((ANNOTATIONS / f"{name}.json").read_text())):
        video = Video(str(number), "test", label, (), frames, None, tuple(map(tuple, spans)))
        book.add(video.name, predict(predictor, label, frames), *snippet_truth(video, frames, 1), label)
    figures, wanted = book.figures(), ORACLE[name][predictor]
    assert (figures["frames"], figures["positives"]) == (ORACLE[name]["frames"], ORACLE[name]["positive"])
    assert figures["auc"] == pytest.approx(wanted["auc_roc"], abs=1e-12)
    assert figures["ap"] == pytest.approx(wanted["average_precision"], abs=1e-12)
    assert figures["ap_trapezoid"] == pytest.approx(wanted["pr_auc_trapezoid"], abs=1e-12)
    assert figures["auc_abnormal"] == pytest.approx(wanted["auc_roc_abnormal_videos_only"], abs=1e-12)
    assert figures["ap_abnormal"] == pytest.approx(wanted["average_precision_abnormal_videos_only"], abs=1e-12)
    label = ORACLE[name]["video_label"]
    assert figures["label_auc"] == pytest.approx(label["auc_roc"], abs=1e-12)
    assert figures["gain_ap"] == pytest.approx(wanted["average_precision"] - label["average_precision"], abs=1e-12)


def test_sixteen_frames_of_one_score_are_one_snippet() -> None:
    """XD-Violence in snippets of 16 frames gives what its 2.3 million frames give."""
    rows = json.loads((ANNOTATIONS / "xd_violence.json").read_text())
    rng, books = np.random.default_rng(0), (ScoreBook(), ScoreBook())
    for number, (label, frames, spans) in enumerate(rows[::20]):
        video = Video(str(number), "test", label, (), frames, None, tuple(map(tuple, spans)))
        scores = rng.random(frames // 16).round(2)
        books[0].add(video.name, scores, *snippet_truth(video, frames // 16, 16), label)
        books[1].add(video.name, scores.repeat(16), *snippet_truth(video, frames, 1), label)
    one, other = (book.figures() for book in books)
    assert one.pop("snippets") * 16 == other.pop("snippets")
    assert {k: v for k, v in one.items() if not isinstance(v, dict)} == pytest.approx(
        {k: v for k, v in other.items() if not isinstance(v, dict)}, abs=1e-12
    )


# -- edges ---------------------------------------------------------------------------------------
def one(scores: Any, positives: Any, label: int, **more: Any) -> dict[str, Any]:
    book = ScoreBook()
    book.add(
        "v",
        np.array(scores, float),
        None if positives is None else np.array(positives),
        np.full(len(scores), 16),
        label,
        **more,
    )
    return book.figures()


def test_figures_without_a_positive_frame_are_undefined_with_the_reason() -> None:
    figures = one([0.1, 0.9], [0, 0], 0)
    assert figures["auc"] is figures["ap"] is figures["gain_ap"] is None
    assert figures["undefined"]["auc"] == "there is no positive frame"
    assert figures["undefined"]["ap_abnormal"] == "abnormal videos have no positive frame"
    assert figures["undefined"]["video_auc"] == "both normal and abnormal videos are needed"
    assert figures["far"] == 0.5


def test_figures_without_a_negative_frame() -> None:
    figures = one([0.1, 0.9], [16, 16], 1, group=["riot"])
    assert figures["auc"] is None and figures["undefined"]["auc"] == "there is no negative frame"
    assert figures["ap"] == figures["ap_trapezoid"] == 1.0
    assert figures["far"] is None and figures["undefined"]["far"] == "every video has a positive frame"
    assert figures["per_class"]["riot"]["auc"] is None
    assert figures["undefined"]["per_class.riot.auc"] == "there is no negative frame"


def test_an_empty_book() -> None:
    figures = ScoreBook().figures()
    assert all(figures[key] is None for key in MEANINGS if key != "per_class")
    assert set(figures["undefined"]) == set(MEANINGS) - {"per_class"}
    assert figures["videos"] == figures["frames"] == 0


def test_a_video_without_truth_counts_in_video_figures_only() -> None:
    book = ScoreBook()
    book.add("known", np.array([0.2]), np.array([0]), np.array([16]), 0)
    book.add("unknown", np.array([0.9]), None, np.array([16]), 1)
    figures = book.figures()
    assert figures["video_auc"] == 1.0 and figures["frames"] == 16
    assert figures["videos"] == 2 and figures["videos_without_truth"] == 1
    assert figures["undefined"]["ap"] == "there is no positive frame (1 video has no intervals)"


def test_the_threshold_itself_is_an_alarm() -> None:
    book = ScoreBook()
    book.add("v", np.array([0.3, 0.5, 0.7]), np.zeros(3, int), np.array([10, 20, 30]), 0)
    assert [book.figures(x)["far"] for x in (0.5, 0.51, 0.2)] == [50 / 60, 30 / 60, 1.0]


def test_snippets_without_a_frame_do_not_count() -> None:
    book = ScoreBook()
    book.add("v", np.array([0.9, 0.2, 0.1]), np.array([0, 16, 0]), np.array([0, 16, 16]), 1)
    assert book.figures()["auc"] == book.figures()["ap"] == 1.0


@pytest.mark.parametrize(("value", "word"), [(np.nan, "nan"), (np.inf, "inf")])
def test_scores_that_are_not_finite(value: float, word: str) -> None:
    with pytest.raises(VadkitError, match=f"the score of snippet 1 of video 'v' is {word}"):
        one([0.1, value], [0, 0], 0)


@pytest.mark.parametrize(
    ("scores", "positives", "frames", "message"),
    [
        ([], [], [], "must be \\(t,\\) with t > 0"),
        ([0.1, 0.2], [0], [16, 16], "positives of video 'v' are \\(1,\\)"),
        ([0.1], [0], [16, 16], "frames of video 'v' are \\(2,\\)"),
        ([0.1], [17], [16], "more positive frames than frames"),
        ([0.1], [-1], [16], "or fewer than 0"),
    ],
)
def test_arrays_that_do_not_belong_together(scores: Any, positives: Any, frames: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ScoreBook().add("v", np.array(scores), np.array(positives), np.array(frames), 1)


def test_a_video_is_added_once() -> None:
    book = ScoreBook()
    book.add("v", np.array([0.1]), np.array([0]), np.array([16]), 0)
    with pytest.raises(ValueError, match="'v' was already added"):
        book.add("v", np.array([0.1]), np.array([0]), np.array([16]), 0)


def test_the_metric_component_gives_the_same_figures(clips: Clips) -> None:
    from vadkit_frame_metrics import FrameMetrics

    metric, videos = FrameMetrics(), clips(3)
    for clip in videos:
        metric.add(clip.name, clip.scores, clip.positives, clip.frames, clip.label, clip.classes)
    assert metric.figures(0.3) == book_of(videos).figures(0.3)
