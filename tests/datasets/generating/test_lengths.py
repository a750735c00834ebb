"""Lengths of stand-ins: published ones where there are any, scenes as long as their names say."""

from __future__ import annotations

import numpy as np
import pytest

from vadkit.datasets.annotations import read_annotations
from vadkit.datasets.generating.lengths import lengths_of, scene_seconds, sources


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        ("Bad.Boys.1995__#00-26-51_00-27-53_label_B2-0-0", 62),
        ("Deadpool.2016__#0-18-58_0-19-20_label_B1-0-0", 22),
        ("Fast.Five.2011__#00-59-50_01-00-10_label_B1-0-0", 20),
        ("v=-22tna7KHzI__#1_label_G-0-0", None),
        ("v=x__#01-00-00_00-59-00_label_A", None),
    ],
)
def test_a_name_tells_how_long_a_scene_is(name: str, seconds: int | None) -> None:
    assert scene_seconds(name) == seconds


def test_names_tell_the_published_length_within_a_snippet() -> None:
    """The check of the rule: test videos have both."""
    videos = [video for video in read_annotations("xd_violence").of("test") if scene_seconds(video.name)]
    by_name = [((scene_seconds(video.name) or 0) * 24 - 1) // 16 for video in videos]
    off = np.abs(np.array(by_name) - [video.snippets or 0 for video in videos])
    assert len(videos) == 544 and (off <= 1).sum() == 543  # one file is much shorter than its name


def test_xd_violence_is_as_long_as_its_authors_say() -> None:
    lengths = lengths_of("xd_violence", 0)
    assert sources(lengths) == {"published": 800, "name": 2580, "drawn": 1374}
    hours = sum(length.snippets for length in lengths.values()) * 16 / 24 / 3600
    assert hours == pytest.approx(217, rel=1e-3)
    assert lengths == lengths_of("xd_violence", 0) != lengths_of("xd_violence", 1)


def test_of_ucf_crime_all_lengths_are_known() -> None:
    lengths = lengths_of("ucf_crime", 0)
    assert sources(lengths) == {"published": 1900} and lengths == lengths_of("ucf_crime", 1)
    assert lengths["Abuse028_x264"].snippets == 88 and lengths["Abuse001_x264"].snippets == 2729 // 16


def test_shanghaitech_is_as_long_as_its_authors_say() -> None:
    lengths = lengths_of("shanghaitech", 0)
    assert sources(lengths) == {"published": 262, "drawn": 175}
    assert sum(length.snippets for length in lengths.values()) == pytest.approx(317_398 // 16, abs=100)
