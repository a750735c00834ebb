"""VadCLIP's graph at small widths: any length, one bag, one class, several crops, and neighbours."""

from __future__ import annotations

import pytest
import torch

import vadkit
from vadkit.bench.timing import Load, random_batch

TOWER = {"tokens": [[1, 3 + n, 2] for n in range(7)], "vocabulary": 12, "dim": 16, "depth": 1, "context": 40}
SMALL = ["inputs.clip=b t 16", "nodes.visual.args.dim=16", "nodes.refined.args.dim=16", "nodes.widened.args.dim=8",
         f"nodes.text.args={TOWER}"]  # fmt: skip


@pytest.fixture(scope="module")
def model():
    return vadkit.build("vadclip_xd", set=SMALL, seed=0)


@pytest.mark.parametrize(("t", "bags"), [(1, 1), (1, 3), (2, 3), (5, 3), (256, 1), (1200, 1)])
def test_scores_and_trains_at_any_length(model, t, bags):
    batch = random_batch(model, Load(bags=bags, snippets=t), torch.device("cpu"))
    batch["mask"] = torch.arange(t) < torch.tensor([t, 1, max(1, t // 2)])[:bags, None]
    model.train().zero_grad()
    losses = model.loss(batch)
    losses["total"].backward()
    assert all(value.isfinite() for value in losses.values())
    trained = [p for p in model.parameters() if p.requires_grad]
    assert all(p.grad is None or p.grad.isfinite().all() for p in trained)
    with torch.no_grad():
        scores = model.eval()(clip=batch["clip"], mask=batch["mask"])
    assert scores.shape == (bags, t) and scores.isfinite().all()


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_batches_of_one_class_and_of_several_crops(model, label):
    batch = random_batch(model, Load(bags=4, snippets=9), torch.device("cpu"))
    batch |= {"labels": torch.full((2,), label), "crops": 2, "class_set": torch.eye(7)[[int(label), int(label)]]}
    assert model.train().loss(batch)["total"].isfinite()


@torch.no_grad()
def test_neighbours_and_what_is_in_the_padding_of_others_do_not_matter(model):
    x = torch.randn(3, 64, 16, generator=torch.manual_seed(1))
    mask = torch.arange(64) < torch.tensor([64, 10, 3])[:, None]
    together = model.eval()(clip=x, mask=mask)
    alone = torch.cat([model(clip=row[None], mask=m[None]) for row, m in zip(x, mask)])
    torch.testing.assert_close(together, alone)


@torch.no_grad()
def test_windows_do_not_see_each_other():
    windows = vadkit.build("vadclip_xd", set=[*SMALL, "nodes.context.args.window=4"], seed=0).eval().context
    x = torch.randn(1, 10, 16, generator=torch.manual_seed(1))
    other = x.clone()
    other[:, 4:8] += 1
    changed = (windows(x) - windows(other)).abs().amax((0, 2)) > 1e-6
    assert changed.tolist() == [False] * 4 + [True] * 4 + [False] * 2
    assert windows.lookahead == 3


@torch.no_grad()
def test_positions_begin_again(model):
    x = torch.zeros(1, 600, 16)
    found = model.eval().context(x)
    torch.testing.assert_close(found[:, :256], found[:, 256:512])
