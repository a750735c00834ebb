"""MACIL-SD in full through the training engine, against a plain loop of two models, two optimizers and an average."""

from __future__ import annotations

import copy
import math
from typing import Any

import names
import pytest
import test_macil_sd_variants as second
import torch
from engine_stub import fit
from torch import Tensor

import vadkit
from vadkit.graph.module import VadModel

EPOCHS, STEPS, BAGS, T = 3, 3, 6, 34
SIZES = {"rgb": 12, "audio": 5}
CONFIG = {"nhead": 2, "cma_temperature": 0.1}
SMALL: dict[str, Any] = {
    "inputs": {name: f"b t {size}" for name, size in SIZES.items()},
    "nodes": {
        **{name: {"args": {"dim": 6}} for name in ("first", "second", "peer_first")},
        **{
            name: {"args": {"heads": 2, "ff_dim": 8, "dropout": 0.0, "inner_dropout": 0.0}}
            for name in ("first_out", "second_out", "peer_out")
        },
    },
    "train": {"epochs": EPOCHS},
}


class Batches:
    """Random bags in float64, a pure function of the step, as the sampler leaves them: zeros after each bag's end."""

    def __len__(self) -> int:
        return STEPS

    def batch(self, step: int) -> dict[str, Any]:
        draw = torch.Generator().manual_seed(step)
        lengths = torch.randint(1, T + 1, (BAGS,), generator=draw)
        lengths[step % BAGS] = T
        mask = torch.arange(T) < lengths[:, None]
        labels = (torch.rand(BAGS, generator=draw) > 0.5).double()
        streams = {
            name: torch.randn(BAGS, T, size, generator=draw, dtype=torch.float64) * mask[..., None]
            for name, size in SIZES.items()
        }
        return {**streams, "mask": mask, "labels": labels, "crops": 1, "epoch": step // STEPS}


def official(model: VadModel) -> dict[str, Tensor]:
    """Return copies of the weights under the authors' names."""
    table = names.Names("macil_sd_full").table
    found = {table.official(name): weight for name, weight in model.named_parameters()}
    return {str(name): weight.detach().clone().requires_grad_() for name, weight in found.items()}


def plain_loop(w: dict[str, Tensor], contrasts: list[float]) -> None:
    """Train as the authors do: av.* and v.* by an Adam each, and after each epoch the average into av.*."""
    models = [[weight for name, weight in w.items() if name.startswith(p)] for p in ("av.", "v.")]
    optimizers = [torch.optim.Adam(models[0], lr=4e-4), torch.optim.Adam(models[1], lr=8e-5)]
    schedules = [torch.optim.lr_scheduler.CosineAnnealingLR(o, T_max=60) for o in optimizers]
    for epoch in range(EPOCHS):
        factor = min(1.5, 0.1 * epoch)
        for step in range(epoch * STEPS, (epoch + 1) * STEPS):
            batch = Batches().batch(step)
            lengths, labels = batch["mask"].sum(1).tolist(), batch["labels"].tolist()
            r = second.network(w, CONFIG, batch["rgb"], batch["audio"])
            bag = second.bags(r["av_logits"], lengths)
            terms = second.contrast(r, bag, lengths, CONFIG["cma_temperature"])
            losses = [
                second.cross_entropy(bag, labels) + factor * sum(terms.values()),
                second.cross_entropy(second.bags(r["v_logits"], lengths), labels),
            ]
            for optimizer, loss in zip(optimizers, losses):
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            contrasts.append(factor * float(sum(terms.values()).detach()))
        for schedule in schedules:
            schedule.step()
        m = 1 - 0.045 * (1 + math.cos(math.pi * epoch / EPOCHS))
        with torch.no_grad():
            for name, weight in w.items():
                peer = "v." + name.removeprefix("av.").replace("att_mmil.fc", "fc")
                if name.startswith("av.") and "fc_a" not in name:
                    weight.copy_(m * weight + (1 - m) * w[peer])


@pytest.fixture
def model() -> VadModel:
    torch.manual_seed(3)
    model = vadkit.build({"extends": "macil_sd_full_xd", **copy.deepcopy(SMALL)}).double()
    with torch.no_grad():
        model.head.layers[0].bias.fill_(-0.15)  # so that bags of both predictions occur
    return model


def test_the_engine_gives_the_weights_of_the_authors_loop(model: VadModel) -> None:
    torch.set_num_threads(1)
    wanted, contrasts = official(model), []
    start = {name: weight.detach().clone() for name, weight in wanted.items()}
    plain_loop(wanted, contrasts)
    fit(model, Batches())
    found = official(model)
    assert found.keys() == wanted.keys() and len(wanted) == 22 + 20
    for name, weight in wanted.items():
        torch.testing.assert_close(found[name], weight, rtol=1e-9, atol=1e-11, msg=lambda text, n=name: f"{n}: {text}")
        assert not weight.equal(start[name])
    assert contrasts[:STEPS] == [0] * STEPS and sum(term > 0 for term in contrasts) >= STEPS


def test_without_the_blend_they_differ(model: VadModel) -> None:
    torch.set_num_threads(1)
    other = copy.deepcopy(model)
    fit(model, Batches())
    other.spec["train"]["blend"] = []
    fit(other, Batches())
    moved = [float((a - b).detach().abs().max()) for a, b in zip(model.first.parameters(), other.first.parameters())]
    assert min(moved) > 1e-3
