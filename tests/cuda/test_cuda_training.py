"""``vadkit train`` on a GPU: it trains, equal seeds give equal bytes, also after kill -9 and --resume."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest
import torch
from cuda_systems import SYSTEMS

from vadkit.bench.timing import Load, random_batch
from vadkit.cli import main
from vadkit.devices import choose_device
from vadkit.engine import checkpoints, numerics, random_state
from vadkit.engine.run_log import read_log
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
    path.stem for folder in load_plugins().config_folders for path in folder.glob("graphs/*.yaml")
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
    assert len(GRAPHS) == 12
