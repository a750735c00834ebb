"""Scoring one video: pieces with their mask, crops, dropout on; and that all ways to a score take the same one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_store import LONGER_RGB, write_tiny_store
from torch import Tensor, nn
from vadkit_feature_store import FeatureStore
from vadkit_segment_mean import SegmentMean
from vadkit_uniform_pad import UniformPad

import vadkit
from vadkit import Sampler
from vadkit.cli import main
from vadkit.evaluate.score import evaluate
from vadkit.evaluate.score_video import score_video
from vadkit.problems import VadkitError

GRAPH: dict[str, Any] = {
    "inputs": {"rgb": "b t 16", "clip": "b t 8"},
    "nodes": {
        "both": {"use": "concat", "in": ["rgb", "clip"]},
        "context": {"use": "tca", "in": "both", "args": {"hidden": 8, "use_mask": True}},
        "reduce": {"use": "dense", "in": "context", "args": {"dim": 8, "dropout": 0.4}},
        "score": {"use": "mlp_head", "in": "reduce"},
    },
    "losses": {"mil": {"use": "topk_mil", "in": "score"}},
    "output": "score",
}


class Firsts(nn.Module):
    """Gives each snippet the first number of its first stream, and keeps the masks that it is called with."""

    def __init__(self) -> None:
        super().__init__()
        self.masks: list[list[list[bool]]] = []

    def forward(self, *streams: Tensor, crops: int, mask: Tensor | None = None) -> Tensor:
        assert crops == len(streams[0])
        if mask is not None:
            self.masks.append(mask.tolist())
        return streams[0][..., 0]


def built(**eval_section: Any) -> vadkit.VadModel:
    torch.manual_seed(0)
    return vadkit.build({**GRAPH, "eval": eval_section}).eval()


def streams(t: int, crops: int = 1) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(t)
    return {name: torch.randn(crops, t, dim, generator=generator) for name, dim in (("rgb", 16), ("clip", 8))}


def test_chunks_are_scored_with_their_mask() -> None:
    model, given = Firsts(), streams(7, crops=2)
    scores = score_video(model, given, sampler=UniformPad(length=3))
    np.testing.assert_allclose(scores, given["rgb"][..., 0].mean(0), rtol=1e-6)
    assert model.masks == [[[True] * 3] * 2, [[True] * 3] * 2, [[True, False, False]] * 2]


@pytest.mark.parametrize("t", [1, 4, 5, 12, 13])
def test_padding_of_a_piece_changes_nothing_where_the_mask_is_used(t: int) -> None:
    model, given = built(), streams(t)
    alone = [model(**{name: x[:, i : i + 5] for name, x in given.items()})[0] for i in range(0, t, 5)]
    scores = score_video(model, given, sampler=UniformPad(length=5))
    np.testing.assert_allclose(scores, torch.cat(alone).detach(), atol=1e-6)


def test_segments_are_spread_over_their_rows() -> None:
    given = {"rgb": torch.arange(10.0)[None, :, None]}
    scores = score_video(Firsts(), given, sampler=SegmentMean(length=3))
    assert scores.tolist() == [1, 1, 1, 4, 4, 4, 7.5, 7.5, 7.5, 7.5]


@pytest.mark.parametrize(("crops", "number"), [("first", 0), (0, 0), (2, 2)])
def test_one_crop_is_scored(crops: Any, number: int) -> None:
    given = streams(6, crops=3)
    assert np.array_equal(score_video(Firsts(), given, crops=crops), given["rgb"][number, :, 0])
    assert np.array_equal(score_video(Firsts(), streams(6), crops=crops), streams(6)["rgb"][0, :, 0])


def test_a_crop_that_does_not_exist() -> None:
    with pytest.raises(VadkitError, match="eval.crops is 3, but the features have 3 crops, counted from 0"):
        score_video(Firsts(), streams(6, crops=3), crops=3)


def test_passes_have_dropout_on_and_nothing_else() -> None:
    model, given = built(), streams(9)
    model.context.train()
    modes = {module: module.training for module in model.modules()}
    before = torch.get_rng_state()
    found = score_video(model, given, passes=4, seed=7)
    assert found.shape == (4, 9) and found.dtype == np.float32
    assert len({row.tobytes() for row in found}) == 4
    assert np.array_equal(found[:2], score_video(model, given, passes=2, seed=7))
    assert not np.array_equal(found, score_video(model, given, passes=4, seed=8))
    assert torch.equal(torch.get_rng_state(), before)
    assert {module: module.training for module in model.modules()} == modes
    assert np.array_equal(score_video(model, given, passes=1), score_video(model, given)[None])


def test_passes_of_a_model_with_batch_statistics_leave_them_alone() -> None:
    model = nn.Sequential(nn.BatchNorm1d(16), nn.Dropout(0.5))

    class Wrapped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = model

        def forward(self, x: Tensor, crops: int) -> Tensor:
            return self.layers(x.transpose(1, 2)).mean(1)

    score_video(Wrapped().train(), {"rgb": streams(9)["rgb"]}, passes=3)
    assert model[0].num_batches_tracked == 0


def test_passes_of_a_model_without_dropout() -> None:
    with pytest.raises(VadkitError, match="the model has no dropout"):
        score_video(Firsts(), streams(3), passes=2)


class Faulty(Sampler):
    name = "faulty"

    def __init__(self, pieces: Any = None, spread: Any = None) -> None:
        self.pieces, self.scores = pieces, spread

    def cut(self, streams: dict[str, np.ndarray]) -> list[tuple[dict[str, np.ndarray], int]]:
        return super().cut(streams) if self.pieces is None else self.pieces

    def spread(self, scores: list[np.ndarray], t: int) -> np.ndarray:
        return np.zeros(self.scores)


def test_a_sampler_that_does_not_keep_its_word() -> None:
    with pytest.raises(VadkitError, match="sampler 'faulty' cut a video of 6 snippets into no piece at all"):
        score_video(Firsts(), streams(6), sampler=Faulty([]))
    with pytest.raises(VadkitError, match=r"spread the scores of 6 snippets to .*shape \(5,\)"):
        score_video(Firsts(), streams(6), sampler=Faulty(spread=5))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_store(tmp_path_factory.mktemp("scoring") / "store", crops={"rgb": 3})


SECTION = {"sampler": {"use": "segment_mean", "args": {"length": 4, "edges": "round"}}, "crops": 1}


def test_evaluation_and_vadkit_score_give_the_same(store: Path, tmp_path: Path) -> None:
    model, dataset = built(**SECTION), FeatureStore(root=str(store))
    found = evaluate(model, dataset, sampler=SegmentMean(length=4, edges="round"), crops=1)
    assert found.protocol["sampler"] == {"use": "segment_mean", "args": {"length": 4, "edges": "round"}}
    assert found.protocol["crops"] == "crop 1 only, counted from 0"
    for video in dataset.videos("test"):
        given = {name: dataset.read(video, name) for name in model.input_sizes}
        assert np.array_equal(vadkit.score(model, given), found.scores[video.name])
        second = {name: x[1 % len(x)] for name, x in given.items()}
        assert np.array_equal(vadkit.score(model, second), found.scores[video.name])


def test_the_command_states_the_protocol(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sets = [f"data.args.root={store}", "data.batch=2", "data.workers=0", "train.steps=2", "data.align=shortest"]
    result = vadkit.train({**GRAPH, "eval": SECTION}, set=sets, out=tmp_path / "run")
    model = str(result.model_path)
    assert main(["eval", "--model", model, "--out", str(tmp_path / "out")]) == 0
    shown = capsys.readouterr().out
    assert "scored in: pieces of segment_mean {'length': 4, 'edges': 'round'}" in shown
    assert "crops: crop 1 only, counted from 0" in shown
    assert "alignment: streams cut to the snippets of the shortest one" in shown
    protocol = json.loads((tmp_path / "out" / "results.json").read_text())["protocol"]
    assert protocol["sampler"]["use"] == "segment_mean"
    assert "pieces of segment_mean" in (tmp_path / "out" / "index.html").read_text()
    assert main(["eval", "--model", model, "--set", "eval.sampler=null", "--set", "data.align=first"]) == 0
    shown = capsys.readouterr().out
    assert "scored in: whole videos" in shown and "zero-padded" in shown


def test_a_missing_crop_is_a_warning_where_there_is_only_one(store: Path) -> None:
    found = evaluate(Firsts(), FeatureStore(root=str(store)), streams=["clip"], crops=5)
    assert "eval.crops is 5, but 8 videos had one crop only, which was scored instead" in found.warnings


def test_streams_cut_to_the_shortest(store: Path) -> None:
    dataset = FeatureStore(root=str(store))
    found = evaluate(built(), dataset, align="shortest")
    assert len(found.scores[LONGER_RGB]) == 9
    assert len(evaluate(built(), dataset).scores[LONGER_RGB]) == 10
    assert found.protocol["alignment"] == "streams cut to the snippets of the shortest one"
