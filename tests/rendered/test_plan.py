"""What is recorded: decided by the seed, no scene in two splits, normal and abnormal recordings alike."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from dataclasses import replace

import pytest

from vadkit.demo.script import FPS
from vadkit.problems import VadkitError
from vadkit.rendered.plan import DISTRACTORS, KINDS, LENGTHS, OUTSIDE, Recording, Wanted, make_plan
from vadkit.rendered.tables import LABELS, facts, tables

PLAN = make_plan(Wanted(2.0, 6, 0))


def test_the_seed_decides_all() -> None:
    assert make_plan(Wanted(2.0, 6, 0)) == PLAN
    assert make_plan(Wanted(2.0, 6, 1)) != PLAN


@pytest.mark.parametrize(("hours", "scenes"), [(0.05, 6), (0.5, 2), (2.0, 6), (5.0, 17)])
def test_it_is_as_long_as_wanted_and_each_scene_has_its_share(hours: float, scenes: int) -> None:
    plan = make_plan(Wanted(hours, scenes, 3))
    seconds: dict[str, float] = defaultdict(float)
    for recording in plan:
        seconds[recording.scene.name] += recording.seconds
    assert len(seconds) == scenes and len({r.name for r in plan}) == len(plan)
    assert sum(seconds.values()) == pytest.approx(3600 * hours, rel=0.01)
    assert max(seconds.values()) == pytest.approx(min(seconds.values()), rel=0.02)


def test_recordings_are_untrimmed() -> None:
    abnormal = [r for r in PLAN if r.anomalies]
    share = sum(a.end - a.start for r in abnormal for a in r.anomalies) / sum(r.frames for r in abnormal)
    assert 0.03 < share < 0.35
    assert max(r.seconds for r in PLAN) > 150


def test_no_scene_is_in_two_splits_and_every_kind_is_in_both() -> None:
    splits = defaultdict(set)
    for recording in PLAN:
        splits[recording.scene.name].add(recording.split)
    assert all(len(found) == 1 for found in splits.values())
    assert {s for found in splits.values() for s in found} == {"train", "test"}
    for split in ("train", "test"):
        assert {r.kind for r in PLAN if r.split == split} == {"normal", *KINDS}


def test_no_condition_gives_a_label_away() -> None:
    def conditions(recording: Recording) -> tuple[object, ...]:
        return recording.scene.name, recording.camera, recording.time, recording.weather, recording.crowd

    normal = sorted(conditions(r) for r in PLAN if r.kind == "normal")
    assert normal == sorted(conditions(r) for r in PLAN if r.kind != "normal")
    assert {r.kind for r in PLAN[::2]} & {"normal"} and {r.kind for r in PLAN[1::2]} & {"normal"}


def test_there_are_scenes_cameras_times_weathers_crowds_and_distractors_of_all_kinds() -> None:
    plan = make_plan(Wanted(12.0, 12, 0))
    assert {r.time for r in plan} == {"day", "dusk", "night"}
    assert {r.weather for r in plan} == {"clear", "rain", "snow", "fog"}
    assert len({(r.scene.name, r.camera) for r in plan}) > 12
    assert min(r.crowd for r in plan) < 1.5 and max(r.crowd for r in plan) > 6
    for normal in (True, False):
        assert {d.kind for r in plan if (r.kind == "normal") == normal for d in r.distractors} == set(DISTRACTORS)
    for recording in plan:
        happening = {recording.kind, *(d.kind for d in recording.distractors)}
        assert recording.scene.outdoors or (not happening & OUTSIDE and recording.weather == "clear")
        assert "thunder" not in happening or recording.weather == "rain"


def test_anomalies_are_inside_and_apart_and_clicks_in_them() -> None:
    for recording in PLAN:
        assert bool(recording.anomalies) == (recording.kind != "normal")
        at = 0
        for event, click in zip(recording.anomalies, recording.clicks, strict=True):
            assert event.start > FPS and at < event.start <= click < event.end < recording.frames - FPS
            assert event.end - event.start <= LENGTHS[event.kind][1] * FPS + 1
            assert 0.35 <= event.strength <= 1
            at = event.end


def test_halves_share_no_scene_and_each_trains_and_tests() -> None:
    scenes = {d: {r.scene.name for r in PLAN if r.domain == d} for d in ("a", "b")}
    assert scenes["a"] and scenes["b"] and not scenes["a"] & scenes["b"]
    for domain in ("a", "b"):
        for split in ("train", "test"):
            labels = [r.kind == "normal" for r in PLAN if (r.domain, r.domain_split) == (domain, split)]
            assert True in labels and labels.count(True) == labels.count(False)


def test_training_has_labels_and_clicks_and_only_testing_intervals() -> None:
    for name, text in tables(PLAN).items():
        rows = list(csv.DictReader(io.StringIO(text)))
        assert len(rows) == (len(PLAN) if name == LABELS else len(rows)) and rows
        for row in rows:
            abnormal = row["label"] == "abnormal"
            assert bool(row["intervals"]) == (abnormal and row["split"] == "test")
            assert bool(row["clicks"]) == (abnormal and row["split"] == "train")
            assert bool(row["classes"]) == abnormal
    assert [fact["name"] for fact in facts(PLAN)] == [r.name for r in PLAN]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scenes": 1}, "the number of scenes must be from 2 to 1000, not 1\n  hint: training and test share no scene"),
        ({"hours": 0.01}, "the hours must be from 0.0267 to 1000, not 0.01\n  hint: 6 scenes need at least 0.0267"),
        ({"hours": float("nan")}, "the hours must be from"),
        ({"seed": -1}, "the seed must be 0 or more, not -1"),
    ],
)
def test_what_cannot_be(changes: dict[str, float], message: str) -> None:
    with pytest.raises(VadkitError) as error:
        replace(Wanted(), **changes)  # type: ignore[arg-type]
    assert message in str(error.value)
