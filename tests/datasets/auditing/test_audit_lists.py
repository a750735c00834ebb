"""List files and files of intervals in which published code would lose videos silently."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vadkit.datasets.annotations import read_annotations
from vadkit.datasets.auditing.label_reading import vector
from vadkit.datasets.auditing.label_vector import STRAY
from vadkit.datasets.auditing.list_files import check_intervals, check_list
from vadkit.problems import VadkitError
from vadkit.store.check.finding import Finding

XD = read_annotations("xd_violence")
UCF = read_annotations("ucf_crime")
TESTS = [video.name for video in XD.of("test")]


@pytest.fixture
def listed(tmp_path: Path) -> Callable[[list[str]], list[Finding]]:
    def listed(lines: list[str]) -> list[Finding]:
        (tmp_path / "x.list").write_text("\n".join(lines))
        return check_list(tmp_path / "x.list", XD.named())[0]

    return listed


Listed = Callable[[list[str]], list[Finding]]


def lines(names: list[str], crops: int = 5) -> list[str]:
    return [f"/media/peng/RGBTest/{name}__{crop}.npy" for name in names for crop in range(crops)]


def test_a_sound_list(listed: Listed) -> None:
    assert listed(lines(TESTS)) == []
    assert listed([f"vggish/{name}__vggish.npy" for name in TESTS]) == []
    assert listed(lines([video.name for video in XD.of("train")])) == []


def test_a_video_that_is_missing(listed: Listed) -> None:
    (finding,) = listed(lines([name for name in TESTS if name != TESTS[7]]))
    assert (finding.kind, finding.video) == ("list-video", TESTS[7])


def test_a_crop_that_is_missing(listed: Listed) -> None:
    own = lines(TESTS)
    (finding,) = listed(own[:13] + own[14:])
    assert (finding.kind, finding.video) == ("list-order", TESTS[2])
    assert finding.what == "it has 4 lines, most videos 5: after it line number // 5 is wrong"


def test_crops_that_are_apart(listed: Listed) -> None:
    own = lines(TESTS)
    found = listed([*own[1:100], own[0], *own[100:]])
    assert [(f.kind, f.video) for f in found] == [("list-order", TESTS[0])]
    assert "(lines 1 and 100)" in found[0].what


def test_normal_videos_in_front(listed: Listed) -> None:
    (finding,) = listed(lines([*TESTS[500:], *TESTS[:500]]))
    assert (finding.kind, finding.video) == ("list-order", TESTS[0])


def test_a_training_video_among_test_videos(listed: Listed) -> None:
    other = XD.of("train")[0].name
    (finding,) = listed(lines([other, *TESTS]))
    assert (finding.kind, finding.video) == ("list-video", other) and finding.what.startswith("a train video")


def test_names_with_a_stray_mp4(listed: Listed) -> None:
    found = listed(lines([f"{name}.mp4" if name in STRAY else name for name in TESTS]))
    assert {f.kind for f in found} == {"list-name"} and {f.video for f in found} == STRAY


def test_a_name_of_no_video(listed: Listed) -> None:
    found = listed([*lines(TESTS), "Abuse001_x264__0.npy"])
    assert [(f.kind, f.video) for f in found] == [("list-video", "Abuse001_x264__0")]


def test_a_list_of_another_data_set(listed: Listed) -> None:
    with pytest.raises(VadkitError, match="names no video of the data set"):
        listed(["Abuse001_x264__0.npy"])


# -- intervals -----------------------------------------------------------------------------------
def intervals(tmp_path: Path, rows: list[str], data_set: str = "xd_violence") -> list[Finding]:
    (tmp_path / "annotations.txt").write_text("\n".join(rows))
    return check_intervals(tmp_path / "annotations.txt", read_annotations(data_set).named(), "half_open")


def xd_rows(suffix: Callable[[str], str] = lambda name: "") -> list[str]:
    return [
        f"{v.name}{suffix(v.name)} " + " ".join(f"{start} {end}" for start, end in v.spans)
        for v in XD.of("test")
        if v.label
    ]


def test_a_sound_file_of_intervals(tmp_path: Path) -> None:
    assert intervals(tmp_path, xd_rows()) == []


def test_the_file_of_ucf_crime_in_which_every_name_has_its_suffix(tmp_path: Path) -> None:
    rows = []
    for video in UCF.of("test"):
        numbers = [str(n) for span in video.spans for n in span] + ["-1"] * (4 - 2 * len(video.spans))
        rows.append("  ".join([f"{video.name}.mp4", video.classes[0] if video.classes else "Normal", *numbers]))
    assert intervals(tmp_path, rows, "ucf_crime") == []


def test_14_names_with_a_stray_mp4(tmp_path: Path) -> None:
    found = intervals(tmp_path, xd_rows(lambda name: ".mp4" if name in STRAY else ""))
    assert len(found) == 14 and {f.video for f in found} == STRAY and {f.kind for f in found} == {"list-name"}
    assert "as 14 videos are named: an exact join loses them" in found[0].what
    assert found[0].todo == "remove '.mp4' from the name"


def test_other_intervals_and_missing_lines(tmp_path: Path) -> None:
    rows = xd_rows()
    rows[0] = rows[0].rsplit(" ", 1)[0] + " 9999"
    found = intervals(tmp_path, rows[:-1])
    assert [(f.kind, f.video) for f in found] == [("intervals", TESTS[0]), ("intervals-none", TESTS[499])]


def test_lines_that_are_no_intervals(tmp_path: Path) -> None:
    with pytest.raises(VadkitError) as error:
        intervals(tmp_path, [TESTS[0], f"{TESTS[1]} 5", f"{TESTS[2]} a b c", *xd_rows()[3:]])
    assert [problem.place.line for problem in error.value.problems if problem.place] == [1, 2, 3]


# -- from the command line -----------------------------------------------------------------------
def test_the_list_gives_the_order_of_the_labels(
    sound: Path, tmp_path: Path, audit: Callable[..., list[dict[str, Any]]]
) -> None:
    videos = sorted(read_annotations("shanghaitech").of("test"), key=lambda video: (-video.label, video.name[::-1]))
    labels = [vector(video, "half_open", -(-(video.frames or 0) // 16) * 16) for video in videos]
    np.save(tmp_path / "gt.npy", np.concatenate(labels))
    (tmp_path / "test.list").write_text("\n".join(f"test/{v.name}_0.npy {v.label}" for v in videos))
    options = ("--quick", "--labels", str(tmp_path / "gt.npy"))
    assert audit(sound / "index", *options)[0]["kind"] == "truth-order"
    assert audit(sound / "index", *options, "--labels-list", str(tmp_path / "test.list")) == []
    (tmp_path / "a.txt").write_text(f"{videos[0].name} 1 2\n")
    kinds = [f["kind"] for f in audit(sound / "index", "--quick", "--labels-intervals", str(tmp_path / "a.txt"))]
    assert kinds.count("intervals") == 1 and kinds.count("intervals-none") == 43
