"""The annotations that come with vadkit: the published counts, the official order, and the intervals of the tests."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from vadkit.datasets.annotations import DATA_SETS, INTERVALS, interval_rule, read_annotations
from vadkit.problems import VadkitError

ANNOTATIONS = Path(__file__).parent / "annotations"
COUNTS = {  # data set -> train (normal, abnormal), test (normal, abnormal)
    "xd_violence": ((2049, 1905), (300, 500)),
    "ucf_crime": ((800, 810), (150, 140)),
    "shanghaitech": ((175, 63), (155, 44)),
}


@pytest.mark.parametrize("data_set", DATA_SETS)
def test_counts(data_set: str) -> None:
    for split, (normal, abnormal) in zip(("train", "test"), COUNTS[data_set]):
        labels = [video.label for video in read_annotations(data_set).of(split)]
        assert labels == [1] * abnormal + [0] * normal  # the official order, which published labels are in


@pytest.mark.parametrize("data_set", DATA_SETS)
def test_test_videos_are_those_of_the_other_record(data_set: str) -> None:
    """tests/datasets/annotations was compiled apart from the tables."""
    videos = read_annotations(data_set).of("test")
    recorded = json.loads((ANNOTATIONS / f"{data_set}.json").read_text())
    assert [v.label for v in videos] == [label for label, _, _ in recorded]
    assert [[list(span) for span in v.spans] for v in videos] == [spans for _, _, spans in recorded]
    frames = [v.frames if data_set == "shanghaitech" else 16 * (v.snippets or 0) for v in videos]
    assert frames == [n for _, n, _ in recorded]


@pytest.mark.parametrize("data_set", DATA_SETS)
def test_names_are_unique_and_classes_known(data_set: str) -> None:
    annotations = read_annotations(data_set)
    assert len(annotations.named()) == len(annotations.videos)
    for video in annotations.videos:
        assert set(video.classes) <= set(annotations.classes[1:])
        assert video.label or not (video.classes or video.spans)
        assert all(start < end for start, end in video.spans)


def test_classes_of_ucf_crime() -> None:
    main = Counter(video.classes[0] for video in read_annotations("ucf_crime").of("test") if video.label)
    assert main["RoadAccidents"] == main["Shooting"] == 23 and main["Abuse"] == 2 and len(main) == 13


def test_rules_of_intervals() -> None:
    named = read_annotations("ucf_crime").named()
    assert named["Abuse028_x264"].intervals() == ((165, 240),)
    assert named["Abuse028_x264"].as_video("closed").spans == ((165, 241),)
    changed = [v for v in named.values() if v.changed is not None]
    assert len(changed) == 14 and all(v.intervals("umil") == v.changed != v.spans for v in changed)
    assert [interval_rule(name) for name in INTERVALS] == [*INTERVALS]
    with pytest.raises(VadkitError, match="there is no interval rule 'open'"):
        interval_rule("open")


def test_intervals_end_with_the_video_and_training_has_none() -> None:
    video = read_annotations("ucf_crime").named()["Arson011_x264"]
    assert video.frames is not None and video.spans[-1][1] > video.frames
    assert video.as_video().spans[-1][1] == video.frames
    assert all(not v.as_video().spans for v in read_annotations("shanghaitech").of("train"))


def test_an_unknown_data_set() -> None:
    with pytest.raises(VadkitError, match="there is no annotation of 'xd-violence'") as error:
        read_annotations("xd-violence")
    assert "did you mean 'xd_violence'?" in str(error.value)
