"""``train.capture`` on a stand-in for CUDA graphs: captured and usual runs of a seed give equal weights.

The stand-in computes recorded operations once more, so that what Python decided while it recorded - a learning rate,
a branch, the weight of a loss - would stay as it was, as on a GPU.
"""

from __future__ import annotations

import copy
from types import SimpleNamespace

import pytest
import torch
from engine_stub import StubBatches, StubModel, section
from graph_stand_in import graphs_on_cpu
from torch import nn

from vadkit import cuda_graph
from vadkit.engine import checkpoints
from vadkit.engine.progress import Progress
from vadkit.engine.run_log import Log
from vadkit.engine.session import Session
from vadkit.problems import VadkitError

CPU = torch.device("cpu")


@pytest.fixture
def graphs(monkeypatch):
    with graphs_on_cpu(monkeypatch) as graphs:
        yield graphs


class Notes(Progress):
    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


def run(train, capture, batches=None, model=None, **more):
    """Return the trained model, the outcome and the notes of a run."""
    model, notes = model or Twins(), Notes()
    batches = batches or StubBatches(length=4)
    session = Session(model, batches, section(**train, capture=capture), CPU, log=Log(progress=notes), **more)
    return model, session.run(), notes.notes


class Twins(StubModel):
    """With a node that a blend may draw to the other, batch normalisation, and a weight that follows the epoch."""

    def __init__(self):
        super().__init__(dropout=0.3)
        with torch.random.fork_rng():
            torch.manual_seed(3)
            self.peer = nn.Linear(6, 8)
            self.norm = nn.BatchNorm1d(8)

    plan = SimpleNamespace(steps=(), losses=())  # nothing is given the epoch

    def changing_weights(self, epoch):
        return {"smooth": min(epoch, 3) / 3}

    def loss(self, batch):
        self.seen += 1
        peer = self.norm(self.peer(batch["x"]).transpose(1, 2)).square().mean()
        x = self.dropout(self.context(batch["x"]).relu())
        scores = self.score(x).squeeze(-1).sigmoid()
        mil = self.losses["mil"](scores=scores, labels=batch["labels"])
        total, weight = mil + peer, self.changing_weights(batch.get("epoch", 3))["smooth"]
        if weight:
            total = total + weight * scores.diff(dim=1).square().mean()
        return {"total": total, "mil": mil}


class Epochs(StubBatches):
    """Batches with the number of the epoch; the last of an epoch is smaller.

    Each has memory of its own: where a view begins decides, on some CPUs, how products of it are rounded.
    """

    def batch(self, step):
        batch = super().batch(step)
        last = step % self.length == self.length - 1
        rows = slice(1, None) if last else slice(None)
        return {**batch, "x": batch["x"][rows].clone(), "labels": batch["labels"][rows], "epoch": step // self.length}


def same(one, other):
    return [n for n, x in one.state_dict().items() if not torch.equal(x, other.state_dict()[n])] == []


BLEND = [{"into": "context", "from": "peer", "keep": [0.5, 0.9], "per": "step"}]
RUNS = {
    **{rule: {"optimizer": {"use": rule, "lr": 0.01, "weight_decay": 0.001}} for rule in
       ("adam", "adamw", "sgd", "nadam", "adagrad")},
    "schedule": {"schedule": {"use": "cosine", "warmup": 2}},
    "groups": {"groups": [{"nodes": ["score"], "lr": 0.001}, {"nodes": ["peer"], "lr": 0.0}]},
    "average": {"ema": 0.9},
    "blend": {"blend": BLEND, "ema": 0.9},
    "blend per epoch": {"blend": [{**BLEND[0], "per": "epoch"}]},
    "clipped": {"clip_grad": 0.05},
    "accumulated": {"accumulate": 2, "steps": 8, "clip_grad": 0.05},
    "bf16": {"precision": "bf16"},
    "not deterministic": {"deterministic": False},
    "everything": {"ema": 0.8, "clip_grad": 0.1, "blend": BLEND,
                   "schedule": {"use": "step", "args": {"milestones": [5]}}},
}  # fmt: skip


@pytest.mark.parametrize("name", RUNS)
def test_a_captured_run_gives_the_weights_of_the_usual_one(graphs, name):
    usual, before, _ = run(RUNS[name], "off")
    assert not graphs.recorded
    model, outcome, notes = run(RUNS[name], "on")
    assert sum(graph.replays for graph in graphs.recorded) >= 6 and not notes
    assert same(usual, model) and not same(usual, Twins())
    for one, other in zip(before.history, outcome.history):
        for key in ("losses", "lr", "grad_norm"):
            assert one.get(key) == other.get(key)


@pytest.mark.parametrize("use", ["adam", "sgd", "nadam", "adagrad"])
def test_the_form_that_can_be_captured_gives_nearly_what_the_usual_one_does(monkeypatch, use):
    train = {"optimizer": {"use": use, "lr": 0.01, "weight_decay": 0.001}, "schedule": {"use": "cosine"}}
    usual, _, _ = run(train, "auto")
    with graphs_on_cpu(monkeypatch):
        model, _, _ = run(train, "auto")
    for name, x in usual.state_dict().items():
        if name == "peer.bias":  # its gradient is rounding: batch normalisation takes it away
            continue
        torch.testing.assert_close(x, model.state_dict()[name], atol=1e-3, rtol=0)


def test_weights_of_losses_and_a_last_batch_of_another_size(graphs):
    """Three epochs of growing weight, which begins at 0, then the weight stays; the last batch of each is smaller."""
    train, batches = {"steps": 36}, Epochs(length=6)
    usual, _, _ = run(train, "off", batches)
    model, _, _ = run(train, "on", batches)
    assert same(usual, model)
    assert [graph.replays for graph in graphs.recorded] == [4, 4, 3, 11]


def test_a_kind_that_comes_back_after_every_odd_one_is_recorded(graphs):
    """Epochs of three updates, too short for a recording while the weight grows."""
    model, _, _ = run({"steps": 60}, "on", Epochs(length=3))
    assert graphs.recorded[-1].replays > 20 and same(model, run({"steps": 60}, "off", Epochs(length=3))[0])


def test_an_update_that_changes_all_the_time_is_hardly_ever_recorded(graphs):
    class Random(StubBatches):
        def batch(self, step):
            batch = super().batch(step)
            return {**batch, "x": batch["x"][:, : 3 + (step // 2) % 5].contiguous()}

    usual, _, _ = run({"steps": 80}, "off", Random())
    model, _, _ = run({"steps": 80}, "on", Random())
    assert same(usual, model) and len(graphs.recorded) <= 3


def test_resumed_in_the_middle(graphs, tmp_path):
    train = {"ema": 0.9, "schedule": {"use": "cosine"}, "optimizer": {"use": "nadam", "lr": 0.01}}
    whole, _, _ = run(train, "off")
    for first, second in (("on", "on"), ("on", "off"), ("off", "on")):
        folder = tmp_path / f"{first}-{second}"
        model = Twins()
        kept = {"folder": folder, "checkpoint_seconds": 0.0}

        class Stop(Exception):
            pass

        class Stopping(StubBatches):
            def batch(self, step):
                if step == 7:
                    raise Stop
                return super().batch(step)

        with pytest.raises(Stop):
            run(train, first, Stopping(length=4), model, **kept)
        found = checkpoints.latest(folder)
        assert found.step == 7 and all(isinstance(g["lr"], float) for g in found.state["optimizer"]["param_groups"])
        resumed, _, _ = run(train, second, model=Twins(), checkpoint=found, **kept)
        assert same(whole, resumed), (first, second)


def test_a_run_of_the_cpu_resumes_on_a_gpu(monkeypatch, tmp_path):
    """nadam counts its steps on the host there, and on the device here."""
    train = {"optimizer": {"use": "nadam", "lr": 0.01}}
    run({**train, "steps": 6}, "auto", folder=tmp_path, checkpoint_seconds=0.0)
    found = checkpoints.latest(tmp_path)
    with graphs_on_cpu(monkeypatch) as graphs:
        run(train, "on", checkpoint=found)
        assert graphs.recorded


# -- what cannot be captured -------------------------------------------------------------------------------------------


class Waits(StubModel):
    def __init__(self, how):
        super().__init__()
        self.how = how
        self.context = nn.Sequential(self.context, Asks(how))


class Asks(nn.Module):
    def __init__(self, how):
        super().__init__()
        self.how = how

    def forward(self, x):
        return self.how(x)


def scaled(x):
    return x * float(x.mean() > 100)


HOWS = {
    "item": (lambda x: x * x.mean().item(), "aten._local_scalar_dense"),
    "bool": (lambda x: x if x.mean() > -100 else -x, "aten._local_scalar_dense"),
    "nonzero": (lambda x: x + x.detach().nonzero().float().mean(), "aten.nonzero"),
    "mask": (lambda x: x + x[x > 0].mean(), "aten.nonzero"),
    "unique": (lambda x: x + x.detach().unique().mean(), "aten._unique2"),
}


@pytest.mark.parametrize("name", HOWS)
def test_a_node_that_waits_is_named_in_one_line_and_training_goes_on(graphs, name):
    how, _ = HOWS[name]
    usual, _, _ = run({}, "off", model=Waits(how))
    model, _, notes = run({}, "auto", model=Waits(how))
    assert same(usual, model) and not graphs.recorded
    (note,) = notes
    assert note.startswith("train.capture: node 'context' waits for the host (aten.")
    assert note.endswith("; training continues without it")


def test_on_refuses_it(graphs):
    with pytest.raises(VadkitError, match="train.capture is on, but this training cannot be captured: node 'context'"):
        run({}, "on", model=Waits(HOWS["item"][0]))


def test_what_only_the_recording_finds_is_named_too(graphs):
    """A copy of numbers from Python looks like any tensor of the CPU until it is recorded."""

    def copied(x):
        return x + torch.tensor([0.5] * 8)

    usual, _, _ = run({"accumulate": 2}, "off", model=Waits(copied))
    model, _, notes = run({"accumulate": 2}, "auto", model=Waits(copied))
    assert same(usual, model) and notes == [
        "train.capture: node 'context' cannot be recorded (CUDA error: operation not permitted when stream is "
        "capturing); training continues without it"
    ]


def test_a_generator_of_its_own_is_refused(graphs):
    own = torch.Generator()
    _, _, notes = run({}, "auto", model=Waits(lambda x: x + torch.rand(8, generator=own)))
    assert len(notes) == 1 and "node 'context' cannot be recorded" in notes[0]


def test_the_backward_pass_is_named(graphs):
    class Asking(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, grad):
            return grad * (1 + 0 * grad.mean().item())

    _, _, notes = run({}, "auto", model=Waits(Asking.apply))
    assert notes[0].startswith("train.capture: the backward pass waits for the host")


def test_an_optimizer_that_counts_on_the_host_is_named(graphs, monkeypatch):
    class Own(torch.optim.SGD):
        pass

    def build(self, groups):
        return Own(groups, fused=False)

    monkeypatch.setattr("vadkit_sgd.SGD.build", build)
    _, _, notes = run({"optimizer": {"use": "sgd", "lr": 0.01}}, "auto")
    assert notes == ["train.capture: the optimizer Own counts its steps on the host; training continues without it"]


def test_many_batches_in_an_update_are_not_recorded(graphs):
    _, _, notes = run({"accumulate": 17, "steps": 1}, "auto")
    assert notes[0].startswith("train.capture: train.accumulate is above 16")


def test_several_processes_are_not_recorded(graphs, monkeypatch):
    from vadkit.engine import capture

    monkeypatch.setattr(capture.distributed, "active", lambda: True)
    notes = []
    update, optimizer = capture.Update(), torch.optim.Adam([torch.zeros(1)], fused=True)
    device = cuda_graph.device_of(CPU)
    assert capture.captured(update, section(capture="auto"), device, optimizer, notes.append) is update
    assert notes == ["train.capture: several processes exchange gradients; training continues without it"]
    fp16 = section(capture="on", precision="fp16")
    monkeypatch.setattr(capture.distributed, "active", lambda: False)
    with pytest.raises(VadkitError, match="fp16 decides after every step"):
        capture.captured(update, fp16, device, optimizer, notes.append)


def test_on_the_cpu_on_is_refused_and_auto_says_nothing():
    with pytest.raises(VadkitError, match="it needs a CUDA device"):
        run({}, "on")
    assert run({}, "auto")[2] == []


def test_the_stand_in_shows_what_is_decided_once(graphs):
    """A count of Python's and a state created while recording give wrong weights, so equal ones mean something."""

    class Counts(StubModel):
        calls = 0

        def loss(self, batch):
            self.calls += 1
            found = super().loss(batch)
            return {**found, "total": found["total"] * (1 + self.calls % 3)}

    usual, _, _ = run({}, "off", model=Counts())
    model, _, _ = run({}, "on", model=Counts())
    assert not same(usual, model)


def test_losses_and_gradients_are_not_kept_between_replays(graphs):
    model, _, _ = run({"clip_grad": 1.0}, "on")
    assert all(weight.grad is None for weight in model.parameters())


def test_a_captured_run_leaves_the_model_as_it_was_given(graphs):
    """Trained twice, with a copy in between: nothing of the recording stays in it."""
    model, _, _ = run({}, "on")
    again = copy.deepcopy(model)
    run({}, "on", model=again)
    assert not same(model, again)
