"""What the engine does instead of mmengine: nothing global, nothing printed, nothing asked of a user's file.

These tests hold for any version of mmengine; they say nothing of how it works inside.
"""

from __future__ import annotations

import gc
import logging
import multiprocessing
import re
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch
from engine_stub import StubBatches, StubModel, section
from mmengine.logging import MessageHub, MMLogger

import vadkit.engine
from vadkit.engine import checkpoints
from vadkit.engine.precision import StepWrapper
from vadkit.engine.session import Session

CPU = torch.device("cpu")


def run(**changes):
    session = Session(StubModel(), StubBatches(), section(**changes), CPU)
    session.run()
    return session


def test_mixed_precision_runs_on_the_cpu():
    model = StubModel()
    wrapper = StepWrapper(torch.optim.SGD(model.parameters(), lr=0.1), "bf16", "cpu")
    with wrapper.optim_context(model):
        assert model.context(torch.ones(1, 6)).dtype == torch.bfloat16


def test_batches_come_by_number_from_where_the_run_is(tmp_path):
    class Seen(StubBatches):
        requested: list = []

        def batch(self, step):
            Seen.requested.append(step)
            return super().batch(step)

    Session(StubModel(), Seen(), section(steps=3, accumulate=2), CPU, folder=tmp_path).run()
    Session(
        StubModel(),
        Seen(),
        section(steps=4, accumulate=2),
        CPU,
        folder=tmp_path,
        checkpoint=checkpoints.latest(tmp_path),
    ).run()
    assert Seen.requested == list(range(8))  # nothing is replayed, nothing comes twice


def test_its_config_reader_and_registry_are_not_used_and_only_the_engine_imports_it():
    """They would run code from a user's file, and import any dotted name in it."""
    root = Path(vadkit.__file__).parent
    for path in root.rglob("*.py"):
        text = path.read_text()
        if "engine" not in path.relative_to(root).parts and path.name != "registry.py":
            assert not re.search(r"^\s*(import|from) mmengine", text, re.M), path
    for path in (root / "engine").glob("*.py"):
        text = path.read_text()
        assert not re.search(r"Config\.from|get_installed_path|is_installed|[A-Z]\.build\(|\"type\": \"", text), path


def test_the_end_of_the_data_takes_no_time(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: pytest.fail("slept"))
    run(steps=25)  # two and a half epochs


def test_nothing_is_put_into_the_message_hub():
    session = run(clip_grad=1.0)
    assert session.runner.message_hub.log_scalars == {}
    assert session.runner.optim_wrapper.grad_norm > 0


def test_nothing_is_printed_or_written(tmp_path, capfd, monkeypatch, recwarn):
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    run(ema=0.4, accumulate=3, clip_grad=1.0)  # for each of these mmengine has a message
    out = capfd.readouterr()
    assert (out.out, out.err) == ("", "") and list(tmp_path.iterdir()) == []
    assert [str(w.message) for w in recwarn] == []


def test_no_trace_is_left_in_the_process():
    def state():
        tables = [list(t) for t in (MessageHub._instance_dict, MMLogger._instance_dict)]
        return tables, logging.getLogger().handlers[:], multiprocessing.get_start_method(allow_none=True)

    run()
    before = state()
    sessions = [run(), run()]  # within one second
    assert state() == before
    names = [session.runner.experiment_name for session in sessions]
    assert len(set(names)) == 2


def test_a_run_and_its_model_can_be_freed():
    """Nothing global keeps a finished training alive: nine in a row need the memory of one."""
    session = run(ema=0.9)
    ghosts = [weakref.ref(session.model), weakref.ref(session.runner)]
    del session
    gc.collect()
    assert [ghost() for ghost in ghosts] == [None, None]


def test_the_cost_of_a_step_does_not_grow_with_the_run():
    """What is kept between two records is bounded by the interval."""
    session = Session(StubModel(), StubBatches(), section(steps=200, log_every=10), CPU)
    kept = []
    session.evaluate = lambda model: {"n": kept.append(len(session.records.rows))}
    session.train = section(steps=200, evaluate_every=7)
    session.run()
    assert max(kept) < 10 and np.sum(kept) > 0
