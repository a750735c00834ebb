"""A run ends early when its evaluations get no better, also when it was killed; intervals are keys."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest
import torch
from engine_stub import StubBatches, StubModel, section
from test_resume import KILLED, untimed

from vadkit.engine import checkpoints
from vadkit.engine.progress import Progress
from vadkit.engine.run_log import Log, read_log
from vadkit.engine.session import Session
from vadkit.engine.tensor_tree import same
from vadkit.engine.train import train
from vadkit.graph.model_file import read_weights

pytestmark = pytest.mark.guards("6")
CPU = torch.device("cpu")


class Notes(Progress):
    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


def run(figures, **changes):
    """Train with an evaluation every 3 of 30 steps that gives the figures one after the other."""
    left, notes = list(figures), Notes()
    train = section(**{"steps": 30, "select": "val", "evaluate_every": 3, **changes})
    session = Session(
        StubModel(), StubBatches(), train, CPU, evaluate=lambda model: {"ap": left.pop(0)}, log=Log(progress=notes)
    )
    return session.run(), notes.notes


@pytest.mark.parametrize(
    ("figures", "patience", "steps", "chosen"),
    [
        ([0.5, 0.4, 0.4, 0.9], 2, 9, 3),
        ([0.5, 0.4, 0.6, 0.1, 0.6, 0.7], 2, 15, 9),  # an equal figure is no better
        ([0.1, 0.2, 0.1], 1, 9, 6),
        ([0.1 * n for n in range(1, 11)], 1, 30, 30),
        ([0.5] * 10, None, 30, 3),
    ],
)
def test_training_stops_after_so_many_evaluations_without_a_better_one(figures, patience, steps, chosen):
    outcome, notes = run(figures, patience=patience)
    assert (outcome.steps, outcome.chosen, outcome.signal) == (steps, chosen, None)
    assert any("stopped early" in note and f"step {chosen}" in note for note in notes) == (steps < 30)


def test_the_interval_that_was_open_is_in_the_log():
    outcome, _ = run([0.5, 0.4], patience=1, log_every=4)
    assert [r["step"] for r in outcome.history if r["kind"] == "train"] == [4, 6]


def test_killed_and_resumed_it_stops_where_it_would_have(graph, tmp_path):
    """No evaluation beats the first: the figure saturates or the noise is what it is; the run is the judge."""
    sets = ("train.steps=40", "train.select=val", "train.evaluate_every=3", "train.patience=3")
    whole = train(graph, sets, tmp_path / "whole", device="cpu")
    assert 8 < whole.steps < 40
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, json.dumps([graph, str(tmp_path / "cut"), sets])], capture_output=True
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    again = train(graph, sets, tmp_path / "cut", resume=True, device="cpu")
    assert (again.steps, again.chosen) == (whole.steps, whole.chosen)
    assert same(read_weights(whole.model_path), read_weights(again.model_path))
    logs = [read_log(tmp_path / name / "log.jsonl") for name in ("whole", "cut")]
    assert untimed(logs[0]) == untimed(logs[1])


def test_with_more_patience_a_stopped_run_goes_on(graph, tmp_path):
    sets = ["train.steps=40", "train.select=val", "train.evaluate_every=3"]
    first = train(graph, [*sets, "train.patience=1"], tmp_path / "run", device="cpu")
    again = train(graph, [*sets, "train.patience=4"], tmp_path / "run", resume=True, device="cpu")
    assert first.steps < again.steps


def test_checkpoints_are_written_every_so_many_steps(tmp_path):
    written = []

    class Seen(Progress):
        def step(self, step):
            written.append([int(p.name[5:]) for p in checkpoints.found(tmp_path)])

    train = section(checkpoint_every=5)
    Session(StubModel(), StubBatches(), train, CPU, folder=tmp_path, log=Log(progress=Seen())).run()
    assert sorted({steps[0] for steps in written if steps}) == [5, 10]
    assert [int(p.name[5:]) for p in checkpoints.found(tmp_path)] == [12, 10]


def test_a_third_party_brings_optimizer_schedule_and_logger(graph, tmp_path, monkeypatch):
    (tmp_path / "own_training.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("VADKIT_PLUGINS", "own_training")
    sets = ["train.optimizer={use: own_rule, lr: 0.01, args: {damping: 0.5}}", "train.schedule.use=own_curve"]
    straight = train(graph, [*sets, "train.log=[own_log]"], tmp_path / "run", device="cpu")
    lines = (tmp_path / "run" / "logs" / "own_log" / "lines").read_text().split()
    assert lines[0] == "None" and lines[-1] == "closed"
    assert lines[1:-1] == [r["kind"] for r in read_log(tmp_path / "run" / "log.jsonl")]
    rates = {r["lr"]["rest"] for r in straight.history if r["kind"] == "train"}
    assert max(rates) <= 0.01 and len(rates) > 3
    train(graph, [*sets, "train.steps=5"], tmp_path / "cut", device="cpu")
    again = train(graph, sets, tmp_path / "cut", resume=True, device="cpu")
    assert again.steps == straight.steps == 12


OWN = """
import torch
from vadkit import Logger, Optimizer, Schedule, hookimpl

class OwnRule(Optimizer):
    \"\"\"Follow the sign.\"\"\"
    name = "own_rule"
    def __init__(self, *, damping: float = 0.1):
        self.damping = damping
    def build(self, groups):
        return torch.optim.Rprop(groups, etas=(self.damping, 1.2))

class OwnCurve(Schedule):
    \"\"\"Fall.\"\"\"
    name = "own_curve"
    def share(self, step, steps):
        return 1 / (1 + step)

class OwnLog(Logger):
    \"\"\"Write the kinds.\"\"\"
    name = "own_log"
    def open(self, folder, keep):
        self.file = folder / "lines"
        self.file.write_text(f"{keep} ")
    def write(self, record):
        with self.file.open("a") as stream:
            stream.write(record["kind"] + " ")
    def close(self):
        with self.file.open("a") as stream:
            stream.write("closed")

@hookimpl
def vadkit_components():
    return [OwnRule, OwnCurve, OwnLog]
"""
