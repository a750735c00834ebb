"""Files of a run with wrong content but the right SHA-256: a line that names file and key, and the run continues from
what is whole; never a traceback."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from engine_stub import StubBatches, StubModel, section
from wrong_json import DAMAGED, changed, paths, spoiled, without

from vadkit.cli import main
from vadkit.engine import checkpoints
from vadkit.engine.checkpoints import Damaged
from vadkit.engine.run_log import JsonLines, read_log
from vadkit.engine.run_state import SavedRun
from vadkit.engine.saved_about import SavedAbout, check_spec
from vadkit.engine.session import Session
from vadkit.engine.train import train
from vadkit.problems import VadkitError

RECORDS = [
    {"kind": "start", "step": 0, "seed": 0, "select": "last", "device": "cpu", "processes": 1,
     "versions": {"torch": "2.6"}},
    {"kind": "resume", "step": 4, "seed": 0, "select": "last", "device": "cpu", "processes": 1,
     "versions": {"torch": "2.6"}},
    {"kind": "train", "step": 5, "epoch": 0.5, "losses": {"total": 0.7, "shown": None}, "lr": {"rest": 0.1},
     "grad_norm": 1.5, "seconds": 0.1, "steps_per_second": 50.0, "waiting": 0.1},
    {"kind": "evaluation", "step": 5, "split": "test", "select": "test_best", "figures": {"ap": 0.5, "auc": None},
     "note": "flatters", "final": False},
]  # fmt: skip


def prepare(folder: Path, content: bytes) -> Path:
    """Give a checkpoint another state.json, and the sums that go with it."""
    (folder / "state.json").write_bytes(content)
    files = ("tensors.safetensors", "state.json")
    sums = [f"{hashlib.sha256((folder / file).read_bytes()).hexdigest()}  {file}\n" for file in files]
    (folder / "SHA256SUMS").write_text("".join(sums))
    return folder


def plain_of(folder: Path) -> Any:
    return json.loads((folder / "state.json").read_text())


# -- the log ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record["kind"])
def test_a_wrong_line_of_the_log_is_reported_and_the_others_are_kept(tmp_path: Path, record: dict[str, Any]) -> None:
    path, reported = tmp_path / "log.jsonl", 0
    for wrong in spoiled(record):
        path.write_text("".join(json.dumps(line) + "\n" for line in (RECORDS[0], wrong, RECORDS[2])))
        notes: list[str] = []
        log = JsonLines(path, 5, notes.append)
        log.close()
        assert len(log.kept) + len(notes) in (2, 3)  # a sound one may be final, or of a later step
        assert [log.kept[0], log.kept[-1]] == [RECORDS[0], RECORDS[2]] and read_log(path) == log.kept
        assert all(note.startswith(f"{path}: line 2: ") and "\n" not in note for note in notes)
        reported += len(notes)
    assert reported > 60


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_line_of_the_log(tmp_path: Path, content: bytes) -> None:
    path, notes = tmp_path / "log.jsonl", []
    whole = json.dumps(RECORDS[2]).encode()
    path.write_bytes(b"\n".join([whole, content, whole, content]))
    assert read_log(path, notes.append) == [RECORDS[2]] * 2
    assert len(notes) == (1 if content else 0)  # of the last line, which a kill cuts off, nothing is said


def test_a_log_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(VadkitError, match="cannot be read: is a directory"):
        read_log(tmp_path)
    assert read_log(tmp_path / "none.jsonl") == []


# -- checkpoints -----------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def run(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from engine_stub import GRAPH

    out = tmp_path_factory.mktemp("wrong") / "run"
    config = {**GRAPH, "data": {**GRAPH["data"], "args": {"root": str(store)}}}
    train(config, ["train.steps=2", "train.ema=0.9"], out, device="cpu", checkpoint_seconds=0)
    assert len(checkpoints.found(out / "checkpoints")) == 2
    return out


def test_every_key_of_a_checkpoint(run: Path, tmp_path: Path, thorough: bool) -> None:
    """A wrong one counts as damaged. Of the 15 forms of each key every eighth, of those of the config fewer."""
    folder = shutil.copytree(checkpoints.found(run / "checkpoints")[0], tmp_path / "step-00000002")
    plain = plain_of(folder)
    spec = changed(plain, ("state",), {"spec": plain["state"]["spec"]})
    few, fewer = (4, 14) if thorough else (8, 28)
    forms = [*list(spoiled(changed(plain, ("state", "spec"), {})))[::few], *list(spoiled(spec))[::fewer]]
    reasons = []
    for wrong in forms:
        prepare(folder, json.dumps(wrong).encode())
        try:
            check_spec(checkpoints.read(folder, (SavedAbout, SavedRun)))
        except Damaged as reason:
            reasons.append(str(reason))
    assert len(reasons) > 150
    assert all(str(folder) in reason and "\n" not in reason for reason in reasons)


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_checkpoint(run: Path, tmp_path: Path, content: bytes) -> None:
    folder = shutil.copytree(checkpoints.found(run / "checkpoints")[0], tmp_path / "step-00000002")
    with pytest.raises(Damaged, match="state.json"):
        checkpoints.read(prepare(folder, content), (SavedAbout, SavedRun))


@pytest.mark.parametrize("deep", ["[" * 900 + "]" * 900, '{"a":' * 900 + "1" + "}" * 900])
@pytest.mark.parametrize("key", ["spec", "optimizer", "model", "random"])
def test_deep_nesting_in_a_checkpoint(run: Path, tmp_path: Path, key: str, deep: str) -> None:
    folder = shutil.copytree(checkpoints.found(run / "checkpoints")[0], tmp_path / "step-00000002")
    text = json.dumps(changed(plain_of(folder), ("state", key), "DEEP")).replace('"DEEP"', deep)
    with pytest.raises(Damaged):
        check_spec(checkpoints.read(prepare(folder, text.encode()), (SavedAbout, SavedRun)))


def test_a_state_of_the_right_types_is_restored_or_refused_in_a_line(tmp_path: Path, thorough: bool) -> None:
    """Every second form of those of each place; all if thorough."""

    def session(**options: Any) -> Session:
        train = section(ema=0.9, select="val", evaluate_every=2, steps=6)
        figures: Any = {"evaluate": lambda model: {"ap": 0.5}, "checkpoint_seconds": 0}
        return Session(StubModel(), StubBatches(), train, torch.device("cpu"), **figures, **options)

    session(folder=tmp_path).run()
    folder = checkpoints.found(tmp_path)[1]
    plain, refused, restored = plain_of(folder), 0, 0
    assert plain["step"] == 5
    places = [path for path in paths(plain) if len(path) > 2]
    forms = [without(plain, path) for path in places]
    forms += [changed(plain, path, value) for path in places for value in (0, -1, 1e9, [], {"$tensor": "/model/seen"})]
    for wrong in forms if thorough else forms[::2]:
        prepare(folder, json.dumps(wrong).encode())
        try:
            session(checkpoint=checkpoints.read(folder)).run()
            restored += 1
        except Damaged:
            refused += 1
        except VadkitError as error:
            assert str(folder) in str(error) or "finite" in str(error)
            refused += 1
    assert refused > 75 and restored > 10


@pytest.mark.parametrize("keep", [True, False])
def test_the_command_resumes_from_the_checkpoint_before_or_says_why_not(
    run: Path, store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], keep: bool
) -> None:
    out = shutil.copytree(run, tmp_path / "run")
    newest, before = checkpoints.found(out / "checkpoints")
    if not keep:
        shutil.rmtree(before)
    prepare(newest, json.dumps(changed(plain_of(newest), ("state", "evaluated"), "x")).encode())
    code = main(["train", str(out / "config.yaml"), "--resume", "--device", "cpu", "--out", str(out)])
    printed = "".join(capsys.readouterr())
    assert f"{newest.name}/state.json: evaluated must be a whole number" in printed.replace("\n", "")
    assert "Traceback" not in printed and code == (0 if keep else 2)
    assert ("--overwrite" in printed) != keep


def put(path: Path, what: bytes | str) -> None:
    """Put something else in the place of a file."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    if isinstance(what, bytes):
        path.write_bytes(what)
    elif what == "folder":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("nothing")


IN_ITS_PLACE = {"empty": b"", "5": b"5\n", "a list": b"[]", "text": b'{"kind": "train", "step": "x"}\n',
                "not UTF-8": b"\xff\xfe\n", "cut off": b'{"a": ', "a folder": "folder", "a pipe": "pipe",
                "a link to nothing": "link"}  # fmt: skip


@pytest.mark.guards("D17", "5.7")
@pytest.mark.parametrize("what", IN_ITS_PLACE.values(), ids=IN_ITS_PLACE)
def test_damaged_state_ends_no_resume(run: Path, graph: Any, tmp_path: Path, what: bytes | str) -> None:
    """Each file of the run but the checkpoints in turn, then all at once; the third step is the same always."""
    files = ["log.jsonl", "result.json", "config.yaml", "model.safetensors", ".written-by-vadkit", "tensorboard"]
    weights = []
    for damaged in ([], *([file] for file in files[:3]), files):
        out = shutil.copytree(run, tmp_path / f"run-{'-'.join(damaged)[:20]}")
        for file in damaged:
            put(out / file, what)
        result = train(graph, ["train.steps=3", "train.ema=0.9"], out, resume=True, device="cpu")
        assert result.steps == 3 and [record["step"] for record in read_log(out / "log.jsonl")][-1] == 3
        weights.append(result.model.state_dict())
    for name, tensor in weights[0].items():
        assert all(torch.equal(tensor, other[name]) for other in weights)


@pytest.mark.guards("D17", "5.7")
@pytest.mark.parametrize("file", ["SHA256SUMS", "state.json", "tensors.safetensors"])
@pytest.mark.parametrize("what", ["folder", "pipe", "link", b""])
def test_what_is_in_place_of_a_file_of_a_checkpoint(run: Path, tmp_path: Path, file: str, what: bytes | str) -> None:
    folder = shutil.copytree(checkpoints.found(run / "checkpoints")[0], tmp_path / "step-00000002")
    put(folder / file, what)
    with pytest.raises(Damaged):
        checkpoints.read(folder)
