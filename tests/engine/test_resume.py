"""Killed, interrupted, resumed: the same weights, bit for bit, as if nothing had happened."""

from __future__ import annotations

import copy
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time

import pytest
import torch
import yaml
from engine_stub import StubBatches, StubModel, section

import vadkit
from vadkit.cli import main
from vadkit.engine import checkpoints
from vadkit.engine.progress import Progress
from vadkit.engine.run_folder import refuse_changes
from vadkit.engine.run_log import read_log
from vadkit.engine.session import Session
from vadkit.engine.tensor_tree import same
from vadkit.engine.train import train
from vadkit.graph.model_file import read_header, read_weights
from vadkit.problems import VadkitError

EVERYTHING = (
    "train.ema=0.8",
    "train.clip_grad=1.0",
    "train.accumulate=2",
    "train.select=val",
    "train.evaluate_every=3",
    "train.schedule.use=cosine",
    "train.schedule.warmup=2",
    "train.optimizer.use=nadam",
)

KILLED = """
import json, os, signal, sys
import torch
from vadkit.engine.progress import Progress
from vadkit.engine.train import train
torch.set_num_threads(1)

class Kill(Progress):
    def step(self, step):
        if step == 8:
            os.kill(os.getpid(), signal.SIGKILL)

config, out, sets = json.loads(sys.argv[1])
train(config, sets, out, device="cpu", progress=Kill(), checkpoint_seconds=0)
"""


def untimed(records):
    """Return a log's records without what a clock says, and without the record of the resume."""
    times = ("seconds", "steps_per_second", "waiting")
    return [{k: v for k, v in r.items() if k not in times} for r in records if r["kind"] != "resume"]


def test_killed_and_resumed_equals_never_stopped(graph, tmp_path):
    """kill -9 in step 8 of 12, with dropout, noise, average, schedule, accumulation and selection on."""
    whole = train(graph, EVERYTHING, tmp_path / "whole", device="cpu")
    arguments = json.dumps([graph, str(tmp_path / "cut"), EVERYTHING])
    killed = subprocess.run([sys.executable, "-c", KILLED, arguments], capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert not (tmp_path / "cut" / "model.safetensors").exists()
    again = train(graph, EVERYTHING, tmp_path / "cut", resume=True, device="cpu")
    assert whole.model_path.read_bytes() == again.model_path.read_bytes()
    states = [checkpoints.latest(tmp_path / run / "checkpoints").state for run in ("whole", "cut")]
    assert same(*states)  # optimiser, average, best weights and random state too
    logs = [read_log(tmp_path / run / "log.jsonl") for run in ("whole", "cut")]
    assert untimed(logs[0]) == untimed(logs[1])
    assert [r["step"] for r in logs[1] if r["kind"] == "resume"] == [7]
    assert again.figures == whole.figures and again.chosen == whole.chosen


@pytest.mark.parametrize("broken", [1, 2])
def test_a_damaged_checkpoint_is_skipped_or_the_run_refused(graph, tmp_path, broken):
    whole = train(graph, (), tmp_path / "whole", device="cpu")
    train(graph, ["train.steps=7"], tmp_path / "cut", device="cpu", checkpoint_seconds=0)
    folders = sorted((tmp_path / "cut" / "checkpoints").iterdir())
    assert [f.name for f in folders] == ["step-00000006", "step-00000007"]
    for folder in folders[2 - broken :]:
        (folder / "tensors.safetensors").write_bytes(b"torn")
    if broken == 2:
        with pytest.raises(VadkitError, match="no checkpoint .* is whole"):
            train(graph, (), tmp_path / "cut", resume=True, device="cpu")
        return

    class Kept(Progress):
        notes: list = []

        def note(self, text):
            Kept.notes.append(text)

    again = train(graph, (), tmp_path / "cut", resume=True, device="cpu", progress=Kept())
    assert "step-00000007" in Kept.notes[0] and "resuming after step 6 of 12" in Kept.notes
    assert same(read_weights(whole.model_path), read_weights(again.model_path))


def test_a_run_may_be_made_longer(graph, tmp_path):
    """With a constant rate a run of 12 steps, resumed after 7, equals one of 12 from the start."""
    whole = train(graph, (), tmp_path / "whole", device="cpu")
    train(graph, ["train.steps=7"], tmp_path / "cut", device="cpu")
    again = train(graph, (), tmp_path / "cut", resume=True, device="cpu")
    assert same(read_weights(whole.model_path), read_weights(again.model_path))
    finals = [r for r in again.history if r.get("final")]
    assert len(finals) == 1 and finals[0]["step"] == 12


def test_resuming_a_finished_run_gives_the_same_again(graph, tmp_path):
    first = train(graph, ["train.ema=0.9"], tmp_path / "run", device="cpu")
    weights = read_weights(first.model_path)
    again = train(graph, ["train.ema=0.9"], tmp_path / "run", resume=True, device="cpu")
    assert same(weights, read_weights(again.model_path)) and again.figures == first.figures


def test_resume_begins_a_run_that_there_is_not_yet(graph, tmp_path):
    assert train(graph, ["train.steps=2"], tmp_path / "run", resume=True, device="cpu").steps == 2


# -- what may not change ---------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("train.optimizer.lr=0.1", "train.optimizer.lr: 0.003 then, 0.1 now"),
        ("train.seed=5", "train.seed: 0 then, 5 now"),
        ("nodes.cnn.args.dropout=0.1", "nodes.cnn.args.dropout: 0.3 then, 0.1 now"),
        ("nodes.context.use=gl_mhsa", "nodes.context.use: tca then, gl_mhsa now"),
        ("data.batch=2", "data.batch: 4 then, 2 now"),
        ("train.ema=0.9", "train.ema: None then, 0.9 now"),
    ],
)
def test_a_change_that_matters_is_refused_and_named(graph, tmp_path, change, says):
    train(graph, ["train.steps=2"], tmp_path / "run", device="cpu")
    before = {p: p.read_bytes() for p in (tmp_path / "run").rglob("*") if p.is_file()}
    with pytest.raises(VadkitError, match="the config differs") as error:
        train(graph, ["train.steps=3", change], tmp_path / "run", resume=True, device="cpu")
    assert says in str(error.value) and "--overwrite" in str(error.value)
    assert before == {p: p.read_bytes() for p in (tmp_path / "run").rglob("*") if p.is_file()}


@pytest.mark.parametrize("change", ["data.workers=0", "train.log=[]", "eval.threshold=0.3", "train.evaluate_every=1"])
def test_a_change_that_does_not_matter_is_taken(graph, tmp_path, change):
    train(graph, ["train.steps=2"], tmp_path / "run", device="cpu")
    assert train(graph, ["train.steps=3", change], tmp_path / "run", resume=True, device="cpu").steps == 3


def test_a_key_that_a_newer_version_has_added_does_not_matter_while_it_has_its_default(graph):
    now = vadkit.build(graph).spec
    before = copy.deepcopy(now)
    del before["data"]["val_fraction"]
    refuse_changes(before, now, "last")
    now["data"]["val_fraction"] = 0.5
    with pytest.raises(VadkitError, match="data.val_fraction: 0.2 then, 0.5 now"):
        refuse_changes(before, now, "last")


def test_other_training_videos_are_refused(graph, tmp_path):
    from tiny_store import write_tiny_store

    train(graph, ["train.steps=2"], tmp_path / "run", device="cpu")
    other = write_tiny_store(tmp_path / "other", train=6, val=2)
    with pytest.raises(VadkitError, match="the training videos are not those"):
        train(graph, ["train.steps=3", f"data.args.root={other}"], tmp_path / "run", resume=True, device="cpu")


# -- Ctrl-C ----------------------------------------------------------------------------------------
def interrupted_at(step, number=signal.SIGINT, again=False):
    class Press(Progress):
        def step(self, done):
            if done == step:
                os.kill(os.getpid(), number)
                if again:
                    os.kill(os.getpid(), number)

    return Press()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_the_resumed_run_is_the_same(tmp_path, number):
    def session(folder, progress=None, checkpoint=None):
        made = Session(
            StubModel(), StubBatches(), section(ema=0.9), torch.device("cpu"), folder=folder, checkpoint=checkpoint
        )
        made.log.progress = progress or Progress()
        return made

    whole = session(None)
    whole.run()
    handlers = signal.getsignal(number)
    stopped = session(tmp_path, interrupted_at(5, number)).run()
    assert (stopped.signal, stopped.steps) == (number, 5) and signal.getsignal(number) is handlers
    again = session(tmp_path, checkpoint=checkpoints.latest(tmp_path))
    assert again.run().signal is None
    assert same(whole.model.state_dict(), again.model.state_dict())


def test_a_second_signal_stops_at_once_without_saving(tmp_path):
    session = Session(StubModel(), StubBatches(), section(), torch.device("cpu"), folder=tmp_path)
    session.log.progress = interrupted_at(5, again=True)
    with pytest.raises(KeyboardInterrupt):
        session.run()
    assert checkpoints.latest(tmp_path) is None


def test_a_signal_in_an_evaluation_breaks_it_off_and_the_resumed_run_repeats_it(tmp_path):
    def session(evaluate, checkpoint=None):
        return Session(
            StubModel(),
            StubBatches(),
            section(ema=0.9, select="val", evaluate_every=4),
            torch.device("cpu"),
            evaluate=evaluate,
            folder=tmp_path,
            checkpoint=checkpoint,
        )

    def press(model):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)
        pytest.fail("the evaluation went on")

    def figures(model):
        return {"ap": float(model.score.weight.sum())}

    stopped = session(press).run()
    assert (stopped.signal, stopped.steps) == (signal.SIGINT, 4)
    again = session(figures, checkpoints.latest(tmp_path))
    outcome = again.run()
    assert [r["step"] for r in outcome.history if r["kind"] == "evaluation"] == [4, 8, 12]
    whole = session(figures)
    whole.folder = None
    whole.run()
    assert same(whole.model.state_dict(), again.model.state_dict())


def test_ctrl_c_at_the_command_line(graph, tmp_path, capfd):
    """Exit code 130, and the command that resumes; then --resume trains to the end."""
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(graph))
    arguments = ["train", str(tmp_path / "small.yaml"), "--device", "cpu", "--set", "train.steps=250", "--out"]
    process = subprocess.Popen(
        [sys.executable, "-m", "vadkit", *arguments, str(tmp_path / "cut")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    deadline = time.monotonic() + 60
    while len(read_log(tmp_path / "cut" / "log.jsonl")) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    text = re.sub(r"\s+", " ", err)
    assert process.returncode == 130, err
    command = text.partition("resume with: vadkit ")[2].strip()
    assert "stopped after step" in text and command.endswith(f"--out {tmp_path / 'cut'} --resume")
    assert "Traceback" not in err and out == ""
    assert main(shlex.split(command)) == 0
    assert read_header(tmp_path / "cut" / "model.safetensors")["extra"]["steps"] == 250
    assert "resuming after step" in capfd.readouterr().err
