"""The parts of a system's table that no case of the present systems needs."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cases import Case, load_case
from systems import graphs
from systems.table import System
from systems.ur_dmu import UR_DMU

CASES = Path(__file__).parent / "cases"
SMALL = {
    "input_size": 8,
    "a_nums": 3,
    "n_nums": 3,
    "transformer": {"dim": 6, "depth": 1, "heads": 2, "dim_head": 3, "mlp_dim": 6},
}


@pytest.fixture(scope="module")
def case() -> Case:
    """A case without weights: the graph keeps those that it draws."""
    whole = load_case(CASES / "ur-dmu-eval.json")
    return dataclasses.replace(whole, config=SMALL, state={}, given={})


@pytest.fixture
def built(case: Case, monkeypatch: pytest.MonkeyPatch) -> graphs.Graph:
    monkeypatch.setattr(graphs, "load", lambda *args: None)
    return UR_DMU.build(case)


def table(**changes: Any) -> System:
    return dataclasses.replace(UR_DMU, draws={}, **changes)


def test_rows_of_normal_and_abnormal_inputs_follow_the_table_and_say_their_labels(built: graphs.Graph) -> None:
    inputs = {name: np.full((n, 4, 8), value, np.float32) for name, n, value in (("normal", 1, 0), ("abnormal", 2, 1))}
    run = table(inputs={"abnormal": "rgb", "normal": "rgb"}).prepare(built, inputs, training=True)
    assert run.labels.tolist() == [1, 1, 0]
    assert run.batch["rgb"][:, 0, 0].tolist() == [1, 1, 0]


def test_without_labels_the_second_half_is_abnormal_and_crops_are_rows(built: graphs.Graph) -> None:
    run = table().prepare(built, {"features": np.zeros((4, 3, 5, 8), np.float32)}, training=True)
    assert run.labels.tolist() == [0, 0, 1, 1]
    assert run.batch["rgb"].shape == (12, 5, 8)
    assert run.crops == 3


def test_lengths_become_a_mask_of_every_crop(built: graphs.Graph) -> None:
    g = dataclasses.replace(built, case=dataclasses.replace(built.case, given={"lengths": [3, 1], "labels": [0, 1]}))
    run = table().prepare(g, {"features": np.zeros((2, 2, 3, 8), np.float32)}, training=True)
    assert run.batch["mask"].tolist() == [[True] * 3] * 2 + [[True, False, False]] * 2


def test_joined_streams_are_cut_by_the_sizes_of_the_graph(built: graphs.Graph) -> None:
    built.model.input_sizes = {"rgb": 6, "audio": 2}
    run = table(inputs={"features": ["rgb", "audio"]}).prepare(
        built, {"features": np.arange(16, dtype=np.float32).reshape(1, 2, 8)}, training=False
    )
    assert run.batch["audio"].tolist() == [[[6, 7], [14, 15]]]


@pytest.mark.parametrize("name", ["step3", "step3.features", "step3_features", "features3"])
def test_inputs_of_a_step_are_found_however_they_are_called(case: Case, name: str) -> None:
    inputs = {name: np.zeros(1), "noise3": np.ones(1), "noise13": np.zeros(2), "rows": np.ones(3), "probe": np.ones(4)}
    found = UR_DMU._part(dataclasses.replace(case, inputs=inputs), "step3")
    assert {key: len(x) for key, x in found.items()} == {"features": 1, "noise": 1, "rows": 3}


def test_a_setting_may_be_converted_and_have_several_places() -> None:
    args = {"n": (["a.x", "losses.l.k"], lambda n: n + 1), "w": "losses.l weight", "sizes.1": "inputs.rgb"}
    settings = table(args=args)._settings({"n": 1, "w": 2, "sizes": [4, 5]})
    assert settings == {
        "nodes": {"a": {"args": {"x": 2}}},
        "losses": {"l": {"args": {"k": 2}, "weight": 2.0}},
        "inputs": {"rgb": "b t 5"},
    }


def test_a_schedule_that_is_stepped_before_the_epoch_is_one_step_further() -> None:
    settings = {"name": "MultiStepLR", "milestones": [2], "gamma": 0.1}
    after, before = (graphs._schedule({**settings, "stepped": when}) for when in ("after it", "BEFORE every epoch"))
    assert [after(step) for step in range(3)] == [1, 1, 0.1]
    assert [before(step) for step in range(3)] == [1, 0.1, 0.1]


def test_weights_that_are_never_used_are_taken_from_the_case(built: graphs.Graph) -> None:
    state = {"idle": np.full(4, 2.0), "embedding.conv_1.0.bias": np.zeros(6)}
    g = graphs.Graph(dataclasses.replace(built.case, state=state), built.model, {"conv": "score.2.bias"})
    g.ours = {"embedding.conv_1.0.bias": next(name for name, _ in built.model.named_parameters())}
    own = float(next(iter(g.weights.values())).detach().norm().double())
    assert graphs.norms(g, ["idle", *g.ours]) == pytest.approx([4.0, own])
    assert torch.tensor(graphs._change(g.weights, g.weights, "idle")) == 0
