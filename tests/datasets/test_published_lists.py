"""Names and lists of published feature sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import published_lists as published
import pytest
from published_lists import Entry, prompt_rows, read_classes, read_list

from vadkit.datasets import classes
from vadkit.problems import VadkitError

PEL4VAD = Path(__file__).parents[2] / "registry_configs" / "data" / "pel4vad"


@pytest.mark.parametrize(
    ("line", "name", "crop", "label", "classes"),
    [
        (
            "RGB/Bad.Boys.1995__#00-26-51_00-27-53_label_B2-0-0__3.npy",
            "Bad.Boys.1995__#00-26-51_00-27-53_label_B2-0-0",
            3,
            1,
            ("B2",),
        ),
        ("v=38GQ9L2meyE__#1_label_G-B2-B6__0.npy", "v=38GQ9L2meyE__#1_label_G-B2-B6", 0, 1, ("G", "B2", "B6")),
        ("train/wangted.2008__#0-27-17_0-28-07_label_A__4.npy", "wangted.2008__#0-27-17_0-28-07_label_A", 4, 0, ()),
    ],
)
def test_xd_violence(line, name, crop, label, classes):
    assert published.xd_violence(line) == Entry(line, name, crop, label, classes)


@pytest.mark.parametrize(
    ("line", "name", "crop", "label", "classes"),
    [
        ("train/Abuse001_x264.npy", "Abuse001_x264", 0, 1, ("Abuse",)),
        ("UCF/RoadAccidents127_x264__9.npy", "RoadAccidents127_x264", 9, 1, ("RoadAccidents",)),
        ("Normal_Videos_944_x264__2.npy", "Normal_Videos_944_x264", 2, 0, ()),
    ],
)
def test_ucf_crime(line, name, crop, label, classes):
    assert published.ucf_crime(line) == Entry(line, name, crop, label, classes)


def test_shanghaitech_takes_classes_from_elsewhere():
    classes = {"01_0026": ("fighting", "chasing")}
    entry = published.shanghaitech("train/01_0026_7.npy 1.0", classes)
    assert entry == Entry("train/01_0026_7.npy", "01_0026", 7, 1, ("fighting", "chasing"))
    assert entry.class_indices("shanghaitech") == [4, 2]
    normal = published.shanghaitech("test/01_002_0.npy 0.0", classes)
    assert (normal.label, normal.classes, normal.class_indices("shanghaitech")) == (0, (), [0])


@pytest.mark.parametrize(
    ("parse", "line", "said"),
    [
        (published.xd_violence, "Bad.Boys.npy", "has no '_label_'"),
        (published.xd_violence, "x_label_B3-0-0__0.npy", "there is no class 'B3' in xd_violence"),
        (published.ucf_crime, "Abusee001_x264.npy", "did you mean 'Abuse'"),
        (published.ucf_crime, "x264.npy", "there is no class 'x' in ucf_crime"),
        (published.ucf_crime, "001_x264.npy", "does not begin with a class and a number"),
        (published.shanghaitech, "01_0014_0.npy", "a file and its label"),
    ],
)
def test_names_of_another_kind_are_refused(parse, line, said):
    with pytest.raises(ValueError, match=said):
        parse(line)


def test_a_list_keeps_its_order_and_skips_empty_lines(tmp_path):
    path = tmp_path / "test.list"
    path.write_text("Arson011_x264__1.npy\n\nNormal_Videos_003_x264.npy\n", encoding="utf-8")
    assert [(e.name, e.crop, e.label) for e in read_list(path, "ucf_crime")] == [
        ("Arson011_x264", 1, 1),
        ("Normal_Videos_003_x264", 0, 0),
    ]


def test_all_bad_lines_of_a_list_are_reported_at_their_places(tmp_path):
    path = tmp_path / "sht.list"
    path.write_text("01_0014_0.npy 1\n01_0015_0.npy\n01_0016_0.npy yes\n", encoding="utf-8")
    with pytest.raises(VadkitError) as error:
        read_list(path, "shanghaitech")
    assert [problem.place.line for problem in error.value.problems] == [2, 3]


def test_a_missing_list_is_reported(tmp_path):
    with pytest.raises(VadkitError, match="there is no file"):
        read_list(tmp_path / "none.list", "xd_violence")


def test_classes_of_pel4vad_are_all_known():
    classes = read_classes(PEL4VAD / "shanghaitech_classes.txt")
    assert len(classes) == 63 and classes["01_0026"] == ("fighting", "chasing")


@pytest.mark.parametrize("dataset", published.CLASSES)
def test_class_vectors_have_a_row_per_class(dataset):
    table = np.load(PEL4VAD / f"{dataset}.npy")
    assert table.shape == (len(published.CLASSES[dataset]), 512) and table.dtype == np.float32


def test_prompt_rows_average_several_classes_and_may_round():
    table = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)
    assert np.array_equal(prompt_rows(table, [2, 4]), np.stack([table[0], (table[2] + table[4]) / 2]))
    rounded = prompt_rows(table, [3], half=True)
    assert rounded.dtype == np.float32 and np.array_equal(rounded[1], table[3].astype(np.float16))


def test_every_class_of_xd_violence_has_a_word():
    assert set(classes.XD_WORDS) == set(published.CLASSES["xd_violence"])
