"""``vadkit bench speed --mode captured``, on the stand-in for CUDA graphs."""

from __future__ import annotations

import copy

import pytest
import torch
from engine_stub import GRAPH
from graph_stand_in import graphs_on_cpu

import vadkit
from vadkit.bench.speed.work import of_graph
from vadkit.bench.timing import Load, random_batch
from vadkit.problems import VadkitError

CPU = torch.device("cpu")


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_captured_steps_train_like_usual_ones(precision, monkeypatch):
    found = []
    for captured in (False, True):
        model = vadkit.build(copy.deepcopy(GRAPH), seed=0)
        with graphs_on_cpu(monkeypatch) as graphs:
            work = of_graph(model, random_batch(model, Load(4, 12), CPU), precision, "captured")
            with work.ready("train", CPU), torch.random.fork_rng():
                torch.manual_seed(0)
                for _ in range(3):  # the first run trains twice: it warms up
                    work.run("train") if captured else work._once("train")
                if not captured:
                    work._once("train")
            with work.ready("score", CPU):
                work.run("score")
            assert len(graphs.recorded) == 1 + captured
        found.append(model.state_dict())
    assert all(torch.equal(found[0][key], found[1][key]) for key in found[0])


def test_without_a_gpu_it_is_refused():
    model = vadkit.build(copy.deepcopy(GRAPH), seed=0)
    with pytest.raises(VadkitError, match="needs a CUDA device"):
        of_graph(model, random_batch(model, Load(4, 12), CPU), "fp32", "captured")
