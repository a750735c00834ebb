"""What the abstract of OAMFN (Xiao et al., Entropy 2022) states, in loops over snippets and channels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from small_models import bags, sigmoid, values, weights

import vadkit

SMALL = [
    *("inputs.rgb=b t 5", "inputs.audio=b t 3", "inputs.flow=b t 4"),
    *("nodes.rgb_audio_in.args.dim=6", "nodes.flow_rgb_in.args.dim=6", "nodes.flow_audio_in.args.dim=6"),
    *("nodes.main_channels.args.reduction=2", "nodes.moving_channels.args.reduction=2"),
]
LENGTHS = (6, 4)  # real snippets of the two bags


@pytest.fixture(scope="module")
def model():
    return vadkit.build("oamfn_xd", set=SMALL, seed=0).double().eval()


@pytest.fixture(scope="module")
def batch():
    return bags(LENGTHS, rgb=5, audio=3, flow=4)


@pytest.mark.formula("oamfn", "combinations")
def test_the_main_branch_joins_rgb_and_sound_and_the_flow_branch_flow_with_each(model, batch):
    found = values(model, batch, "rgb_audio", "flow_rgb", "flow_audio")
    for joined, parts in zip(found, (("rgb", "audio"), ("flow", "rgb"), ("flow", "audio"))):
        for bag, snippet in np.ndindex(2, 6):
            row = [float(channel) for part in parts for channel in batch[part][bag, snippet]]
            assert joined[bag, snippet].tolist() == row


@pytest.mark.formula("oamfn", "weighted combinations", "form of the weights")
def test_the_combinations_are_weighted_and_brought_together(model, batch):
    first, second, found = values(model, batch, "flow_rgb_in", "flow_audio_in", "moving")
    w = weights(model, "moving")
    for bag, snippet, channel in np.ndindex(2, 6, 6):
        total = 0.0
        for number, x in enumerate((first, second)):
            gate = w[f"gates.{number}.bias"][channel]
            for i in range(6):
                gate += w[f"gates.{number}.weight"][channel, i] * x[bag, snippet, i]
            total += sigmoid(gate) * x[bag, snippet, channel]
        assert found[bag, snippet, channel] == pytest.approx(total, abs=1e-12)


@pytest.mark.formula("oamfn", "channel attention", "form of the channel attention")
@pytest.mark.parametrize(("before", "node"), [("main", "main_channels"), ("moving", "moving_channels")])
def test_channels_are_weighted(model, batch, before, node):
    x, found = values(model, batch, before, node)
    w = weights(model, node)
    for bag, t in enumerate(LENGTHS):
        mean = [sum(x[bag, snippet, i] for snippet in range(t)) / t for i in range(6)]
        inside = [
            max(0.0, w["squeeze.bias"][h] + sum(w["squeeze.weight"][h, i] * mean[i] for i in range(6)))
            for h in range(3)
        ]
        for channel in range(6):
            logit = w["excite.bias"][channel] + sum(w["excite.weight"][channel, h] * inside[h] for h in range(3))
            np.testing.assert_allclose(found[bag, :, channel], sigmoid(logit) * x[bag, :, channel], atol=1e-12)


@pytest.mark.formula("oamfn", "scores by motion", "formula of the mix")
def test_the_scores_of_the_branches_are_mixed_by_the_change_of_flow(model, batch):
    main, moving, found = values(model, batch, "main_score", "moving_score", "score")
    shares = []
    for bag, t in enumerate(LENGTHS):
        change = size = 0.0
        for snippet in range(1, t):
            f, g = (batch["flow"][bag, n].tolist() for n in (snippet - 1, snippet))
            change += math.dist(f, g)
            size += (math.hypot(*f) + math.hypot(*g)) / 2
        m = change / (size + 1e-6)
        shares.append(m / (1 + m))
        for snippet in range(t):
            p, q = sigmoid(main[bag, snippet]), sigmoid(moving[bag, snippet])
            assert found[bag, snippet] == pytest.approx((1 - shares[-1]) * p + shares[-1] * q, abs=1e-12)
    assert abs(shares[0] - shares[1]) > 1e-3
