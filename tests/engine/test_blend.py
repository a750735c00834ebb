"""Weights of a node that follow another's: against the equation, in order with the average, pure in the step."""

from __future__ import annotations

import math

import pytest
import torch
from engine_stub import StubBatches, fit, section
from torch import nn

from vadkit.engine.blend import kept
from vadkit.engine.session import Session
from vadkit.problems import VadkitError

STEPS, EPOCH = 12, 4


class Twins(nn.Module):
    """Two linear scores of the same build, each with a loss and a buffer of its own."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(1)
            self.own, self.peer = (nn.Sequential(nn.BatchNorm1d(6), nn.Linear(6, 1)) for _ in range(2))

    def loss(self, batch):
        x = batch["x"].mean(1).to(self.own[1].weight.dtype)
        own, peer = (
            nn.functional.binary_cross_entropy_with_logits(node(x * scale).squeeze(1), batch["labels"].to(x.dtype))
            for node, scale in ((self.own, 1), (self.peer, 2))
        )
        return {"total": own + peer, "own": own, "peer": peer}


def blended(keep, per="step", **train):
    model = Twins().double()
    fit(
        model,
        StubBatches(length=EPOCH),
        {"blend": [{"into": "own", "from": "peer", "keep": keep, "per": per}], **train},
    )
    return model


def by_hand(share, every=1):
    """Train in a plain loop; ``share(number of the blend)`` is what own keeps."""
    model, batches = Twins().double(), StubBatches(length=EPOCH)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    average = None
    for step in range(STEPS):
        optimizer.zero_grad()
        model.loss(batches.batch(step))["total"].backward()
        optimizer.step()
        if (step + 1) % every == 0:
            m = share(step // every)
            with torch.no_grad():
                for own, peer in zip(model.own.parameters(), model.peer.parameters()):
                    own.copy_(m * own + (1 - m) * peer)
        now = [parameter.detach().clone() for parameter in model.parameters()]
        average = now if average is None else [0.5 * a + 0.5 * b for a, b in zip(average, now)]
    return model, average


def same(model, other):
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(tensor, other.state_dict()[name], atol=1e-12, rtol=1e-12)


def test_after_every_step():
    same(blended(0.75), by_hand(lambda step: 0.75)[0])
    same(blended([0.5, 0.9]), by_hand(lambda k: 0.9 - 0.4 * (1 + math.cos(math.pi * k / STEPS)) / 2)[0])


def test_at_the_end_of_every_epoch():
    theirs = by_hand(lambda epoch: 1 - 0.045 * (1 + math.cos(math.pi * epoch / 3)), every=EPOCH)[0]
    same(blended([0.91, 1.0], "epoch"), theirs)


def test_an_epoch_that_the_run_does_not_finish_is_not_blended():
    same(blended([0.91, 1.0], "epoch", steps=7), blended([0.91, 1.0], "epoch", steps=7))
    model = Twins().double()
    fit(model, StubBatches(length=EPOCH), {"steps": 3})
    same(blended(0.5, "epoch", steps=3), model)


def test_the_share_that_is_kept_follows_half_a_cosine():
    assert [kept([0.91, 1.0], e / 50) for e in (0, 25, 49)] == pytest.approx([0.91, 0.955, 0.99991], abs=1e-5)
    assert kept(0.999, 0.3) == 0.999 and kept([0.2, 0.6], 1.5) == 0.6


def test_buffers_stay_those_of_each_node():
    model, plain = blended(0.5), Twins().double()
    fit(plain, StubBatches(length=EPOCH), {})
    assert model.own[0].running_mean.equal(plain.own[0].running_mean)
    assert not model.own[0].running_mean.equal(model.peer[0].running_mean)


def test_the_average_is_of_what_the_blend_leaves():
    model = blended(0.75, ema=0.5)
    for parameter, wanted in zip(model.parameters(), by_hand(lambda step: 0.75)[1]):
        torch.testing.assert_close(parameter.detach(), wanted, atol=1e-12, rtol=1e-12)


def test_entries_are_applied_in_order():
    both = [{"into": "own", "from": "peer", "keep": 0.0}, {"into": "peer", "from": "own", "keep": 0.5}]
    model = Twins().double()
    fit(model, StubBatches(), {"blend": both, "steps": 1})
    for own, peer in zip(model.own.parameters(), model.peer.parameters()):
        assert own.equal(peer)


def test_a_scaler_that_skips_an_update_leaves_the_blend():
    """As in fp16: the gradient is infinite, the optimizer's update is left out, the weights are still blended."""

    class Overflowing(torch.amp.GradScaler):
        def step(self, optimizer, **kwargs):
            return None

    model = Twins()
    before = {name: tensor.clone() for name, tensor in model.named_parameters()}
    train = section(blend=[{"into": "own", "from": "peer", "keep": 0.75}], steps=1)
    session = Session(model, StubBatches(), train, torch.device("cpu"))
    wrapper = session._wrapper

    def overflowing(optimizer):
        made = wrapper(optimizer)
        made.scaler = Overflowing("cpu", enabled=False)
        return made

    session._wrapper = overflowing
    session.run()
    for name, parameter in model.own.named_parameters():
        wanted = 0.75 * before[f"own.{name}"] + 0.25 * before[f"peer.{name}"]
        torch.testing.assert_close(parameter.detach(), wanted)


def test_a_node_that_does_not_exist_is_named():
    with pytest.raises(VadkitError, match=r"train.blend\[0\].from: there is no node 'pear'"):
        fit(Twins(), StubBatches(), {"blend": [{"into": "own", "from": "pear", "keep": 0.5}]})
