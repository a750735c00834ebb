"""``vadkit train`` on a GPU: it trains, equal seeds give equal bytes, also after kill -9 and --resume."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import ClassVar

import pytest
import torch
from cuda_systems import SYSTEMS
from engine_stub import GRAPH, StubBatches, StubModel, section

from vadkit.bench.timing import Load, random_batch
from vadkit.cli import main
from vadkit.devices import choose_device
from vadkit.engine import checkpoints, numerics, random_state
from vadkit.engine.progress import Progress
from vadkit.engine.run_log import Log, read_log
from vadkit.engine.session import Session
from vadkit.engine.tensor_tree import same
from vadkit.graph.compiler import compile_config
from vadkit.graph.load import load_config
from vadkit.plugin_manager import load_plugins

pytestmark = pytest.mark.cuda

# Moving average, selection, schedule, accumulation and clipping: all that a checkpoint must bring back.
EVERYTHING = (
    "train.ema=0.8",
    "train.clip_grad=1.0",
    "train.accumulate=2",
    "train.select=val",
    "train.evaluate_every=4",
    "train.schedule.use=cosine",
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

config, sets, out, device = json.loads(sys.argv[1])
train(config, sets, out, device=device, progress=Kill(), checkpoint_seconds=0)
"""
GRAPHS = sorted(
    path.stem for folder in load_plugins().config_folders for path in folder.rglob("graphs/**/*.yaml")
)  # fmt: skip


def train(system, out, device, *changes, more=()):
    sets = [word for change in changes for word in ("--set", change)]
    assert main(["train", *system, *sets, "--device", device, "--out", str(out), *more]) == 0


def weights(out):
    """Return the bytes of the model's tensors; its header has the seconds that the run took."""
    data = (out / "model.safetensors").read_bytes()
    return data[8 + int.from_bytes(data[:8], "little") :]


def figures(out):
    return json.loads((out / "result.json").read_text())["figures"]


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_same_seed_gives_the_same_bytes(systems, tmp_path, device, name):
    for out in ("one", "two"):
        train(systems[name], tmp_path / out, device)
    assert weights(tmp_path / "one") == weights(tmp_path / "two")
    assert figures(tmp_path / "one") == figures(tmp_path / "two")
    train(systems[name], tmp_path / "other", device, more=["--seed", "77"])
    assert weights(tmp_path / "other") != weights(tmp_path / "one")


@pytest.mark.parametrize("name", SYSTEMS)
def test_killed_and_resumed_gives_the_same_bytes(systems, tmp_path, device, name):
    train(systems[name], tmp_path / "whole", device, *EVERYTHING)
    config, sets = systems[name][0], [word for word in systems[name][1:] if word != "--set"]
    given = json.dumps([config, [*sets, *EVERYTHING], str(tmp_path / "cut"), device])
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, given], capture_output=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    train(systems[name], tmp_path / "cut", device, *EVERYTHING, more=["--resume"])
    assert [r["step"] for r in read_log(tmp_path / "cut" / "log.jsonl") if r["kind"] == "resume"] == [7]
    assert weights(tmp_path / "whole") == weights(tmp_path / "cut")
    states = [checkpoints.latest(tmp_path / run / "checkpoints").state for run in ("whole", "cut")]
    assert same(*states)  # optimizer, average, best weights and random state of the GPU too
    assert ("cuda" in states[0]["random"][0]) == device.startswith("cuda")


@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16"])
def test_every_precision_trains_and_repeats_itself(systems, tmp_path, device, precision):
    changes = [f"train.precision={precision}", "train.steps=40"]
    for out in ("one", "two"):
        train(systems["small"], tmp_path / out, device, *changes)
    assert weights(tmp_path / "one") == weights(tmp_path / "two")
    losses = [r["losses"]["total"] for r in read_log(tmp_path / "one" / "log.jsonl") if r["kind"] == "train"]
    assert losses[-1] < losses[0]


def test_fp16_trains_on_a_gpu_and_is_refused_elsewhere(systems, tmp_path, device, capfd):
    changes = ["--set", "train.precision=fp16", "--set", "train.steps=40"]
    code = main(["train", *systems["small"], *changes, "--device", device, "--out", str(tmp_path / "run")])
    if device == "cpu":
        assert code == 2 and "fp16 needs a CUDA device" in capfd.readouterr().err
        return
    losses = [r["losses"]["total"] for r in read_log(tmp_path / "run" / "log.jsonl") if r["kind"] == "train"]
    assert code == 0 and losses[-1] < losses[0]


# What each may do to an update that a recording must not miss.
CAPTURED = {
    **{rule: [f"train.optimizer.use={rule}"] for rule in ("adam", "adamw", "sgd", "nadam", "adagrad")},
    "everything": ["train.ema=0.8", "train.clip_grad=1.0", "train.schedule.use=cosine", "train.groups=[]"],
    "accumulated": ["train.accumulate=2", "train.clip_grad=1.0"],
    "weights": ["losses.other.weight={from: 0.0, to: 1.0, epochs: 2}"],
    "blend": ["train.blend=[{into: score, from: peer, keep: [0.5, 0.9]}]"],
    "last batch": ["data.paired=false", "data.batch=3"],
    "bf16": ["train.precision=bf16"],
    "tf32": ["train.precision=tf32"],
}  # fmt: skip


@pytest.mark.parametrize("name", CAPTURED)
def test_captured_and_usual_runs_give_the_same_bytes(systems, tmp_path, device, name):
    peer = {"use": "causal_conv", "in": "h", "when": "train"}
    other = {"use": "topk_mil", "in": "peer"}
    config = {**GRAPH, "nodes": {**GRAPH["nodes"], "peer": peer}, "losses": {**GRAPH["losses"], "other": other}}
    (tmp_path / "graph.yaml").write_text(json.dumps(config))
    system = [str(tmp_path / "graph.yaml"), *systems["small"][1:]]
    changes = [*CAPTURED[name], "train.steps=24"]
    train(system, tmp_path / "usual", device, "train.capture=off", *changes)
    # On the CPU, where these tests can be tried, nothing is captured.
    train(system, tmp_path / "captured", device, *captured(device), *changes)
    assert weights(tmp_path / "usual") == weights(tmp_path / "captured")
    usual, other = (read_log(tmp_path / run / "log.jsonl") for run in ("usual", "captured"))
    assert [r["losses"] for r in usual if r["kind"] == "train"] == [r["losses"] for r in other if r["kind"] == "train"]


@pytest.mark.parametrize("name", [name for name in SYSTEMS if name != "small"])
def test_captured_and_usual_runs_of_published_graphs_give_the_same_bytes(systems, tmp_path, device, name):
    train(systems[name], tmp_path / "usual", device, "train.capture=off")
    train(systems[name], tmp_path / "captured", device, *captured(device))
    assert weights(tmp_path / "usual") == weights(tmp_path / "captured")


def captured(device):
    return ["train.capture=on"] if device.startswith("cuda") else []


@pytest.mark.parametrize(("first", "second"), [("on", "on"), ("on", "off"), ("off", "on")])
def test_a_run_resumes_captured_or_not(systems, tmp_path, device, first, second):
    def capture(wanted):
        return [f"train.capture={wanted}"] if device.startswith("cuda") else []

    changes = [change for change in EVERYTHING if "schedule" not in change]  # a curve goes by the steps in all
    train(systems["small"], tmp_path / "whole", device, *capture(first), *changes)
    train(systems["small"], tmp_path / "cut", device, *capture(first), *changes, "train.steps=7")
    train(systems["small"], tmp_path / "cut", device, *capture(second), *changes, more=["--resume"])
    assert weights(tmp_path / "whole") == weights(tmp_path / "cut")


@pytest.mark.parametrize("name", GRAPHS)
def test_the_update_of_every_graph_is_captured(device, name):
    """A few updates of a published graph with its own ``train`` section: recorded, and equal weights."""
    place, found = choose_device(device), []
    for capture in ("off", "on" if place.type == "cuda" else "off"):
        plugins = load_plugins()
        sets = ["train.epochs=null", "train.steps=5", "train.warm_start=null", f"train.capture={capture}"]
        with random_state.isolated():
            torch.manual_seed(0)
            model = compile_config(load_config(name, sets, plugins.config_folders), plugins)
        Session(model, Same(model), {**model.spec["train"], "select": "last"}, place).run()
        found.append({key: value.cpu() for key, value in model.state_dict().items()})
    assert all(torch.equal(found[0][key], found[1][key]) for key in found[0])


class Same:
    """The same drawn batch at every step, on the CPU."""

    def __init__(self, model):
        self.drawn = random_batch(model, Load(bags=4, snippets=32), torch.device("cpu"))

    def __len__(self):
        return 5

    def batch(self, step):
        return self.drawn


def test_a_node_that_waits_is_named_and_training_continues(device):
    class Waits(torch.nn.Linear):
        def forward(self, x):
            return super().forward(x) * (1 if float(x.mean()) > -100 else -1)

    class Notes(Progress):
        seen: ClassVar[list[str]] = []

        def note(self, text):
            self.seen.append(text)

    model = StubModel()
    model.context = Waits(6, 8)
    Session(model, StubBatches(), section(), choose_device(device), log=Log(progress=Notes())).run()
    if device.startswith("cuda"):
        assert Notes.seen == [
            "train.capture: node 'context' waits for the host (aten._local_scalar_dense); training continues without it"
        ]


@pytest.mark.parametrize("tf32", [False, True])
def test_the_switches_of_float32_do_what_they_say(device, tf32):
    """1 + 2**-12 is a float32 but no TF32 number: TF32 rounds it to 1."""
    from vadkit.devices import float32

    place = choose_device(device)
    x = torch.full((64, 64), 1 + 2.0**-12, device=place)
    with float32(tf32=tf32):
        product = (x @ torch.eye(64, device=place)).cpu()
        convolved = torch.nn.functional.conv1d(x[None], torch.eye(64, device=place)[:, :, None]).cpu()
    rounds = tf32 and place.type == "cuda" and torch.cuda.get_device_capability(place)[0] >= 8
    expected = torch.full((64, 64), 1.0 if rounds else 1 + 2.0**-12)
    assert torch.equal(product, expected)
    if not rounds:  # with TF32 allowed, cuDNN may still choose a kernel without it
        assert torch.equal(convolved[0], expected)


@pytest.mark.parametrize("name", GRAPHS)
def test_no_graph_has_an_operation_that_cannot_be_deterministic(device, name):
    """Two steps of every published graph under the strictest setting: no refusal, and equal gradients."""
    place = choose_device(device)
    with random_state.isolated():
        torch.manual_seed(0)
        plugins = load_plugins()
        model = compile_config(load_config(name, (), plugins.config_folders), plugins).to(place).train()
        batch = random_batch(model, Load(bags=4, snippets=32), place)
        state, found = {key: value.clone() for key, value in model.state_dict().items()}, []
        for _ in range(2):
            model.load_state_dict(state)
            torch.manual_seed(1)
            model.zero_grad()
            with numerics.settings({"precision": "fp32", "deterministic": True}, place):
                model.loss(batch)["total"].backward()
            found.append({n: p.grad.cpu() for n, p in model.named_parameters() if p.grad is not None})
    assert found[0].keys() == found[1].keys() and found[0]
    assert all(torch.equal(found[0][key], found[1][key]) for key in found[0])


def test_every_graph_was_found():
    assert len(GRAPHS) == 45
