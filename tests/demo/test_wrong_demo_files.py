"""Damaged files of the demo's folder: a line that names file and key, never a traceback."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from wrong_json import DAMAGED, refusals, spoiled

from vadkit import json_file
from vadkit.cli import main
from vadkit.demo import study
from vadkit.demo.script import KINDS, Clip
from vadkit.problems import VadkitError

CLIPS = [Clip("test-0", "test", KINDS[1], 0, 20, (3, 9), 0), Clip("test-1", "test", KINDS[0], 1, 8, None, 1)]
SCORES = {
    "figures": {
        "threshold": 0.5,
        "ap": 0.5,
        "auc": 0.6,
        "auc_abnormal": None,
        "per_class": {k: {"ap": 0.5} for k in KINDS[1:]},
    },
    "scores": {"test-0": [0.1, 0.2, 0.3], "test-1": [0.4]},
}


def test_every_key_of_the_scores(tmp_path: Path) -> None:
    path, notes = tmp_path / "scores.json", []
    for wrong in spoiled(SCORES):
        path.write_text(json.dumps(wrong))
        before = len(notes)
        if study._is_scored(path, CLIPS, notes.append):
            assert set(study.read_scores(path, CLIPS)["scores"]) >= {"test-0", "test-1"}
        else:
            assert len(notes) == before + 1
    assert len(notes) > 120 and all(note.startswith(f"{path}: ") and "\n" not in note for note in notes)


def test_every_key_of_the_note(tmp_path: Path) -> None:
    path, plain = tmp_path / "demo.json", {"quick": True, "clips": ["a", "b"]}
    assert len(refusals(path, plain, lambda: json_file.read(path, study.DemoJson))) > 40


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_damaged_files(tmp_path: Path, content: bytes) -> None:
    notes: list[str] = []
    (tmp_path / "scores.json").write_bytes(content)
    assert not study._is_scored(tmp_path / "scores.json", CLIPS, notes.append)
    assert len(notes) == 1 and notes[0].startswith(str(tmp_path)) and "\n" not in notes[0]
    (tmp_path / "demo.json").write_bytes(content)
    with pytest.raises(VadkitError, match="holds a study of other clips"):
        study._claim(tmp_path, study.DemoJson(True, ["a"]), [], notes.append)
    assert len(notes) == 2 and "demo.json" in notes[1]


def test_the_command_names_the_damaged_note(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "demo.json").write_text('{"quick": true, "clips": 7}')
    assert main(["demo", "--quick", "--out", str(tmp_path)]) == 2
    printed = "".join(capsys.readouterr())
    assert f"{tmp_path}/demo.json: clips must be a list, got 7" in printed and "choose another --out" in printed


@pytest.mark.guards("D17", "5.7")
@pytest.mark.parametrize("name", ["scores.json", "demo.json"])
@pytest.mark.parametrize("what", ["folder", "pipe", "link"])
def test_what_is_no_file_is_reported(tmp_path: Path, name: str, what: str) -> None:
    notes: list[str] = []
    path = tmp_path / name
    if what == "link":
        path.symlink_to("nothing")
    else:
        path.mkdir() if what == "folder" else os.mkfifo(path)
    if name == "scores.json":
        assert not study._is_scored(path, CLIPS, notes.append)
    else:
        study._claim(tmp_path, study.DemoJson(True, ["a"]), [], notes.append)
        assert json.loads(path.read_text()) == {"quick": True, "clips": ["a"]}
        assert os.path.lexists(tmp_path / "demo.json.1")
    assert notes and notes[0].startswith(str(path)) and "\n" not in notes[0]
