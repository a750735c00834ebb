"""Weights taken over by node name: exactly those named, with counts and clear refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from engine_stub import StubModel
from torch import nn

from vadkit import Source
from vadkit.engine.tensor_tree import same
from vadkit.engine.warm_start import entries, start_from, warm_start
from vadkit.problems import VadkitError


def test_exactly_the_named_nodes_are_taken():
    model, other = StubModel(seed=0), StubModel(seed=1)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    loaded = warm_start(model, other.state_dict(), ["context"], "rgb.safetensors")
    assert str(loaded) == "2 tensors (56 values) of 1 nodes"
    assert same(model.context.state_dict(), other.context.state_dict())
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items() if not k.startswith("context"))


def test_without_names_every_common_node_is_taken():
    model, weights = StubModel(seed=0), StubModel(seed=1).state_dict()
    weights["elsewhere.weight"] = torch.ones(3)
    del weights["score.weight"], weights["score.bias"]
    loaded = warm_start(model, weights, None, "x")
    assert loaded.nodes == ("context",) and loaded.tensors == 2


def refused(nodes, weights=None, model=None):
    model = model or StubModel()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    with pytest.raises(VadkitError) as error:
        warm_start(model, weights or StubModel(seed=1).state_dict(), nodes, "rgb.safetensors")
    assert same(before, model.state_dict())
    return str(error.value)


def test_a_node_this_graph_lacks_is_reported_with_the_nearest_name():
    assert "there is no node 'contxt'" in (text := refused(["context", "contxt"])) and "'context'" in text


def test_a_node_the_file_lacks_is_reported_with_what_it_has():
    weights = {k: v for k, v in StubModel().state_dict().items() if not k.startswith("score")}
    text = refused(["context", "score"], weights)
    assert "node 'score' in rgb.safetensors: the file has no weights for it" in text and "context" in text


def test_other_shapes_and_other_components_are_all_told():
    model = StubModel()
    model.context = nn.Linear(6, 9)
    model.score = nn.LayerNorm(8, bias=False)
    text = refused(["context", "score"], model=model)
    assert "'weight' is (8, 6) in the file, (9, 6) here" in text
    assert "'bias' is (8,) in the file, (9,) here" in text
    assert "node 'score' in rgb.safetensors: this graph lacks 'bias'" in text


def test_a_node_without_weights_alone_is_nothing():
    assert "has nothing for the nodes dropout" in refused(["dropout"])


# -- the rows of a source --------------------------------------------------------------------------
class Bank(Source):
    def __init__(self) -> None:
        super().__init__()
        self.rows, self.dim = 3, 4
        self.register_buffer("weight", torch.zeros(3, 4))


def with_bank() -> StubModel:
    model = StubModel()
    model.bank = Bank()
    return model


@pytest.mark.parametrize("dtype", ("float16", "float32", "float64"))
def test_an_array_fills_a_source(tmp_path: Path, dtype: str):
    rows = np.arange(12, dtype=dtype).reshape(3, 4)
    np.save(tmp_path / "rows.npy", rows)
    model = with_bank()
    assert str(start_from(model, str(tmp_path / "rows.npy"), ["bank"])) == "1 tensors (12 values) of 1 nodes"
    assert torch.equal(model.bank.weight, torch.from_numpy(rows.astype("float32")))


ARRAYS = {
    "shape": (np.zeros((4, 3)), "rows of float64 (4, 3) in the file, float32 (3, 4) here"),
    "type": (np.zeros((3, 4), np.int64), "rows of int64 (3, 4) in the file"),
    "nan": (np.full((3, 4), np.nan), "the rows hold NaN, infinity, or a number beyond the largest float32"),
    "large": (np.full((3, 4), 1e300), "beyond the largest float32"),
    "pickle": (np.array([[None] * 4] * 3), "holds pickled Python objects, which are never loaded"),
}


@pytest.mark.parametrize("case", ARRAYS)
def test_an_array_that_does_not_fit_changes_nothing(tmp_path: Path, case: str):
    rows, said = ARRAYS[case]
    np.save(tmp_path / "rows.npy", rows)
    model = with_bank()
    with pytest.raises(VadkitError, match="rows.npy") as error:
        start_from(model, str(tmp_path / "rows.npy"), ["bank"])
    assert said in str(error.value) and not model.bank.weight.any()


def test_an_array_needs_the_name_of_a_source(tmp_path: Path):
    np.save(tmp_path / "rows.npy", np.zeros((3, 4)))
    for nodes, said in (
        (None, "no node is named\n  hint: add nodes: [bank]"),
        (["context"], "node 'context' takes no rows from a .npy file\n  hint: such a node: bank"),
        (["bnk"], "there is no node 'bnk'\n  hint: did you mean 'bank'?"),
    ):
        with pytest.raises(VadkitError) as error:
            start_from(with_bank(), str(tmp_path / "rows.npy"), nodes)
        assert said in str(error.value)


def test_one_file_or_a_list():
    one = {"file": "a", "nodes": None}
    assert (entries(None), entries(one), entries([one, one])) == ([], [one], [one, one])
