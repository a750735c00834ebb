"""An input whose rows the graph unfolds: ``b t 4 6`` is 24 numbers a snippet in stores, batches and calls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_store import write_tiny_store

import vadkit
from vadkit.bench.timing import Load, random_batch
from vadkit.graph.cost import costs
from vadkit.problems import VadkitError

GRAPH: dict[str, Any] = {
    "inputs": {"rgb": "b t 4 4", "clip": "b t 8"},
    "nodes": {
        "pool": {"use": "toy_patch_mean", "in": "rgb"},
        "both": {"use": "concat", "in": ["pool", "clip"]},
        "score": {"use": "mlp_head", "in": "both"},
    },
    "losses": {"mil": {"use": "topk_mil", "in": "score"}},
    "output": "score",
}


@pytest.fixture
def model(toys: None) -> vadkit.VadModel:
    torch.manual_seed(0)
    return vadkit.build(GRAPH).eval()


def by_hand(model: vadkit.VadModel, rgb: torch.Tensor, clip: torch.Tensor) -> torch.Tensor:
    pooled = rgb.reshape(*rgb.shape[:2], 4, 4).mean(2)
    return torch.sigmoid(model.score(torch.cat([pooled, clip], -1)))


def test_rows_are_given_flat_or_unfolded(model: vadkit.VadModel) -> None:
    rgb, clip = torch.rand(2, 7, 16), torch.rand(2, 7, 8)
    assert model.input_sizes == {"rgb": 16, "clip": 8}
    assert model.spec["inputs"]["rgb"] == "b t 4 4"
    wanted = by_hand(model, rgb, clip)
    torch.testing.assert_close(model(rgb, clip), wanted)
    torch.testing.assert_close(model(rgb=rgb.reshape(2, 7, 4, 4).numpy(), clip=clip.numpy()), wanted)
    batch = {"rgb": rgb, "clip": clip, "labels": torch.tensor([0.0, 1.0])}
    unfolded = {**batch, "rgb": rgb.reshape(2, 7, 4, 4)}
    assert model.loss(batch)["total"] == model.loss(unfolded)["total"]
    torch.testing.assert_close(vadkit.score(model, {"rgb": rgb[0], "clip": clip[0]}), wanted[0].detach().numpy())


def test_what_does_not_fit(model: vadkit.VadModel) -> None:
    clip = torch.rand(2, 7, 8)
    with pytest.raises(VadkitError, match="stream 'rgb' is 16 wide, this array is 12"):
        model(torch.rand(2, 7, 12), clip)
    with pytest.raises(VadkitError, match=r"stream 'rgb' has shape \(2, 7, 2, 8\); the model takes bags, \(b, t, 16\)"):
        model(torch.rand(2, 7, 2, 8), clip)
    with pytest.raises(VadkitError, match=r"stream 'clip' has shape \(2, 7, 2, 4\); the model takes bags, \(b, t, 8\)"):
        model(torch.rand(2, 7, 16), clip.reshape(2, 7, 2, 4))


def test_cost_benchmark_and_export(model: vadkit.VadModel) -> None:
    found = costs(model, 5)
    assert found["score"].flops is not None
    batch = random_batch(model, Load(bags=2, snippets=5), torch.device("cpu"))
    assert (batch["rgb"].shape, batch["clip"].shape) == ((2, 5, 16), (2, 5, 8))
    assert torch.isfinite(model.loss(batch)["total"])
    free = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    given = torch.rand(2, 9, 16), torch.rand(2, 9, 8)
    exported = torch.export.export(model.inference, given, dynamic_shapes=(free,) * 2)
    rgb, clip = torch.rand(3, 5, 16), torch.rand(3, 5, 8)
    torch.testing.assert_close(exported.module()(rgb, clip), model(rgb, clip))


def test_it_trains_and_loads(toys: None, tmp_path: Path) -> None:
    root = write_tiny_store(tmp_path / "store")
    sets = [f"data.args.root={root}", "data.batch=2", "data.workers=0", "train.steps=2"]
    result = vadkit.train(GRAPH, set=sets, out=tmp_path / "run")
    rgb, clip = (np.load(next((root / name).glob("*.npy"))) for name in ("rgb", "clip"))
    given = {"rgb": rgb, "clip": clip}
    assert np.array_equal(vadkit.score(result.model_path, given), vadkit.score(result.model, given))
