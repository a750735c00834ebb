"""Each fault of mmengine that the engine works around: that it is there, and that ours does not have it.

Where a fault is shown in the bare library, the test is bound to the version it was seen in; with a newer
mmengine it is skipped and tells that a mend may go.
"""

from __future__ import annotations

import gc
import inspect
import logging
import multiprocessing
import os
import re
import subprocess
import sys
from pathlib import Path

import mmengine
import numpy as np
import pytest
import torch
from engine_stub import StubBatches, StubModel, section
from mmengine.logging import HistoryBuffer, MessageHub, MMLogger
from mmengine.optim import AmpOptimWrapper, LinearLR, OptimWrapper
from mmengine.runner import Runner
from mmengine.runner.loops import IterBasedTrainLoop, _InfiniteDataloaderIterator

import vadkit.engine
from vadkit.engine.precision import StepWrapper
from vadkit.engine.session import Session

bare = pytest.mark.skipif(
    mmengine.__version__ != "0.10.7", reason=f"the fault was seen in mmengine 0.10.7, this is {mmengine.__version__}"
)


def run(**changes):
    session = Session(StubModel(), StubBatches(), section(**changes), torch.device("cpu"))
    session.run()
    return session


# 1: its own checkpoints cannot be resumed: see test_resume.py for ours
@bare
def test_1_its_checkpoints_hold_pickled_objects_that_torch_refuses(tmp_path):
    torch.save({"message_hub": HistoryBuffer([1.0], [1])}, tmp_path / "x.pth")
    with pytest.raises(Exception, match="Weights only load failed"):
        torch.load(tmp_path / "x.pth")


# 2: mixed precision refuses the CPU
@bare
@pytest.mark.skipif(torch.cuda.is_available(), reason="the fault shows on machines without CUDA")
def test_2_its_amp_wrapper_refuses_the_cpu():
    with pytest.raises(AssertionError, match="only available training on"):
        AmpOptimWrapper(dtype="bfloat16", optimizer=torch.optim.SGD(StubModel().parameters(), lr=0.1))


def test_2_ours_trains_in_bf16_on_the_cpu():
    model = StubModel()
    wrapper = StepWrapper(torch.optim.SGD(model.parameters(), lr=0.1), "bf16", "cpu")
    with wrapper.optim_context(model):
        assert model.context(torch.ones(1, 6)).dtype == torch.bfloat16


# 3, 4: gloo asks for CUDA, and DDP on the CPU is given device ids: see test_distributed.py
# 5: its collate gives lists
def test_5_and_11_and_12_batches_come_by_number_from_where_the_run_is(tmp_path):
    class Seen(StubBatches):
        asked: list = []

        def batch(self, step):
            Seen.asked.append(step)
            return super().batch(step)

    Session(StubModel(), Seen(), section(steps=3, accumulate=2), torch.device("cpu"), folder=tmp_path).run()
    from vadkit.engine import checkpoints

    Session(
        StubModel(),
        Seen(),
        section(steps=4, accumulate=2),
        torch.device("cpu"),
        folder=tmp_path,
        checkpoint=checkpoints.latest(tmp_path),
    ).run()
    assert Seen.asked == list(range(8))  # nothing is replayed, nothing comes twice


# 6, 7, 8, 9: it must never see a user's file or a user's name
@bare
def test_7_its_config_reader_runs_code(tmp_path):
    (tmp_path / "x.yaml").write_text("a: !!python/object/apply:os.getcwd []")
    assert mmengine.Config.fromfile(tmp_path / "x.yaml").a == os.getcwd()


@bare
def test_9_its_registry_imports_any_dotted_name():
    assert mmengine.registry.MODELS.get("os.getcwd") is os.getcwd


def test_6_to_9_ours_calls_neither_and_nothing_outside_knows_mmengine():
    root = Path(vadkit.__file__).parent
    for path in root.rglob("*.py"):
        text = path.read_text()
        if "engine" not in path.relative_to(root).parts and path.name != "registry.py":
            assert not re.search(r"^\s*(import|from) mmengine", text, re.M), path
    for path in (root / "engine").glob("*.py"):
        text = path.read_text()
        assert not re.search(r"Config\.from|get_installed_path|is_installed|[A-Z]\.build\(|\"type\": \"", text), path


# 10: two seconds of sleep at every end of the data
@bare
def test_10_its_loop_sleeps_at_the_end_of_the_data():
    assert "time.sleep(2)" in inspect.getsource(_InfiniteDataloaderIterator.__next__)


def test_10_ours_does_not_sleep(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: pytest.fail("slept"))
    run(steps=25)  # two and a half epochs


# 13: no random state in a checkpoint
@bare
def test_13_its_checkpoints_have_no_random_state():
    assert "rng" not in inspect.getsource(Runner.save_checkpoint)


# 14: resumed longer, the rate freezes: test_schedules.py shows that ours does not
@bare
def test_14_its_schedulers_freeze_when_a_run_is_resumed_longer():
    def made(end):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.0)
        return optimizer, LinearLR(optimizer, start_factor=1.0, end_factor=0.1, end=end, by_epoch=False)

    optimizer, short = made(10)
    for _ in range(10):
        optimizer.step(), short.step()
    longer, scheduler = made(20)
    scheduler.load_state_dict(short.state_dict())
    before = longer.param_groups[0]["lr"]
    for _ in range(10):
        longer.step(), scheduler.step()
    assert longer.param_groups[0]["lr"] == before


# 15: logs cost quadratic time
@bare
def test_15_its_history_copies_itself_at_every_value():
    assert "np.append" in inspect.getsource(HistoryBuffer.update)


def test_15_ours_puts_nothing_into_the_message_hub():
    session = run(clip_grad=1.0)
    assert session.runner.message_hub.log_scalars == {}
    assert session.runner.optim_wrapper.grad_norm > 0


# 16, 17: noise, folders named by the second, process-wide tables
@bare
def test_16_and_17_a_bare_runner_prints_makes_folders_and_stays_in_global_tables(tmp_path, capfd):
    before = len(MessageHub._instance_dict)
    Runner(StubModel(), str(tmp_path), experiment_name="bare")
    names = [name for name in (*MessageHub._instance_dict, *MMLogger._instance_dict) if name.startswith("bare_")]
    try:
        assert len(MessageHub._instance_dict) == before + 1 and len(names) == 2
        assert "System environment" in capfd.readouterr().out and len(list(tmp_path.iterdir())) == 2
    finally:
        for table in (MessageHub._instance_dict, MMLogger._instance_dict):
            for name in names:
                table.pop(name, None)


def test_16_ours_says_nothing_and_writes_nothing(tmp_path, capfd, monkeypatch, recwarn):
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    run(ema=0.4, accumulate=3, clip_grad=1.0)  # each of these makes mmengine speak
    out = capfd.readouterr()
    assert (out.out, out.err) == ("", "") and list(tmp_path.iterdir()) == []
    assert [str(w.message) for w in recwarn] == []


def test_17_ours_leaves_no_trace_in_the_process():
    def state():
        tables = [list(t) for t in (MessageHub._instance_dict, MMLogger._instance_dict)]
        return tables, logging.getLogger().handlers[:], multiprocessing.get_start_method(allow_none=True)

    run()
    before = state()
    sessions = [run(), run()]  # within one second
    assert state() == before
    names = [session.runner.experiment_name for session in sessions]
    assert len(set(names)) == 2


def test_a_run_and_its_model_can_be_forgotten():
    """Nothing global keeps a finished training alive: nine in a row need the memory of one."""
    import weakref

    session = run(ema=0.9)
    ghosts = [weakref.ref(session.model), weakref.ref(session.runner)]
    del session
    gc.collect()
    assert [ghost() for ghost in ghosts] == [None, None]


# 18: opencv: nothing here imports cv2 itself
# 19, 20: by design; the adapter is what test_session.py trains
@bare
def test_20_a_plain_module_cannot_be_trained():
    with pytest.raises(AssertionError, match="train_step"):
        Runner.train(type("R", (), {"model": torch.nn.Linear(1, 1)})())


# more, seen since
@bare
def test_it_forces_child_processes_to_be_forked():
    code = (
        "import multiprocessing as m; m.set_start_method('spawn')\n"
        "from mmengine.utils.dl_utils import set_multi_processing as s; s(); print(m.get_start_method())"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "fork"


@bare
def test_it_appends_the_gradient_norm_to_a_global_history_and_waits_for_it():
    source = inspect.getsource(OptimWrapper._clip_grad)
    assert "message_hub.update_scalar" in source and "float(grad)" in source


@bare
def test_its_loop_counts_batches_so_a_last_update_may_be_incomplete():
    assert "self._iter += 1" in inspect.getsource(IterBasedTrainLoop.run_iter)
    assert "_remainder_counts" in inspect.getsource(OptimWrapper.scale_loss)


def test_the_cost_of_a_step_does_not_grow_with_the_run():
    """What is kept between two records is bounded by the interval."""
    session = Session(StubModel(), StubBatches(), section(steps=200), torch.device("cpu"), log_every=10)
    kept = []
    session.evaluate = lambda model: {"n": kept.append(len(session.records.rows))}
    session.train = section(steps=200, evaluate_every=7)
    session.run()
    assert max(kept) < 10 and np.sum(kept) > 0
