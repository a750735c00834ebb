"""Choosing weights by whole videos where no intervals are known."""

from __future__ import annotations

import pytest

from vadkit.evaluate.selection_metric import metric_for
from vadkit.video import Video

NORMAL = Video("n", "val", 0)
KNOWN = Video("a", "val", 1, spans=((0, 5),))
UNKNOWN = Video("b", "val", 1)


@pytest.mark.parametrize("metric", ["ap", "auc", "ap_trapezoid"])
def test_frames_are_used_where_intervals_are_known(metric: str) -> None:
    assert metric_for([NORMAL, KNOWN, UNKNOWN], metric) == (metric, None)
    assert metric_for([NORMAL], metric) == metric_for([], metric) == (metric, None)


@pytest.mark.parametrize(
    ("metric", "instead"), [("ap", "video_ap"), ("auc", "video_auc"), ("ap_trapezoid", "video_ap")]
)
def test_whole_videos_are_used_otherwise_and_the_note_says_so(metric: str, instead: str) -> None:
    chosen, note = metric_for([NORMAL, UNKNOWN], metric)
    assert chosen == instead
    assert note == (
        f"the abnormal videos of split 'val' have no intervals, so weights are chosen by '{instead}' "
        f"(each video's highest score against its label), not by '{metric}'"
    )
