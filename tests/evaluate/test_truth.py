"""Truth per snippet against truth per frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vadkit.evaluate.truth import merged, snippet_truth
from vadkit.problems import VadkitError
from vadkit.video import Video


def video(num_frames: int | None, *spans: tuple[int, int]) -> Video:
    return Video("v", "test", int(bool(spans)), (), num_frames, None, spans)


@given(
    st.lists(st.tuples(st.integers(0, 80), st.integers(0, 80)), max_size=4),
    st.integers(1, 70),
    st.integers(1, 16),
    st.sampled_from(["real", "full"]),
)
def test_counts_are_those_of_single_frames(spans: list[tuple[int, int]], n: int, width: int, tail: str) -> None:
    t = -(-n // width)
    positives, frames = snippet_truth(video(n, *spans), t, width, tail)
    vector = np.zeros(max(t * width, 100), int)
    for start, end in spans:
        vector[start : max(start, end)] = 1
    vector = vector[: n if tail == "real" else t * width]
    edges = np.arange(0, t * width, width)
    assert frames.sum() == len(vector)
    np.testing.assert_array_equal(positives, np.add.reduceat(vector, edges))


def test_a_span_that_ends_inside_a_snippet() -> None:
    positives, frames = snippet_truth(video(48, (10, 20)), 3, 16)
    assert positives.tolist() == [6, 4, 0] and frames.tolist() == [16, 16, 16]


def test_overlapping_spans_count_once() -> None:
    assert merged([(5, 9), (0, 6), (9, 12), (20, 21), (3, 3)]) == [(0, 12), (20, 21)]
    assert snippet_truth(video(32, (0, 10), (5, 15), (0, 3)), 2, 16)[0].tolist() == [15, 0]


def test_a_span_after_the_last_snippet_does_not_count() -> None:
    assert snippet_truth(video(None, (10, 1000)), 2, 16)[0].tolist() == [6, 16]


def test_the_last_snippet_counts_with_the_frames_the_video_has() -> None:
    assert snippet_truth(video(20, (0, 32)), 2, 16)[1].tolist() == [16, 4]
    assert snippet_truth(video(20, (0, 32)), 2, 16, "full")[0].tolist() == [16, 16]


def test_snippets_after_the_end_of_the_video_have_no_frames() -> None:
    assert snippet_truth(video(20), 4, 16)[1].tolist() == [16, 4, 0, 0]


def test_features_that_are_shorter_leave_frames_out() -> None:
    assert snippet_truth(video(50), 3, 16)[1].tolist() == [16, 16, 16]


def test_features_that_are_far_too_long() -> None:
    with pytest.raises(VadkitError, match="'v': its features have 6 snippets of 16 frames, but its 40 frames give 3"):
        snippet_truth(video(40), 6, 16)


def test_segments_are_equal_parts_of_the_video() -> None:
    thirds = replace(video(100, (30, 40), (90, 100)), segments=3)
    positives, frames = snippet_truth(thirds, 3, 16)
    assert frames.tolist() == [33, 33, 34] and positives.tolist() == [3, 7, 10]


def test_a_video_of_fewer_frames_than_segments() -> None:
    positives, frames = snippet_truth(replace(video(2, (1, 2)), segments=4), 4, 16)
    assert frames.tolist() == [0, 1, 0, 1] and positives.tolist() == [0, 0, 0, 1]


def test_segments_of_a_video_of_unknown_length() -> None:
    with pytest.raises(VadkitError, match="its frame count is unknown"):
        snippet_truth(replace(video(None, (1, 2)), segments=4), 4, 16)
