"""Damaged files of a comparison are reported, and what they held is computed again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from wrong_json import DAMAGED, spoiled

from vadkit.bench.comparison import one_run
from vadkit.bench.comparison import runs as bench
from vadkit.bench.timing import GrownJson, Timing
from vadkit.engine.results import FiguresJson
from vadkit.json_file import from_bytes
from vadkit.problems import VadkitError

RESULT = {
    "note": "flatters", "figures": {"ap": 0.5, "auc": 0.6, "auc_abnormal": None, "ap_abnormal": 0.4, "far": 0.1},
    "select": "last", "protocol": {"split": "test"}, "seed": 0, "steps": 4, "chosen_step": 4, "selected_by": None,
    "warm_start": None, "seconds": 0.5, "warnings": [], "data": {"videos": 3, "sha256": "0f"}, "device": "cpu",
    "processes": 1, "versions": {"torch": "2.6"},
}  # fmt: skip
TIMINGS = {
    "key": {"load": {"bags": 2}},
    "timings": {"a": {"timing": {"train_ms": 2.5, "score_ms": 1.5, "memory_mib": 30.0}, "energy": 0.5},
                "b": {"timing": {"train_ms": 2.5, "score_ms": 1.5, "memory_mib": None}, "energy": None}},
}  # fmt: skip


def job(folder: Path) -> one_run.Job:
    return one_run.Job("a", 0, "graph", (), False, folder, folder, "cpu", {})


def test_every_key_of_a_result(tmp_path: Path) -> None:
    path, notes = tmp_path / "result.json", []
    for wrong in spoiled(RESULT):
        path.write_text(json.dumps(wrong))
        before = len(notes)
        if one_run._is_trained(job(tmp_path), notes.append):
            assert isinstance(one_run.read_result(tmp_path).figures, FiguresJson) and len(notes) == before
        else:
            assert notes[before].startswith(f"{path}: ") and "\n" not in notes[before] and len(notes) == before + 1
    assert len(notes) > 180


def test_every_key_of_the_timings(tmp_path: Path) -> None:
    path, notes = tmp_path / "timings.json", []
    for wrong in spoiled(TIMINGS):
        path.write_text(json.dumps(wrong))
        before, known = len(notes), bench._known_timings(path, notes.append)
        assert (known is None) == (len(notes) == before + 1)
        assert known is None or all(isinstance(each.timing, Timing) for each in known.timings.values())
    assert len(notes) > 90 and all(note.startswith(f"{path}: ") and "\n" not in note for note in notes)


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_damaged_files(tmp_path: Path, content: bytes) -> None:
    notes: list[str] = []
    for name in ("result.json", "timings.json", "outcome.json"):
        (tmp_path / name).write_bytes(content)
    assert one_run.state(job(tmp_path), notes.append) is None
    assert bench._known_timings(tmp_path / "timings.json", notes.append) is None
    assert len(notes) == 2 and all(note.startswith(str(tmp_path)) and "\n" not in note for note in notes)


@pytest.mark.parametrize("printed", [*DAMAGED.values(), b"a plugin's greeting\n{}", b'{"mib": "x"}'])
def test_what_the_process_that_measures_memory_prints(printed: bytes) -> None:
    with pytest.raises(VadkitError, match="^the memory"):
        from_bytes(printed, GrownJson, "the memory of a train step")
