"""Training that changes with time: each mechanism killed with -9 in an epoch, resumed, and equal to the last byte."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from engine_stub import GRAPH

import vadkit
import vadkit.plugin_manager as plugin_manager
from vadkit.engine.run_log import read_log
from vadkit.engine.train import train
from vadkit.graph.model_file import read_weights

TOYS = Path(__file__).parent.parent / "support" / "toys"
RAMP = {"use": "topk_mil", "in": "score", "weight": {"from": 0.0, "to": 1.5, "epochs": 3}}
BLEND = {"into": "score", "from": "peer_score"}
# Changes of the small system for each: a second loss, and sections of train and data.
MECHANISMS: dict[str, dict[str, Any]] = {
    "ramped_weight": {"loss": RAMP},
    "blend_per_step": {"train": {"blend": [{**BLEND, "keep": 0.9}], "ema": 0.8}},
    "blend_per_epoch": {"train": {"blend": [{**BLEND, "keep": [0.5, 1.0], "per": "epoch"}]}},
    "adagrad": {
        "train": {
            "optimizer": {"use": "adagrad", "lr": 0.003, "weight_decay": 0.01, "decay_biases": False},
            "schedule": {"use": "step", "args": {"milestones": [1]}, "unit": "epoch"},
        },
        "data": {"order": "listed"},
    },
    "loss_with_a_buffer": {"loss": {"use": "toy_memory", "in": "score"}},
}
STEPS, KILLED_AT = 8, 6  # four epochs of two steps; the newest checkpoint is of step 5, inside an epoch

# One process starts a child per mechanism, so that the imports are paid for once.
KILLED = """
import json, os, signal, sys
import torch
from vadkit.engine.progress import Progress
from vadkit.engine.train import train
torch.set_num_threads(1)

class Kill(Progress):
    def step(self, step):
        if step == {at}:
            os.kill(os.getpid(), signal.SIGKILL)

folder, configs = json.loads(sys.argv[1])
for name, config in configs.items():
    child = os.fork()
    if not child:
        train(config, (), folder + "/" + name, device="cpu", progress=Kill(), checkpoint_seconds=0)
        os._exit(3)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL, name
"""


@pytest.fixture
def toys(monkeypatch):
    """Make the toy components known here and in processes that a test starts."""
    monkeypatch.syspath_prepend(str(TOYS))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(TOYS), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("VADKIT_PLUGINS", "vadkit_toy")
    plugin_manager.reload_plugins()
    yield
    plugin_manager.reload_plugins()


@pytest.fixture
def configs(store):
    """Return a config for each mechanism: the small system with a peer of its head."""
    return {name: config(store, **changes) for name, changes in MECHANISMS.items()}


def config(store, loss=None, train=None, data=None):
    graph = copy.deepcopy(GRAPH)
    graph["nodes"]["peer_score"] = {"use": "causal_conv", "in": "h", "when": "train"}
    graph["losses"]["peer"] = {"use": "topk_mil", "in": "peer_score"}
    graph["losses"] |= {"second": loss} if loss else {}
    graph["data"] |= {"args": {"root": str(store)}, **(data or {})}
    graph["train"] |= {"steps": STEPS, **(train or {})}
    return graph


def tensors(folder):
    """Return the bytes of the newest checkpoint's tensors and of the weights in the model file.

    The header of the model file has the seconds that the run took.
    """
    newest = max((folder / "checkpoints").glob("step-*"))
    weights = read_weights(folder / "model.safetensors")
    return (newest / "tensors.safetensors").read_bytes(), {name: x.numpy().tobytes() for name, x in weights.items()}


def test_killed_and_resumed_every_mechanism_gives_the_same_bytes(configs, toys, tmp_path):
    arguments = json.dumps([str(tmp_path / "cut"), configs])
    script = KILLED.replace("{at}", str(KILLED_AT))
    killed = subprocess.run([sys.executable, "-c", script, arguments], capture_output=True, text=True, timeout=300)
    assert killed.returncode == 0, killed.stderr
    ends = set()
    for name, config in configs.items():
        train(config, (), tmp_path / "whole" / name, device="cpu")
        assert not (tmp_path / "cut" / name / "model.safetensors").exists()
        train(config, (), tmp_path / "cut" / name, resume=True, device="cpu")
        whole, cut = (tensors(tmp_path / run / name) for run in ("whole", "cut"))
        assert whole == cut, name
        ends.add(whole[0])
        records = read_log(tmp_path / "cut" / name / "log.jsonl")
        assert [r["step"] for r in records if r["kind"] == "resume"] == [KILLED_AT - 1], name
    assert len(ends) == len(configs)


def test_the_log_says_which_weight_was_in_force(configs, tmp_path):
    result = train(configs["ramped_weight"], ["train.log=[csv]", "train.log_every=1"], tmp_path / "run", device="cpu")
    records = [r for r in result.history if r["kind"] == "train"]
    weights = [r["weights"] for r in records]
    assert weights == [{"second": pytest.approx(w)} for w in (0, 0, 0.5, 0.5, 1.0, 1.0, 1.5, 1.5)]
    for record in records:
        losses = record["losses"]
        total = losses["mil"] + losses["peer"] + record["weights"]["second"] * losses["second"]
        assert losses["total"] == pytest.approx(total, rel=1e-5)
    assert read_log(tmp_path / "run" / "log.jsonl")[1]["weights"] == weights[0]
    assert "weight.second" in (tmp_path / "run" / "logs" / "csv" / "train.csv").read_text().splitlines()[0]
    assert vadkit.load(result.model_path).spec["losses"]["second"]["weight"] == RAMP["weight"]
