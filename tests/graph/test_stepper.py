"""A graph that is fed snippet by snippet gives what it gives of the whole video, or is refused with the cause."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from live_scores import Scores, assert_same, fed, streams_of, whole_video

import vadkit
from vadkit import VadkitError
from vadkit.graph.compiler import compile_plan
from vadkit.graph.load import load_config
from vadkit.graph.module import VadModel
from vadkit.graph.stages import why_whole
from vadkit.kinds import NODE_KINDS
from vadkit.plugin_manager import load_plugins

CAUSAL: dict[str, Any] = {
    "inputs": {"rgb": "b t 8", "clip": "b t 4"},
    "nodes": {
        "context": {"use": "causal_tca", "in": "rgb", "args": {"hidden": 4, "window": 3, "past": 5}},
        "gate": {"use": "causal_nominator", "in": "clip", "args": {"samples": 9, "past": 4}},
        "late": {"use": "temporal_conv", "in": "gate", "args": {"dim": 6}},
        "joined": {"use": "concat", "in": ["context", "late"]},
        "attention": {
            "use": "causal_gl_mhsa",
            "in": "joined",
            "args": {"depth": 2, "heads": 2, "head_dim": 3, "past": 6},
        },
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
    stepper, streams = vadkit.stream(model), streams_of(model, 30)
    sizes = []
    for _ in range(100):
        stepper.chunk(streams)
        sizes.append(stepper.state_bytes)
    assert len(set(sizes[1:])) == 1 and 0 < sizes[-1] < 40_000


def test_a_training_model_is_put_into_evaluation_mode(model: VadModel) -> None:
    stepper = vadkit.stream(model)
    model.train()
    streams = streams_of(model, 5)
    assert_same(fed(stepper, streams, 0), whole_video(model, streams))
    assert not model.training


def test_what_is_kept_is_its_own_copy(model: VadModel) -> None:
    streams, stepper, buffers = streams_of(model, 12), vadkit.stream(model), {}
    found: Scores = []
    for i in range(12):
        for name, x in streams.items():
            buffers[name] = buffers.get(name, torch.empty(x.shape[2])).copy_(torch.from_numpy(x[0, i]))
        found += stepper.step(buffers)
    assert_same(found + stepper.finish(), whole_video(model, streams))
    assert not any(x.requires_grad for x in stepper._engine.held)


# -- streams that are absent ---------------------------------------------------------------------
PRESENT: dict[str, Any] = {
    "inputs": {"rgb": "b t 8", "audio": "b t 4"},
    "nodes": {
        "sound": {"use": "gap_token", "in": {"x": "audio", "presence": "presence"}, "args": {"stream": "audio"}},
        "fused": {"use": "present_sum", "in": ["rgb", "sound"], "args": {"of": ["rgb", "audio"]}},
        "score": {"use": "causal_conv", "in": "fused"},
    },
    "losses": {"mil": {"use": "topk_mil", "in": "score"}},
    "output": "score",
}


@pytest.mark.parametrize("window", [None, 20])
def test_a_snippet_may_lack_a_stream(window: int | None) -> None:
    model = vadkit.build(PRESENT, seed=0).eval()
    assert model.takes_presence
    streams, there = streams_of(model, 12), np.random.default_rng(0).random((2, 12)) < 0.6
    there[0] |= ~there[1]  # one of them is there
    stepper = vadkit.stream(model, window)
    found: Scores = []
    for i in range(12):
        found += stepper.step({name: x[0, i] if here[i] else None for (name, x), here in zip(streams.items(), there)})
    given = {name: torch.from_numpy(x * here[:, None]) for (name, x), here in zip(streams.items(), there)}
    with torch.no_grad():
        wanted = model(**given, presence=torch.from_numpy(there.T.astype(np.float32))[None])[0].numpy()
    assert_same(found + stepper.finish(), wanted)
    with pytest.raises(VadkitError, match="the graph needs the stream 'rgb'"):
        vadkit.stream(model).step({})


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
    graph = changed(eval={"sampler": {"use": "segment_mean", "args": {"length": 4}}})
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
def with_a_short_past(name: str) -> Iterator[str]:
    """Yield changes with which a short video is longer than what a graph remembers."""
    plugins = load_plugins()
    for step in compile_plan(load_config(name, (), plugins.config_folders), plugins).steps:
        if step.args.get("past"):
            yield f"nodes.{step.name}.args.past=6"


@pytest.mark.parametrize("name", ["demo_rgb_causal", "demo_three_stream_causal"])
def test_a_causal_variant_of_the_paper_looks_at_no_later_snippet(name: str) -> None:
    """That the other graphs which can be streamed are as those of the whole video is in tests/test_registry_configs."""
    model = vadkit.build(name, set=with_a_short_past(name), seed=0).eval()
    stepper, streams = vadkit.stream(model), streams_of(model, 23, crops=2)
    kappa = model.spec["eval"]["post"][0]["args"]["kappa"]
    assert model.lookahead == 0 and stepper.lookahead == kappa - 1  # only the smoothing waits
    assert_same(fed(stepper, streams, seed=0), whole_video(model, streams))


def test_every_node_with_a_finite_lookahead_can_be_streamed() -> None:
    """A new component with a finite lookahead declares its ``lookback`` or has a ``step``: see vadkit/kinds.py."""
    lacking = []
    for component in load_plugins().components.owners:
        if component.kind in NODE_KINDS and component.kind != "source":
            with torch.device("meta"):
                built = component(**component.example)  # type: ignore[attr-defined]
            if built.lookahead != "all" and (reason := why_whole(built)):
                lacking.append(f"{component.name} {reason}")
    assert not lacking
