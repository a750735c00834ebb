"""The log: means over intervals, lines that survive a kill, TensorBoard, losses that are not finite."""

from __future__ import annotations

import json

import pytest
import torch
from engine_stub import StubBatches, StubModel, section

from vadkit.engine import checkpoints
from vadkit.engine.run_log import JsonLines, Log, plain, read_log
from vadkit.engine.session import Session
from vadkit.problems import VadkitError


def record(step):
    return {
        "kind": "train", "step": step, "epoch": 0.1, "losses": {"total": 0.5}, "lr": {"rest": 0.01},
        "seconds": 0.2, "steps_per_second": 5.0, "waiting": 0.0,
    }  # fmt: skip


def test_a_record_holds_the_means_of_its_interval():
    class Counted(StubModel):
        def loss(self, batch):
            return {**super().loss(batch), "count": self.seen.clone()}

    outcome = Session(Counted(), StubBatches(), section(log_every=5), torch.device("cpu")).run()
    records = outcome.history
    assert [r["step"] for r in records] == [5, 10, 12]
    assert [r["losses"]["count"] for r in records] == [3.0, 8.0, 11.5]
    assert [r["epoch"] for r in records] == [0.5, 1.0, 1.2]
    assert set(records[0]["losses"]) == {"total", "mil", "smooth", "count"}
    for record in records:
        assert record["kind"] == "train" and record["steps_per_second"] > 0
        assert 0 <= record["waiting"] < 1 and record["seconds"] >= 0 and record["lr"] == {"rest": 0.01}


def test_lines_are_on_the_disk_at_once(tmp_path):
    log = JsonLines(tmp_path / "log.jsonl")
    log.write(record(1))
    assert read_log(tmp_path / "log.jsonl") == [record(1)]


def test_a_number_that_is_not_finite_is_null_in_the_file(tmp_path):
    log = JsonLines(tmp_path / "log.jsonl")
    log.write({**record(1), "losses": {"total": 0.5, "shown": float("inf")}, "grad_norm": float("nan")})
    (kept,) = read_log(tmp_path / "log.jsonl")
    assert kept["losses"] == {"total": 0.5, "shown": None} and kept["grad_norm"] is None


def test_a_resumed_log_drops_what_comes_after_the_checkpoint_and_a_torn_line(tmp_path):
    path = tmp_path / "log.jsonl"
    lines = [json.dumps(record(step)) for step in (10, 20, 30)]
    path.write_text("\n".join(lines) + '\n{"kind": "train", "st')
    log = JsonLines(path, keep=20)
    log.write(record(21))
    assert [r["step"] for r in read_log(path)] == [10, 20, 21]
    assert [r["step"] for r in log.kept] == [10, 20]


def test_a_full_disk_is_reported_by_the_log():
    class Full:
        def write(self, text):
            raise OSError(28, "No space left on device")

    log = JsonLines.__new__(JsonLines)
    log.path, log._stream = "log.jsonl", Full()
    with pytest.raises(VadkitError, match="log.jsonl cannot be written: No space left on device"):
        log.write({"step": 1})


def test_figures_become_plain_data():
    import numpy as np

    figures = {"ap": np.float64(0.5), "n": np.int64(3), "far": float("nan"), "classes": {"riot": np.float32(1)}}
    assert json.loads(json.dumps(plain(figures.items()))) == {
        "ap": 0.5,
        "n": 3,
        "far": None,
        "classes": {"riot": 1.0},
    }


# -- losses that are not finite --------------------------------------------------------------------
class Spoilt(StubModel):
    """From a step on, one loss is not a number; another is infinite but has no weight."""

    def __init__(self, at, name="mil", value=float("nan")):
        super().__init__()
        self.at, self.name, self.value = at, name, value

    def loss(self, batch):
        losses = super().loss(batch)
        if self.seen >= self.at and self.name == "gradient":  # finite, but its gradient is not
            losses["total"] = losses["total"] + (self.score.weight * 0).abs().sqrt().sum()
        elif self.seen >= self.at:
            losses[self.name] = losses[self.name] * self.value
            losses["total"] = losses["mil"] + losses["smooth"]
        return {**losses, "shown": torch.tensor(float("inf"))}


def spoilt(tmp_path, model, **changes):
    session = Session(
        model,
        StubBatches(),
        section(log_every=5, **changes),
        torch.device("cpu"),
        folder=tmp_path,
        checkpoint_seconds=0,
    )
    with pytest.raises(VadkitError) as error:
        session.run()
    return str(error.value)


@pytest.mark.parametrize(("name", "value", "word"), [("mil", float("nan"), "nan"), ("smooth", float("inf"), "inf")])
def test_a_loss_that_is_not_finite_stops_the_run_and_is_named(tmp_path, name, value, word):
    says = spoilt(tmp_path, Spoilt(7, name, value))
    assert f"the loss '{name}' became {word} at step 7" in says
    assert "last good checkpoint is that of step 6" in says and "step-00000006" in says
    assert checkpoints.latest(tmp_path).step == 6


def test_weights_that_are_not_finite_are_never_saved(tmp_path):
    says = spoilt(tmp_path, Spoilt(4, "gradient"))
    assert "weights 'score.weight' are not finite after step 4" in says
    assert checkpoints.latest(tmp_path).step == 3


def test_on_cuda_the_step_is_found_at_the_end_of_the_interval(tmp_path):
    """Nothing is read before the interval ends; the record still names the right step."""
    from vadkit.engine.run_log import RecordHook

    hook = RecordHook(Log(), 5, torch.device("cuda"), lambda: "nowhere", lambda: [])
    for value in (1.0, float("nan"), float("nan")):
        hook.names = ["total", "mil"]
        hook.rows.append(torch.tensor([value, value]))
    with pytest.raises(VadkitError, match="the loss 'mil' became nan at step 9"):
        hook.check(10)


def test_without_checkpoints_the_message_says_so():
    with pytest.raises(VadkitError, match="no checkpoints were kept"):
        Session(Spoilt(2), StubBatches(), section(), torch.device("cpu")).run()
