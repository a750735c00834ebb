"""Modality dropout, gap token, and the fusions of what is there, against slow and obvious references."""

from __future__ import annotations

import math

import pytest
import torch
from vadkit_gap_token import GapToken
from vadkit_modality_dropout import ModalityDropout
from vadkit_present_sum import PresentSum
from vadkit_reliability_gate import ReliabilityGate

STREAMS = ["rgb", "clip", "flow", "audio"]


def dropout(**args):
    torch.manual_seed(5)
    return ModalityDropout(in_dim=4, streams=STREAMS, **args).train()


def dropped(module, step, b=64, t=24, crops=None):
    return module(torch.ones(b, t, 4), torch.full((b,), step), crops)


def test_dropout_is_a_function_of_seed_and_step():
    assert torch.equal(dropped(dropout(), 7), dropped(dropout(), 7))
    assert not torch.equal(dropped(dropout(), 7), dropped(dropout(), 8))
    torch.manual_seed(6)
    assert not torch.equal(dropped(ModalityDropout(in_dim=4).train(), 7), dropped(dropout(), 7))


def test_dropout_draws_nothing_from_torch():
    module = dropout()
    torch.manual_seed(0)
    dropped(module, 7)
    after = torch.rand(3)
    torch.manual_seed(0)
    assert torch.equal(torch.rand(3), after)


def test_evaluation_keeps_all():
    x = torch.rand(2, 5, 4).round()
    assert torch.equal(dropout().eval()(x), x)


@pytest.mark.parametrize(("video", "block"), [(0.6, 0.5), (0.9, 0.0), (0.0, 0.9)])
def test_something_always_stays(video, block):
    module, generator = dropout(video=video, block=block), torch.Generator().manual_seed(0)
    there = (torch.rand(200, 17, 4, generator=generator) > 0.5).float()
    left = module(there, torch.zeros(200, dtype=torch.long))
    assert torch.equal(left.amax(-1), there.amax(-1)) and bool((left <= there).all())


def test_rates_are_those_asked_for():
    left = dropped(dropout(video=0.2, block=0.0), 0, b=8000, t=4)
    assert bool((left == left[:, :1]).all())
    assert 1 - left.mean() == pytest.approx(0.2, abs=0.01)
    blocks = dropped(dropout(video=0.0, block=0.2, length=6), 0, b=2000, t=24)
    assert 1 - blocks.mean() == pytest.approx(0.2, abs=0.01)
    assert bool((blocks.view(2000, 4, 6, 4) == blocks.view(2000, 4, 6, 4)[:, :, :1]).all())


def test_streams_of_one_sensor_are_lost_together_and_some_never():
    left = dropped(dropout(video=0.5, block=0.4, together=[["rgb", "clip"]], never=["flow"]), 3)
    assert torch.equal(left[..., 0], left[..., 1]) and bool(left[..., 2].all())
    assert not torch.equal(left[..., 0], left[..., 3])


def test_crops_of_a_video_lose_the_same():
    left = dropped(dropout(video=0.5, block=0.4), 3, b=10, crops=5).view(2, 5, 24, 4)
    assert bool((left == left[:, :1]).all()) and not torch.equal(left[0], left[1])


@pytest.mark.parametrize(
    "args", [{"video": 1.0}, {"block": -0.1}, {"length": 0}, {"never": ["sound"]}, {"together": [["rgb", "sound"]]}]
)
def test_wrong_arguments_are_refused(args):
    with pytest.raises(ValueError):
        dropout(**args)


def test_the_gap_token_takes_the_place_of_what_is_absent():
    module = GapToken(in_dim=3, streams=["rgb", "audio"], stream="audio")
    x, presence = torch.randn(2, 4, 3), torch.ones(2, 4, 2)
    assert torch.equal(module(x, presence), x)
    presence[1, 2:, 1] = 0
    presence[0, 1, 1] = 0.5
    found = module(x, presence)
    assert torch.equal(found[1, 2:], module.token.expand(2, 3)) and torch.equal(found[1, :2], x[1, :2])
    torch.testing.assert_close(found[0, 1], (x[0, 1] + module.token) / 2)
    anything = GapToken(in_dim=3, streams=["rgb", "audio"])
    assert torch.equal(anything(x, presence), x)
    with pytest.raises(ValueError, match="no stream 'sound'; the graph has rgb, audio"):
        GapToken(in_dim=3, streams=["rgb", "audio"], stream="sound")


@pytest.mark.parametrize("scale", [True, False])
def test_the_sum_is_of_what_is_there(scale):
    torch.manual_seed(0)
    module = PresentSum(dims=[4, 3], dim=5, streams=["rgb", "audio"], of=["rgb", "audio"], scale=scale)
    x = [torch.randn(2, 3, 4), torch.randn(2, 3, 3)]
    presence = torch.tensor([[1.0, 1], [1, 0], [0, 0]]).expand(2, 3, 2)
    with torch.no_grad():
        module.bias.normal_()
        found = module(x, presence)
        whole = torch.nn.functional.linear(torch.cat(x, -1), torch.cat([p.weight for p in module.project], 1))
    for b in range(2):
        torch.testing.assert_close(found[b, 0], whole[b, 0] + module.bias)
        torch.testing.assert_close(found[b, 1], (2 if scale else 1) * module.project[0](x[0][b, 1]) + module.bias)
        torch.testing.assert_close(found[b, 2], module.bias)


def test_the_gate_is_a_softmax_over_what_is_there():
    torch.manual_seed(0)
    module = ReliabilityGate(dims=[4, 3, 2], dim=5, streams=STREAMS, of=["rgb", "audio", None])
    x = [torch.randn(1, 3, size) for size in (4, 3, 2)]
    presence = torch.ones(1, 3, 4)
    presence[0, 1, 3] = presence[0, 2, 0] = 0
    with torch.no_grad():
        found, weights = module(x, presence), module.weights(x, presence)
        for t, there in enumerate([(1, 1, 1), (1, 0, 1), (0, 1, 1)]):
            trust = [p * math.exp(judge(s[0, t])) for p, judge, s in zip(there, module.judge, x)]
            shares = [3 * value / sum(trust) for value in trust]
            assert weights[0, t].tolist() == pytest.approx(shares, abs=1e-5)
            wanted = sum(w * p(s[0, t]) for w, p, s in zip(shares, module.project, x)) + module.bias
            torch.testing.assert_close(found[0, t], wanted)
        nothing = ReliabilityGate(dims=[2], streams=["a"], of=["a"])
        assert torch.equal(nothing([x[2]], torch.zeros(1, 3, 1))[0, 0], nothing.bias)


@pytest.mark.parametrize("fusion", [PresentSum, ReliabilityGate])
def test_what_absent_streams_hold_changes_nothing(fusion):
    torch.manual_seed(0)
    module = fusion(dims=[4, 3], streams=["rgb", "audio"], of=["rgb", "audio"])
    presence = torch.ones(2, 3, 2)
    presence[:, 1:, 1] = 0
    x = torch.randn(2, 3, 4)
    one, other = torch.randn(2, 3, 3), torch.randn(2, 3, 3)
    other[:, :1] = one[:, :1]
    with torch.no_grad():
        assert torch.equal(module([x, one], presence), module([x, other], presence))
    with pytest.raises(ValueError, match="of must name the stream of each of the 2 values"):
        fusion(dims=[4, 3], streams=["rgb"], of=["rgb"])
    with pytest.raises(ValueError, match="no stream 'sound'"):
        fusion(dims=[4, 3], streams=["rgb"], of=["rgb", "sound"])
