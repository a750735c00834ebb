"""Two processes under torchrun (gloo) train as one process does on the same global batch."""

from __future__ import annotations

import copy
import json
import os
import socket
import subprocess
import sys

import pytest
import torch
import yaml
from engine_stub import GRAPH

from vadkit.engine import distributed
from vadkit.engine.run_log import read_log
from vadkit.engine.train import train
from vadkit.graph.model_file import read_weights

# No dropout and nothing that mixes bags: what the equality is promised for. Not Adam, which makes a full
# step of the rounding in a gradient that is truly zero (that of the keys' bias).
PLAIN = (
    "nodes.cnn.args.dropout=0",
    "nodes.h.use=identity",
    "train.accumulate=2",
    "train.ema=0.9",
    "train.optimizer.use=sgd",
    "train.optimizer.lr=0.05",
    "train.select=val",
    "train.evaluate_every=3",
)

SCRIPT = """
import sys
from vadkit.cli import main
from vadkit.engine import distributed
from vadkit.engine.train import train
from vadkit.problems import VadkitError

config, out, *sets = sys.argv[1:]
arguments = [part for change in sets for part in ("--set", change)]
arguments = ["train", config, "--device", "cpu", "--out", out, *arguments]
assert main([*arguments, "--set", "train.steps=4"]) == 0
assert main([*arguments, "--set", "train.steps=6", "--resume"]) == 0
try:
    train(config, sets, out, device="cpu")
except VadkitError as error:
    with open(f"{out}/rank{distributed.launched_rank()}.txt", "w") as file:
        file.write(str(error))
"""


def torchrun(script, *arguments):
    """Run a script in two processes; return the finished process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", str(port)]
    return subprocess.run(
        [*command, str(script), *arguments],
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


@pytest.fixture(scope="module")
def runs(store, tmp_path_factory):
    """Train with one process, and with two that stop on the way; return (folder, what torchrun left)."""
    folder = tmp_path_factory.mktemp("runs")
    graph = copy.deepcopy(GRAPH)
    graph["data"]["args"] = {"root": str(store)}
    graph["nodes"]["peer"] = {"use": "causal_conv", "in": "h", "when": "train"}  # without a gradient in the first epoch
    weight = {"from": 0.0, "to": 1.0, "epochs": 1}
    graph["losses"]["peer"] = {"use": "topk_mil", "in": "peer", "weight": weight}
    graph["train"]["blend"] = [{"into": "score", "from": "peer", "keep": 0.8, "per": "epoch"}]
    (folder / "small.yaml").write_text(yaml.safe_dump(graph, sort_keys=False))
    (folder / "script.py").write_text(SCRIPT)
    train(graph, [*PLAIN, "train.steps=6"], folder / "one", device="cpu")
    done = torchrun(folder / "script.py", str(folder / "small.yaml"), str(folder / "two"), *PLAIN)
    assert done.returncode == 0, done.stderr
    return folder, done


def test_two_processes_give_the_losses_of_one(runs):
    folder, _ = runs
    losses = [
        [(r["step"], r["losses"]) for r in read_log(folder / run / "log.jsonl") if r["kind"] == "train"]
        for run in ("one", "two")
    ]
    assert [step for step, _ in losses[0]] == [step for step, _ in losses[1]] == list(range(1, 7))
    for (_, mine), (_, theirs) in zip(*losses):
        assert mine == pytest.approx(theirs, rel=1e-5)


def test_two_processes_give_the_weights_and_figures_of_one(runs):
    folder, _ = runs
    weights = read_weights(folder / "two" / "model.safetensors")
    for name, tensor in read_weights(folder / "one" / "model.safetensors").items():
        torch.testing.assert_close(weights[name], tensor, atol=1e-6, rtol=1e-4)
    one, two = (json.loads((folder / run / "result.json").read_text()) for run in ("one", "two"))
    assert (one["processes"], two["processes"]) == (1, 2) and one["chosen_step"] == two["chosen_step"]
    assert two["figures"]["ap"] == pytest.approx(one["figures"]["ap"], abs=1e-3)


def test_process_0_speaks_for_all(runs):
    _, done = runs
    assert done.stdout.count("wrote ") == 2  # two runs
    assert done.stderr.count("resuming after step 4 of 6") == 1 and "Traceback" not in done.stderr


def test_a_refusal_of_process_0_stops_all(runs):
    folder, _ = runs
    assert "already holds a run" in (folder / "two" / "rank0.txt").read_text()
    assert (folder / "two" / "rank1.txt").read_text() == "process 0 stopped; its message says why"


# -- without other processes -----------------------------------------------------------------------
def test_alone_everything_is_a_plain_call():
    assert not distributed.active() and distributed.world_size() == 1 and distributed.rank() == 0
    assert distributed.first(lambda: 3) == 3 and distributed.gather("x") == ["x"]
    assert distributed.any_process(True, torch.device("cpu")) is True
    assert distributed.average(torch.tensor([2.0]), torch.device("cpu")).tolist() == [2.0]
    model = torch.nn.Linear(1, 1)
    assert distributed.wrap(model, torch.device("cpu")) is model


@pytest.mark.parametrize(
    ("env", "launched"),
    [({}, False), ({"WORLD_SIZE": "1", "RANK": "0"}, False), ({"WORLD_SIZE": "2", "RANK": "1"}, True)],
)
def test_torchrun_is_recognised(monkeypatch, env, launched):
    for name in ("WORLD_SIZE", "RANK"):
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert distributed.launched() is launched
