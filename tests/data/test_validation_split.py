"""A validation split out of the training videos: the same one every time, of every class."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from tiny_store import write_tiny_store
from vadkit_feature_store import FeatureStore

from vadkit.data.validation_split import carve, with_validation
from vadkit.problems import VadkitError
from vadkit.video import Video


def many() -> list[Video]:
    classes = [(), ("riot",), ("explosion", "riot")]
    return [Video(f"v{i}", "train", int(i % 3 > 0), classes[i % 3]) for i in range(90)]


def test_each_class_gives_its_fraction() -> None:
    train, val = carve(many(), 0.2, 0)
    assert len(val) == 18 and len(train) == 72
    for chosen in ((), ("riot",), ("explosion",)):
        assert sum(video.classes[:1] == chosen for video in val) == 6
    assert {v.split for v in train} == {"train"} and {v.split for v in val} == {"val"}
    assert not {v.name for v in train} & {v.name for v in val}


def test_it_depends_on_names_and_seed_alone() -> None:
    shuffled = random.Random(0).sample(many(), 90)
    one, other = carve(many(), 0.2, 0)[1], carve(shuffled, 0.2, 0)[1]
    assert {v.name for v in one} == {v.name for v in other}
    assert {v.name for v in carve(many(), 0.2, 1)[1]} != {v.name for v in one}


def test_there_is_one_of_each_label_at_least() -> None:
    videos = [
        Video("a", "train", 1, ("x",)),
        Video("b", "train", 1, ("y",)),
        Video("c", "train", 0),
        Video("d", "train", 0),
    ]
    train, val = carve(videos, 0.1, 0)
    assert sorted(v.label for v in val) == [0, 1] == sorted(v.label for v in train)


@pytest.mark.parametrize("fraction", [0.5, 0.6, 0.99])
def test_training_keeps_one_of_every_class(fraction: float) -> None:
    videos = [
        Video("a", "train", 1, ("x",)),
        Video("b", "train", 1, ("y",)),
        Video("c", "train", 1, ("y",)),
        Video("d", "train", 0),
        Video("e", "train", 0),
    ]
    train, val = carve(videos, fraction, 0)
    assert {v.classes for v in train} == {(), ("x",), ("y",)} and len(val) == 2


def test_too_few_videos() -> None:
    with pytest.raises(VadkitError, match="there is one abnormal video"):
        carve([Video("a", "train", 1), Video("b", "train", 0), Video("c", "train", 0)], 0.2, 0)
    with pytest.raises(VadkitError, match="there is no normal video"):
        carve([Video("a", "train", 1), Video("b", "train", 1)], 0.2, 0)


@pytest.mark.parametrize("fraction", [0, 1, -0.1])
def test_fraction(fraction: float) -> None:
    with pytest.raises(ValueError, match="above 0 and below 1"):
        carve(many(), fraction, 0)


def test_a_dataset_without_validation_videos_is_carved_and_says_so(dataset: FeatureStore) -> None:
    carved, note = with_validation(dataset, 0.25, 3)
    assert (
        note
        == (
            "the data set has no validation videos: 4 of its 16 training videos serve as such "
            "(fraction 0.25, seed 3, by class)"
        )
        and note in carved.warnings
    )
    train, val = carved.videos("train"), carved.videos("val")
    assert len(train) == 12 and len(val) == 4
    assert carved.videos("test") == dataset.videos("test")
    assert carved.read(val[0], "rgb").shape[2] == 16 and carved.class_index(val[-1]) == 0


def test_validation_videos_of_the_store_are_used(tmp_path: Path) -> None:
    dataset = FeatureStore(root=str(write_tiny_store(tmp_path, val=2)))
    assert with_validation(dataset, 0.2, 0) == (dataset, None)


@pytest.mark.guards("2.1", "2.4")
def test_videos_of_unknown_label_do_not_validate() -> None:
    videos = [*many(), *(Video(f"unknown{i}", "train", None) for i in range(20))]
    train, val = carve(videos, 0.3, 0)
    assert all(video.label is not None for video in val) and val == carve(many(), 0.3, 0)[1]
    assert sum(video.label is None for video in train) == 20
