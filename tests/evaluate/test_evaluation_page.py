"""The page of an evaluation: what it says, and how it looks in a browser."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from page_checks import check_fits, check_print, check_without_scripts

from vadkit.evaluate.evaluation import Evaluation
from vadkit.evaluate.evaluation_page import WORST, evaluation_page
from vadkit.evaluate.scored import Scored

pytestmark = pytest.mark.guards("3")
Make = Callable[..., Any]
NAME = "a very long name <b>of a video</b> &amp; 'quoted', v=Zq0__.x.y__#00-03-00_label_G-0-0"


@pytest.fixture
def details(clips: Make, scored_of: Make) -> list[Scored]:
    return [scored_of(clip) for clip in clips(0, videos=30, levels=50)]


def text_of(page: str) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.partition("<body>")[2])))


def test_it_says_what_was_measured_on_what(details: list[Scored], as_evaluation: Make) -> None:
    unknown = [s.video.name for s in details if s.video.label][:2]
    details = [replace(s, positives=None) if s.video.name in unknown else s for s in details]
    result = as_evaluation(details)
    figures, page = result.figures, text_of(evaluation_page(result, "model.safetensors", note="selected on test"))
    measured = (
        f"feature_store, split test: 30 videos (15 abnormal), {figures['snippets']} snippets, "
        f"{figures['frames']} frames, {figures['positives']} of them positive; "
        "2 of the videos without intervals, in figures of whole videos only"
    )
    assert page.count(measured) >= 4  # the subtitle and every table
    assert f"Precision and recall, AP {figures['ap']:.4f}" in page and f"ROC, AUC {figures['auc']:.4f}" in page
    assert "best F1, chosen on this very data" in page and "its figures flatter" in page
    assert "selected on test" in page and "2 without known intervals cannot be ranked" in page
    for name in ("explosion", "riot", "abuse"):
        assert f" {name} {figures['per_class'][name]['auc']:.4f} " in page


def test_videos_of_unknown_label_are_counted_as_such(details: list[Scored], as_evaluation: Make) -> None:
    result = as_evaluation(details)
    unknown = replace(details[0], video=replace(details[0].video, label=None), positives=None)
    result = replace(result, details=[unknown, *details[1:]])
    page = text_of(evaluation_page(result, "model"))
    assert "; 1 more of unknown label, in no figure" in page and "without intervals, in" not in page


def test_the_worst_videos_come_first_and_their_number_is_bounded(details: list[Scored], as_evaluation: Make) -> None:
    page = evaluation_page(as_evaluation(details), "model")
    costs = [float(cost) for cost in re.findall(r"; cost (\d\.\d+)", page)]
    assert len(costs) == WORST == page.count("<article>") and costs == sorted(costs, reverse=True)
    assert f"{WORST} of 30 videos are shown" in text_of(page) and 'href="./scores.csv"' in page


def test_spans_are_where_they_were_annotated(clips: Make, scored_of: Make, as_evaluation: Make) -> None:
    clip = replace(clips(0)[1], scores=np.full(10, 0.3), positives=np.zeros(10, int), frames=np.full(10, 16))
    clip.positives[5:] = 16
    page = evaluation_page(as_evaluation([scored_of(clip)]), "model")
    chart = page.partition("<article>")[2]
    spans = re.findall(r'class="span" x="([\d.]+)" y="0" width="([\d.]+)"', chart)
    assert [float(x) for x, _ in spans] == [5000, 6000, 7000, 8000, 9000]
    assert {float(width) for _, width in spans} == {1000}


def test_a_video_of_unknown_rate_is_drawn_over_frames(clips: Make, scored_of: Make, as_evaluation: Make) -> None:
    page = evaluation_page(as_evaluation([scored_of(clip, fps=None) for clip in clips(0)]), "model")
    assert ">frame</text>" in page and "time (s)" not in page
    assert "whose frame rate is known; there is no such video" in text_of(page)


@pytest.mark.parametrize("unknown", [False, True])
def test_it_says_why_there_is_no_curve(details: list[Scored], as_evaluation: Make, unknown: bool) -> None:
    kept = [replace(s, positives=None) if s.video.label else s for s in details if unknown or not s.video.label]
    page = evaluation_page(as_evaluation(kept), "model")
    assert "There are no curves of precision and recall: there is no positive frame" in text_of(page)
    assert "ROC, AUC" not in page and "False alarms per hour against the threshold" in page and "nan" not in page


def test_videos_without_any_truth_have_a_page_too(details: list[Scored], as_evaluation: Make) -> None:
    page = text_of(evaluation_page(as_evaluation([replace(s, positives=None) for s in details]), "model"))
    why = "there is no positive and no negative frame (30 videos have no intervals)"
    assert f"There are no curves of precision and recall: {why}" in page
    assert "0 of 30 videos are shown. 30 without known intervals cannot be ranked." in page


def test_all_positive_frames_are_no_ranking_either(details: list[Scored], as_evaluation: Make) -> None:
    page = evaluation_page(as_evaluation([replace(s, positives=s.frames) for s in details if s.video.label]), "model")
    assert "There are no curves of precision and recall: there is no negative frame" in text_of(page)


def test_scores_that_are_no_probabilities_have_an_axis_of_their_own(details: list[Scored], as_evaluation: Make) -> None:
    logits = [replace(s, scores=20 * s.scores - 10) for s in details]
    page = evaluation_page(as_evaluation(logits, threshold=3.0), "model")
    assert 'data-x0="-10"' in page and "threshold 3.00" in page


def test_a_notice_is_shown_first_and_in_every_caption(details: list[Scored], as_evaluation: Make) -> None:
    notice = "stand-in <features>: figures mean nothing"
    page = evaluation_page(as_evaluation(details), "model", notice=notice)
    assert "<features>" not in page
    captions = re.findall(r"<caption>(.*?)</caption>", page)
    assert len(captions) == 3 and all(unescape(caption).endswith(notice) for caption in captions)
    assert page.index('id="notice"') < page.index("<h2>")
    assert 'id="notice"' not in evaluation_page(as_evaluation(details), "model")


def test_a_million_frames_are_a_small_page(clips: Make, scored_of: Make, as_evaluation: Make) -> None:
    rng = np.random.default_rng(0)
    details = []
    for clip in clips(0, videos=10):
        positives = np.zeros(7000, int)
        positives[:1000] = 16 * clip.label
        long = replace(clip, scores=rng.random(7000), positives=positives, frames=np.full(7000, 16))
        one = scored_of(replace(long, positives=positives * 0))
        details.append(replace(one, positives=positives))
    result = as_evaluation(details)
    assert result.figures["frames"] > 1_000_000
    assert len(evaluation_page(result, "model")) < 1_500_000


@pytest.fixture
def page(details: list[Scored], as_evaluation: Make, tmp_path: Path) -> Path:
    details = [replace(s, video=replace(s.video, name=f"{NAME} {i}")) for i, s in enumerate(details)]
    result: Evaluation = as_evaluation(details)
    path = tmp_path / "index.html"
    path.write_text(evaluation_page(result, "m" * 80, notice="Stand-in features: figures mean nothing"), "utf-8")
    return path


def test_nothing_overflows_a_phone(page: Path) -> None:
    check_fits(page)


def test_charts_are_there_without_scripts_and_on_paper(page: Path) -> None:
    check_without_scripts(page, charts=4 + WORST)
    check_print(page)
