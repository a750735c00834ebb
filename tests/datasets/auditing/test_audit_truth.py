"""Label files as they are found in public repositories, whole and spoiled in the ways that were found there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vadkit.cli import main
from vadkit.datasets.annotations import Annotated, Intervals, read_annotations
from vadkit.datasets.auditing.label_reading import vector
from vadkit.datasets.auditing.label_vector import STRAY, check_truth
from vadkit.problems import VadkitError
from vadkit.store.check.finding import Finding

LAST_SIX = {"RoadAccidents", "Robbery", "Shooting", "Shoplifting", "Stealing", "Vandalism"}
Frames = Callable[[Annotated], int]


def videos_of(data_set: str) -> list[Annotated]:
    return read_annotations(data_set).of("test")


def published(video: Annotated) -> int:
    assert video.snippets is not None
    return 16 * video.snippets


def rounded_up(video: Annotated) -> int:
    assert video.frames is not None
    return -(-video.frames // 16) * 16


def rounded_down(video: Annotated) -> int:
    assert video.frames is not None
    return video.frames // 16 * 16


def labels_of(videos: Iterable[Annotated], frames: Frames = published, rule: Intervals = "half_open") -> np.ndarray:
    return np.concatenate([vector(video, rule, frames(video)) for video in videos]).astype(np.float32)


def zeroed(videos: list[Annotated], which: Callable[[Annotated], bool]) -> np.ndarray:
    parts = [vector(v, "half_open", published(v)) * (not which(v)) for v in videos]
    return np.concatenate(parts).astype(np.float32)


@pytest.fixture
def check(tmp_path: Path) -> Callable[..., list[Finding]]:
    """Check labels against the features of Wu et al., or such as ``frames`` says."""

    def check(
        labels: np.ndarray,
        data_set: str,
        rule: Intervals = "half_open",
        frames: Frames = published,
        listed: list[str] | None = None,
    ) -> list[Finding]:
        np.save(tmp_path / "gt.npy", labels)
        videos = videos_of(data_set)
        snippets = {video.name: frames(video) // 16 for video in videos}
        return check_truth(tmp_path / "gt.npy", videos, rule, [snippets], listed)

    return check


Check = Callable[..., list[Finding]]


@pytest.mark.parametrize(
    ("data_set", "frames", "rule", "length", "positive"),
    [
        ("xd_violence", published, "half_open", 2330384, 537805),
        ("ucf_crime", published, "half_open", 1109680, 84128),
        ("ucf_crime", rounded_up, "closed", 1114144, 84343),
    ],
)
def test_published_labels(
    check: Check, data_set: str, frames: Frames, rule: Intervals, length: int, positive: int
) -> None:
    labels = labels_of(videos_of(data_set), frames, rule)
    assert (len(labels), labels.sum()) == (length, positive)
    assert check(labels, data_set, rule, frames) == []


def test_the_last_label_repeated_to_the_end_of_a_snippet_is_no_fault(check: Check) -> None:
    videos = videos_of("shanghaitech")
    parts = []
    for video in videos:
        own = vector(video, "half_open", video.frames or 0)
        parts.append(np.concatenate([own, own[-1:].repeat(rounded_up(video) - len(own))]))
    assert check(np.concatenate(parts), "shanghaitech", frames=rounded_up) == []


def test_the_last_six_classes_are_zero(check: Check) -> None:
    labels = zeroed(videos_of("ucf_crime"), lambda v: v.classes[:1] != () and v.classes[0] in LAST_SIX)
    assert labels.sum() == 52740
    found = check(labels, "ucf_crime")
    assert [f.kind for f in found] == ["truth-class"] * 6
    assert {f.what.partition(":")[0].removeprefix("class ") for f in found} == LAST_SIX
    assert "(whole file: 52740 positive, intervals give 84128)" in found[0].what
    assert found[0].what.startswith("class RoadAccidents: labels of all 23 videos are 0, intervals give 2209 frames 1")


@pytest.mark.parametrize("data_set", ["ucf_crime", "xd_violence"])
def test_closed_intervals(check: Check, data_set: str) -> None:
    (finding,) = check(labels_of(videos_of(data_set), rule="closed"), data_set)
    assert finding.kind == "truth-rule"
    assert "with their last frame (closed), by the store without their last frame (half_open)" in finding.what
    assert "--intervals closed" in finding.todo
    (finding,) = check(labels_of(videos_of(data_set)), data_set, "closed")
    assert finding.kind == "truth-rule" and "--intervals half_open" in finding.todo


def test_intervals_of_umil(check: Check) -> None:
    (finding,) = check(labels_of(videos_of("ucf_crime"), rule="umil"), "ucf_crime")
    assert finding.kind == "truth-rule" and "14 videos differ" in finding.what and finding.video == "Arson010_x264"


def test_144_frames_too_many_because_of_a_formula(check: Check) -> None:
    """Nine videos of UCF-Crime have one snippet less than frames // 16."""
    labels = labels_of(videos_of("ucf_crime"), rounded_down)
    assert len(labels) == 1109680 + 144
    (finding,) = check(labels, "ucf_crime")
    assert finding.kind == "truth-length" and finding.video == "Assault006_x264"
    assert "1109824 labels, but the features at hand have 1109680, 144 fewer" in finding.what
    assert "features of frames // 16 snippets: 9 videos differ" in finding.what


@pytest.mark.parametrize("data_set", ["ucf_crime", "xd_violence"])
@pytest.mark.parametrize(
    ("spoil", "kind", "what"),
    [
        (lambda x: np.concatenate([np.zeros(144), x[:-144]]), "truth-shift", "are 144 frames too late"),
        (lambda x: np.concatenate([x[144:], np.zeros(144)]), "truth-shift", "are 144 frames too early"),
        (lambda x: np.concatenate([x, np.zeros(144)]), "truth-length", "144 fewer; the difference is at the end"),
        (lambda x: np.concatenate([np.zeros(144), x]), "truth-length", "144 fewer; the difference is at the beginning"),
        (lambda x: x[:-144], "truth-length", "144 more; the first"),
    ],
    ids=["late", "early", "long", "long at the start", "short"],
)
def test_144_frames_off(
    check: Check, data_set: str, spoil: Callable[[np.ndarray], np.ndarray], kind: str, what: str
) -> None:
    (finding,) = check(spoil(labels_of(videos_of(data_set))), data_set)
    assert finding.kind == kind and what in finding.what, finding.what


def test_144_frames_lost_in_one_video(check: Check) -> None:
    videos = videos_of("xd_violence")
    labels = labels_of(videos)
    start = sum(published(video) for video in videos[:100])
    (finding,) = check(np.delete(labels, slice(start, start + 144)), "xd_violence")
    assert finding.kind == "truth-length" and finding.video == videos[100].name
    assert "the first 100 videos agree, counted from the end the last 699" in finding.what


def test_14_names_with_a_stray_mp4(check: Check) -> None:
    assert len(STRAY) == 14 and {v.name for v in videos_of("xd_violence") if v.label} >= STRAY
    found = check(zeroed(videos_of("xd_violence"), lambda v: v.name in STRAY), "xd_violence")
    assert {f.video for f in found} == STRAY and {f.kind for f in found} == {"truth-name"}
    assert "like those of 14 videos here, so an exact join lost them" in found[0].what


def test_orders(check: Check) -> None:
    videos = videos_of("ucf_crime")
    normal_first = sorted(videos, key=lambda video: video.label)
    (finding,) = check(labels_of(normal_first), "ucf_crime")
    assert finding.kind == "truth-order" and "normal videos first, not as in the official lists" in finding.what
    assert check(labels_of(normal_first), "ucf_crime", listed=[v.name for v in normal_first]) == []
    (finding,) = check(labels_of(videos), "ucf_crime", listed=[v.name for v in normal_first])
    assert "as in the official lists, not as in the list" in finding.what


def test_single_videos(check: Check) -> None:
    videos = videos_of("ucf_crime")
    labels = labels_of(videos)
    starts = np.cumsum([0, *(published(video) for video in videos)])
    labels[starts[3] : starts[4]] = 0  # an abnormal one, not all of its class
    labels[starts[200] + 5] = 1  # a normal one
    labels[starts[10] + 100 : starts[10] + 110] = 1 - labels[starts[10] + 100 : starts[10] + 110]
    found = {f.video: f.what for f in check(labels, "ucf_crime")}
    assert set(found) == {videos[3].name, videos[10].name, videos[200].name}
    assert found[videos[3].name].startswith("labels are all 0, intervals give ")
    assert found[videos[10].name].startswith("10 of ")
    assert found[videos[200].name] == "1 frames of a normal video are labelled abnormal"


def test_no_positive_label_at_all(check: Check) -> None:
    (finding,) = check(np.zeros(1109680), "ucf_crime")
    assert "no abnormal video agrees in any order, by any rule; 0 labels are positive, not 84128" in finding.what


def test_labels_that_are_no_labels(check: Check) -> None:
    labels = labels_of(videos_of("ucf_crime"))
    labels[1000] = np.nan
    labels[1001] = 0.3
    (finding,) = check(labels, "ucf_crime")
    assert finding.kind == "truth-values"
    assert finding.what == "2 labels are neither 0 nor 1, the first is label 1000, nan"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a .npy file of numbers"),
        (b"0 0 1 1", "is not a .npy file of numbers"),
        (None, "cannot be read: no such file"),
    ],
)
def test_files_that_are_no_labels(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / "gt.npy").write_bytes(content)
    with pytest.raises(VadkitError, match=message):
        check_truth(tmp_path / "gt.npy", videos_of("ucf_crime"), "half_open")


def test_a_pickle_is_never_loaded(tmp_path: Path) -> None:
    np.save(tmp_path / "gt.npy", np.array([[1], [2, 3]], object), allow_pickle=True)
    with pytest.raises(VadkitError, match="pickled objects are never loaded"):
        check_truth(tmp_path / "gt.npy", videos_of("ucf_crime"), "half_open")


def test_from_the_command_line(sound: Path, tmp_path: Path, audit: Callable[..., list[dict[str, Any]]]) -> None:
    videos = videos_of("shanghaitech")
    index = sound / "index"
    np.save(tmp_path / "flow.npy", labels_of(videos, rounded_up))  # RGB is one snippet longer, and is cut
    assert audit(index, "--quick", "--labels", str(tmp_path / "flow.npy")) == []
    np.save(tmp_path / "rgb.npy", labels_of(videos, lambda v: rounded_up(v) + 16))
    assert audit(index, "--quick", "--labels", str(tmp_path / "rgb.npy")) == []
    np.save(tmp_path / "own.npy", labels_of(videos, lambda v: v.frames or 0))
    (finding,) = audit(index, "--quick", "--labels", str(tmp_path / "own.npy"))
    assert finding["kind"] == "truth-length" and "They are for the videos' own frames" in finding["what"]
    assert main(["store", "check", str(index), "--labels", str(tmp_path / "no.npy")]) == 2
