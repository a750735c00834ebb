"""A graph that is fed snippet by snippet gives what it gives of the whole video, or is refused with the cause."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
import torch

import vadkit
from vadkit import Stepper, VadkitError
from vadkit.evaluate.score import build_post, crops_of
from vadkit.evaluate.score_video import score_video
from vadkit.graph.compiler import compile_plan
from vadkit.graph.load import load_config
from vadkit.graph.module import VadModel, without_weights
from vadkit.graph.stepper import obstacles
from vadkit.plugin_manager import configs_in, load_plugins

Scores = list[tuple[int, float]]
CAUSAL: dict[str, Any] = {
    "inputs": {"rgb": "b t 8", "clip": "b t 4"},
    "nodes": {
        "context": {"use": "tca", "in": "rgb", "args": {"hidden": 4, "window": 3, "past": 5}},
        "gate": {"use": "topk_nominator", "in": "clip", "args": {"samples": 9, "past": 4, "gradient": "centred"}},
        "late": {"use": "temporal_conv", "in": "gate", "args": {"dim": 6}},
        "joined": {"use": "concat", "in": ["context", "late"]},
        "attention": {"use": "gl_mhsa", "in": "joined", "args": {"depth": 2, "heads": 2, "head_dim": 3, "past": 6}},
        "score": {"use": "causal_conv", "in": "attention"},
    },
    "losses": {"mil": {"use": "topk_mil", "in": "score"}},
    "output": "score",
    "eval": {"post": [{"use": "score_smoothing", "args": {"kappa": 3}}]},
}


@pytest.fixture(scope="module")
def model() -> VadModel:
    return vadkit.build(CAUSAL, seed=0).eval()


def changed(**sections: Any) -> dict[str, Any]:
    return {**CAUSAL, **sections}


def streams_of(model: VadModel, t: int, crops: int = 1, seed: int = 0) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    return {
        name: generator.normal(size=(crops, t, size)).astype(np.float32) for name, size in model.input_sizes.items()
    }


def whole_video(model: VadModel, streams: dict[str, np.ndarray], smooth: bool = True) -> np.ndarray:
    section = model.spec["eval"]
    scores = score_video(model, {n: torch.from_numpy(x) for n, x in streams.items()}, crops=crops_of(section))
    for step in build_post(section) if smooth else []:
        scores = step(scores)
    return scores


def fed(stepper: Stepper, streams: dict[str, np.ndarray], seed: int) -> Scores:
    """Return what a stepper gives that is fed pieces of random length."""
    generator, t = np.random.default_rng(seed), next(iter(streams.values())).shape[1]
    found: Scores = []
    start = 0
    while start < t:
        stop = start + int(generator.integers(1, 5))
        piece = {name: x[:, start:stop] for name, x in streams.items()}
        found += stepper.chunk(piece) if stop - start > 1 else stepper.step({n: x[:, 0] for n, x in piece.items()})
        start = stop
    return found + stepper.finish()


def assert_same(found: Scores, wanted: np.ndarray) -> None:
    assert [index for index, _ in found] == list(range(len(wanted)))
    assert np.abs(np.array([score for _, score in found]) - wanted).max() < 1e-5


# -- exact scores --------------------------------------------------------------------------------
@pytest.mark.parametrize("crops", [1, 3])
@pytest.mark.parametrize("smooth", [True, False])
@pytest.mark.parametrize("t", [1, 2, 40])
def test_scores_are_those_of_the_whole_video(model: VadModel, crops: int, smooth: bool, t: int) -> None:
    streams = streams_of(model, t, crops)
    stepper = vadkit.stream(model, smooth=smooth)
    assert_same(fed(stepper, streams, seed=t), whole_video(model, streams, smooth))


def test_a_score_waits_for_its_lookahead_and_no_longer(model: VadModel) -> None:
    stepper, streams = vadkit.stream(model), streams_of(model, 9)
    assert model.lookahead == 1 and stepper.lookahead == 1 + 2  # the convolution, and the smoothing over 3
    found = [stepper.step({name: x[0, i] for name, x in streams.items()}) for i in range(9)]
    assert [[index for index, _ in pairs] for pairs in found] == [[], [], [], *([i] for i in range(6))]
    assert [index for index, _ in stepper.finish()] == [6, 7, 8]
    assert stepper.finish() == []
    with pytest.raises(VadkitError, match="the stream is finished"):
        stepper.step({name: x[0, 0] for name, x in streams.items()})


def test_streams_are_apart(model: VadModel) -> None:
    given = [streams_of(model, 12, seed=seed) for seed in (0, 1)]
    steppers = [vadkit.stream(model), vadkit.stream(model)]
    found: list[Scores] = [[], []]
    for i in range(12):
        for stepper, streams, scores in zip(steppers, given, found):
            scores += stepper.step({name: x[0, i] for name, x in streams.items()})
    for stepper, streams, scores in zip(steppers, given, found):
        assert_same(scores + stepper.finish(), whole_video(model, streams))


@pytest.mark.parametrize("crops", ["first", 2])
def test_one_crop_is_scored_if_the_config_says_so(crops: Any) -> None:
    model = vadkit.build(changed(eval={"crops": crops}), seed=0).eval()
    streams = streams_of(model, 12, crops=3)
    assert_same(fed(vadkit.stream(model), streams, seed=0), whole_video(model, streams))


def test_the_state_does_not_grow(model: VadModel) -> None:
    stepper, streams = vadkit.stream(model), streams_of(model, 20)
    sizes = []
    for _ in range(150):
        stepper.chunk(streams)
        sizes.append(stepper.state_bytes)
    assert len(set(sizes[1:])) == 1 and 0 < sizes[-1] < 40_000


def test_a_training_model_is_put_into_evaluation_mode(model: VadModel) -> None:
    stepper = vadkit.stream(model)
    model.train()
    streams = streams_of(model, 5)
    assert_same(fed(stepper, streams, 0), whole_video(model, streams))
    assert not model.training


def test_weights_are_as_they_are_when_a_snippet_comes(model: VadModel) -> None:
    assert not any(p.grad_fn for p in model.parameters())
    stepper = vadkit.stream(model)
    stepper.chunk(streams_of(model, 9))
    assert not any(x.requires_grad for x in stepper._engine.held)


# -- what cannot be streamed ---------------------------------------------------------------------
def test_a_node_that_looks_at_the_whole_video_is_named_with_the_way_out() -> None:
    model = vadkit.build("demo_rgb")
    with pytest.raises(VadkitError) as error:
        vadkit.stream(model)
    said = str(error.value)
    for node in ("'context' (tca)", "'nominator' (topk_nominator)", "'attention' (gl_mhsa)"):
        assert f"node {node} looks at the whole video" in said
    assert "'cnn'" not in said and "window=N" in said


def test_pieces_of_a_video_are_no_stream() -> None:
    graph = changed(eval={"sampler": {"use": "segment_mean", "args": {"segments": 4}}})
    model = vadkit.build(graph)
    with pytest.raises(VadkitError, match=r"eval.sampler \(segment_mean\) cuts the whole video into pieces"):
        vadkit.stream(model)
    assert vadkit.stream(model, 5).left_out == ("eval.sampler segment_mean: each window is scored as it is",)


def test_a_postprocess_of_the_whole_video_is_left_out_and_named() -> None:
    model = vadkit.build(changed(eval={"post": [{"use": "part_mean"}]}), seed=0)
    stepper = vadkit.stream(model)
    assert stepper.left_out == ("eval.post part_mean looks at the whole video",) and stepper.lookahead == 1
    streams = streams_of(model, 9)
    assert_same(fed(stepper, streams, 0), whole_video(model, streams, smooth=False))


@pytest.mark.parametrize("window", [0, -1, 2.0, True, "4"])
def test_a_window_is_a_number_of_snippets(model: VadModel, window: Any) -> None:
    with pytest.raises(VadkitError, match="must be a whole number of snippets, at least 1, or None"):
        vadkit.stream(model, window)


# -- a sliding window ----------------------------------------------------------------------------
def test_a_sliding_window_scores_each_snippet_as_the_last_of_the_latest() -> None:
    model = vadkit.build("demo_rgb", seed=0, set="eval.post=[]").eval()
    streams, stepper = streams_of(model, 9, crops=2), vadkit.stream(model, 4)
    assert stepper.lookahead == 0 and stepper.window == 4
    found = fed(stepper, streams, seed=0)
    for index, score in found:
        part = {name: torch.from_numpy(x[:, max(0, index - 3) : index + 1]) for name, x in streams.items()}
        with torch.no_grad():
            assert score == pytest.approx(float(model(**part)[:, -1].mean()), abs=1e-6)
    assert len(found) == 9 and np.abs(np.array(found)[:, 1] - whole_video(model, streams)).max() > 1e-4


# -- what a snippet is ---------------------------------------------------------------------------
WRONG = {
    "missing": ({"rgb": np.zeros(8)}, "the graph needs the stream 'clip'"),
    "unknown": ({"rgb": np.zeros(8), "clip": np.zeros(4), "flow": np.zeros(4)}, "the graph has no input 'flow'"),
    "width": ({"rgb": np.zeros(7), "clip": np.zeros(4)}, "stream 'rgb' is 8 wide, this array is 7"),
    "shape": ({"rgb": np.zeros((1, 1, 8)), "clip": np.zeros(4)}, r"one snippet is \(width,\) or \(crops, width\)"),
    "numbers": ({"rgb": np.full(8, np.nan), "clip": np.zeros(4)}, "stream 'rgb' holds NaN"),
    "words": ({"rgb": ["a"] * 8, "clip": np.zeros(4)}, "stream 'rgb' holds"),
    "crops": ({"rgb": np.zeros((3, 8)), "clip": np.zeros((2, 4))}, "stream 'clip' has 2 bags, but 'rgb' has 3"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_snippet_that_does_not_fit_is_refused(model: VadModel, case: str) -> None:
    streams, cause = WRONG[case]
    stepper = vadkit.stream(model)
    with pytest.raises(VadkitError, match=cause):
        stepper.step(streams)
    stepper.step({"rgb": np.zeros(8), "clip": torch.zeros(4)})
    assert len(stepper.finish()) == 1  # the refused one left nothing


def test_the_number_of_crops_is_that_of_the_first_snippet(model: VadModel) -> None:
    stepper = vadkit.stream(model)
    stepper.step({"rgb": np.zeros((3, 8)), "clip": np.zeros(4)})  # one crop serves for all
    with pytest.raises(VadkitError, match="a snippet has 1 crops, those before it have 3"):
        stepper.step({"rgb": np.zeros(8), "clip": np.zeros(4)})


# -- what is shipped -----------------------------------------------------------------------------
@lru_cache
def live_graphs() -> tuple[str, ...]:
    """Return the shipped graphs, ablations and runs that can be streamed."""
    plugins = load_plugins()
    found = []
    for file in configs_in(plugins.config_folders):
        if file.parent.name in ("runs", "ablations") or file.parent.parent.name == "graphs":
            model = without_weights(compile_plan(load_config(file.stem, (), plugins.config_folders), plugins))
            found += [] if obstacles(model) else [file.stem]
    return tuple(found)


def small(name: str) -> Iterator[str]:
    """Yield changes that make a graph small and its memory short."""
    plugins = load_plugins()
    plan = compile_plan(load_config(name, (), plugins.config_folders), plugins)
    for stream, pattern in plan.inputs.items():
        if len(pattern.tokens) == 4:
            yield f"inputs.{stream}=b t {pattern.tokens[2]} 64"
    for step in plan.steps:
        if step.args.get("past"):
            yield f"nodes.{step.name}.args.past=6"


def test_the_causal_graphs_are_among_the_live_ones() -> None:
    own = {"demo_rgb_causal", "demo_three_stream_causal", "seed_xd_rgb_causal", "seed_xd_three_stream_causal"}
    assert own <= set(live_graphs())


@pytest.mark.parametrize("name", live_graphs())
def test_every_live_graph_scores_as_of_the_whole_video(name: str) -> None:
    model = vadkit.build(name, set=small(name), seed=0).eval()
    for crops, t in ((1, 23), (2, 14)):
        streams = streams_of(model, t, crops)
        assert_same(fed(vadkit.stream(model), streams, seed=t), whole_video(model, streams))


def test_every_node_with_a_finite_lookahead_can_be_streamed() -> None:
    """A new component with a finite lookahead declares its ``lookback`` or has a ``step``: see vadkit/kinds.py."""
    from vadkit.graph.stages import why_whole
    from vadkit.kinds import NODE_KINDS

    lacking = []
    for component in load_plugins().components.owners:
        if component.kind in NODE_KINDS and component.kind != "source":
            with torch.device("meta"):
                built = component(**component.example)  # type: ignore[attr-defined]
            if built.lookahead != "all" and (reason := why_whole(built)):
                lacking.append(f"{component.name} {reason}")
    assert not lacking
