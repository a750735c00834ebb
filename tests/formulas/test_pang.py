"""What the abstract of Pang et al. (ICASSP 2021) states, in loops over snippets and channels."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from small_models import bags, values, weights

import vadkit

SMALL = [
    *("inputs.rgb=b t 7", "inputs.audio=b t 5", "nodes.visual.args.dim=4", "nodes.sound.args.dim=4"),
    *(
        "nodes.fused.args.dim=3",
        "nodes.fused.args.rank=2",
        "nodes.peer_wide.args.dim=6",
        "nodes.peer_reduced.args.dim=4",
    ),
]
LENGTHS = (6, 4)  # real snippets of the two bags


@pytest.fixture(scope="module")
def model():
    return vadkit.build("pang_xd", set=SMALL, seed=0).double().eval()


@pytest.fixture(scope="module")
def batch():
    return bags(LENGTHS, rgb=7, audio=5)


def guided_weights(w, first, other):
    """Return the weight of each snippet of a bag (t, c), from the pairs of its snippets and the other stream's."""
    t = len(first)
    logits = []
    for i in range(t):
        hidden = w["own.weight"] @ first[i] + w["own.bias"]
        for j in range(t):
            closeness = math.tanh(first[i] @ (w["pair.0.weight"] @ other[j]))
            hidden = hidden + closeness * (w["value.0.weight"] @ other[j]) / t
        logits.append(float(w["logit.weight"][0] @ np.tanh(hidden)))
    total = sum(map(math.exp, logits))
    return [t * math.exp(logit) / total for logit in logits]


@pytest.mark.formula("pang", "mutual guidance", "form of the guidance", "padding")
@pytest.mark.parametrize(("node", "own", "guide"), [("visual_weighted", 0, 1), ("sound_weighted", 1, 0)])
def test_each_stream_is_weighted_under_the_guidance_of_the_other(model, batch, node, own, guide):
    *streams, found = values(model, batch, "visual", "sound", node)
    for bag, t in enumerate(LENGTHS):
        first, other = streams[own][bag, :t], streams[guide][bag, :t]
        by_hand = guided_weights(weights(model, node), first, other)
        np.testing.assert_allclose(found[bag, :t], [weight * row for weight, row in zip(by_hand, first)], atol=1e-12)
        assert np.ptp(by_hand) > 1e-3


@pytest.mark.formula("pang", "bilinear pooling", "low rank", "signed root")
def test_the_weighted_streams_are_joined_by_bilinear_forms(model, batch):
    x, y, found = values(model, batch, "visual_weighted", "sound_weighted", "fused")
    w = weights(model, "fused")
    forms = np.zeros((3, 4, 4))  # W_kij, of rank 2
    for k, i, j, r in np.ndindex(3, 4, 4, 2):
        forms[k, i, j] += w["out.weight"][k, r] * w["factors.0.weight"][r, i] * w["factors.1.weight"][r, j]
    for bag, snippet in np.ndindex(2, 6):
        for k in range(3):
            z = sum(forms[k, i, j] * x[bag, snippet, i] * y[bag, snippet, j] for i, j in np.ndindex(4, 4))
            # 1e-6 keeps the slope of the root finite
            assert found[bag, snippet, k] == pytest.approx(z / math.sqrt(abs(z) + 1e-6), abs=1e-12)


@pytest.mark.formula("pang", "mutual learning", "form of mutual learning", "bag loss")
def test_both_networks_learn_from_the_labels_and_from_each_other(model, batch):
    logits, peer = values(model, batch, "score", "peer_score")
    divergence = {"from_peer": 0.0, "to_peer": 0.0}
    cross = {"mil": 0.0, "peer_mil": 0.0}
    for bag, t in enumerate(LENGTHS):
        for snippet in range(t):
            p, q = (1 / (1 + math.exp(-x[bag, snippet])) for x in (logits, peer))
            divergence["from_peer"] += q * math.log(q / p) + (1 - q) * math.log((1 - q) / (1 - p))
            divergence["to_peer"] += p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))
        for name, x in (("mil", logits), ("peer_mil", peer)):
            top = 1 / (1 + math.exp(-max(x[bag, :t])))  # t // 16 + 1 is 1
            cross[name] -= math.log(top if bag == 0 else 1 - top) / 2
    by_hand = {name: x / sum(LENGTHS) for name, x in divergence.items()} | cross
    with torch.no_grad():
        found = model.loss(batch)
    for name, wanted in by_hand.items():
        assert float(found[name]) == pytest.approx(wanted, abs=1e-12), name
    assert float(found["total"]) == pytest.approx(sum(by_hand.values()), abs=1e-12)


@pytest.mark.formula("pang", "mutual learning")
def test_the_other_network_sees_rgb_alone_and_is_not_needed_to_score(model, batch):
    (peer,) = values(model, batch, "peer_score")
    (deaf,) = values(model, {**batch, "audio": 3 * batch["audio"]}, "peer_score")
    assert np.array_equal(peer, deaf)
    assert not any("peer" in node.name for node in model.inference.graph.nodes)
