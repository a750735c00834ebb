"""Checkpoints: exact, whole or absent, without pickle; a damaged one is skipped."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vadkit.engine import checkpoints, random_state
from vadkit.engine.tensor_tree import pack, same, unpack
from vadkit.problems import VadkitError

STATE = {
    "model": {"a.weight": torch.randn(3, 4), "b": torch.zeros(()), "none": torch.zeros(0, 3)},
    "optimizer": {"state": {0: {"step": torch.tensor(3.0)}, 1: {"exp_avg": torch.randn(2).bfloat16()}}},
    "groups": [{"lr": 0.1, "betas": (0.9, 0.999), "params": [0, 1], "fused": True, "name": None}],
    "text": "x",
}


def written(folder, *steps):
    for step in steps:
        checkpoints.write(folder, step, {**STATE, "number": step})


# -- the tree --------------------------------------------------------------------------------------
def test_a_tree_comes_back_bit_for_bit_through_json():
    plain, tensors = pack(STATE)
    assert same(unpack(json.loads(json.dumps(plain)), tensors), STATE)


def test_weights_that_share_memory_are_kept_apart():
    weight = torch.randn(3)
    plain, tensors = pack({"a": weight, "b": weight})
    assert len({t.data_ptr() for t in tensors.values()}) == 2 and unpack(plain, tensors)["b"].equal(weight)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text() | st.integers(), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(values)
def test_any_plain_tree_comes_back(value):
    plain, tensors = pack(value)
    assert unpack(json.loads(json.dumps(plain)), tensors) == value


def test_an_object_is_refused_with_its_path():
    with pytest.raises(TypeError, match="/a/1 is a set"):
        pack({"a": [1, {2}]})


# -- random state ----------------------------------------------------------------------------------
def test_random_state_comes_back_through_a_checkpoint(tmp_path):
    import random

    import numpy as np

    def draw():
        return torch.rand(2).tolist(), np.random.randn(3).tolist(), random.gauss(0, 1), np.random.rand()

    random_state.seed_all(5)
    draw()  # leaves a cached normal number in numpy and in Python
    checkpoints.write(tmp_path, 1, {"random": random_state.capture()})
    expected = draw()
    random_state.seed_all(6)
    random_state.restore(checkpoints.latest(tmp_path).state["random"])
    assert draw() == expected


# -- files -----------------------------------------------------------------------------------------
def test_the_newest_two_are_kept_and_the_newest_is_read(tmp_path):
    written(tmp_path, 1, 20, 300)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-00000020", "step-00000300"]
    found = checkpoints.latest(tmp_path)
    assert found.step == 300 and same(found.state, {**STATE, "number": 300})


def test_writing_a_step_again_replaces_it(tmp_path):
    written(tmp_path, 1, 1)
    assert [p.name for p in tmp_path.iterdir()] == ["step-00000001"]
    assert checkpoints.latest(tmp_path).step == 1


def test_there_is_no_pickle_in_a_checkpoint(tmp_path):
    written(tmp_path, 1)
    files = {p.name: p.read_bytes() for p in (tmp_path / "step-00000001").iterdir()}
    assert set(files) == {"SHA256SUMS", "state.json", "tensors.safetensors"}
    assert not any(data[:2] in (b"PK", b"\x80\x02") for data in files.values())
    assert int.from_bytes(files["tensors.safetensors"][:8], "little") < len(files["tensors.safetensors"])


def test_an_empty_folder_and_no_folder_have_none(tmp_path):
    assert checkpoints.latest(tmp_path) is None and checkpoints.latest(tmp_path / "no") is None


def damage(path, how):
    if how == "missing":
        path.unlink()
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "cut":
        path.write_bytes(path.read_bytes()[:-7])
    else:
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)


@pytest.mark.parametrize("how", ["missing", "empty", "cut", "flipped"])
@pytest.mark.parametrize("file", ["tensors.safetensors", "state.json", "SHA256SUMS"])
def test_a_damaged_checkpoint_is_skipped_and_told(tmp_path, file, how):
    written(tmp_path, 1, 2)
    damage(tmp_path / "step-00000002" / file, how)
    skipped = []
    assert checkpoints.latest(tmp_path, skipped.append).step == 1
    assert len(skipped) == 1 and "step-00000002" in skipped[0]


def test_if_all_are_damaged_the_run_cannot_go_on(tmp_path):
    written(tmp_path, 1, 2)
    for step in (1, 2):
        damage(tmp_path / f"step-0000000{step}" / "state.json", "cut")
    with pytest.raises(VadkitError, match="no checkpoint .* is whole") as error:
        checkpoints.latest(tmp_path)
    assert "--overwrite" in str(error.value)


def test_a_full_disk_leaves_the_previous_checkpoint_and_no_rubbish(tmp_path):
    """The kernel refuses the write, as it does on a full disk, at a file size limit."""
    written(tmp_path, 1)
    before, old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, old[1]))
    try:
        with pytest.raises(VadkitError, match="the checkpoint of step 2 could not be written") as error:
            checkpoints.write(tmp_path, 2, {**STATE, "big": torch.zeros(10_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, before)
    assert "the checkpoint of step 1 is intact" in str(error.value) and "--resume" in str(error.value)
    assert [p.name for p in tmp_path.iterdir()] == ["step-00000001"]
    assert checkpoints.latest(tmp_path).step == 1


def test_a_place_that_cannot_be_written_is_reported(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(VadkitError, match="could not be written .*Not a directory") as error:
        checkpoints.write(tmp_path / "file" / "checkpoints", 2, STATE)
    assert "there is no earlier one" in str(error.value)


KILL = """
import json, os, signal, sys
from pathlib import Path
import torch
from vadkit.engine import checkpoints

CHANGES = ("fsync", "replace", "rename", "write", "mkdir", "rmdir", "unlink")
calls = 0

def run(folder, at):
    # Dies before the at-th call that changes the disk; returns how many there are.
    def watch(frame, event, arg):
        global calls
        if event == "c_call" and getattr(arg, "__name__", "") in CHANGES:
            calls += 1
            if calls == at:
                os.kill(os.getpid(), signal.SIGKILL)
    for step in (1, 2):
        checkpoints.write(folder, step, {"n": torch.ones(4)})
    sys.setprofile(watch)
    for step in (2, 3):
        checkpoints.write(folder, step, {"n": torch.ones(4)})
    sys.setprofile(None)
    return calls

root = Path(sys.argv[1])
total, found = run(root / "all", -1), []
for at in range(1, total + 1):
    child = os.fork()
    if child == 0:
        calls = 0
        run(root / str(at), at)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    left = checkpoints.latest(root / str(at)).step
    checkpoints.write(root / str(at), 4, {"n": torch.ones(4)})
    found.append([os.WTERMSIG(status), left, checkpoints.latest(root / str(at)).step])
print(json.dumps(found))
"""


def test_a_kill_at_any_moment_of_writing_leaves_a_whole_checkpoint(tmp_path):
    """Killed before each system call that changes the disk, over a replacing and a pruning write."""
    done = subprocess.run([sys.executable, "-c", KILL, str(tmp_path)], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert len(found) > 20
    for died_of, left, after in found:
        assert died_of == signal.SIGKILL and left in (1, 2, 3)
        assert after == 4  # what the kill left is ignored
