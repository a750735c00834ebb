"""batch_norm_head and its losses: their switches, and batches that the authors' code cannot take."""

from __future__ import annotations

import pytest
import torch
from vadkit_batch_norm_head import BatchNormHead
from vadkit_mean_divergence import MeanDivergence
from vadkit_normal_norm import NormalNorm

from vadkit.testing import check_component


@pytest.mark.parametrize("args", [{"kernels": [3, 1, 5]}, {"updated": False}, {"crops_first": True}])
def test_contract(args):
    check_component(BatchNormHead, **args)


def test_losses_keep_the_contract():
    check_component(MeanDivergence, weights=[1.0, 2.0, 3.0], of_video=0.5)
    check_component(NormalNorm)


def test_distances_are_from_the_statistics_after_or_before_the_update():
    x = torch.randn(3, 7, 8, generator=torch.manual_seed(0))
    for updated in (True, False):
        torch.manual_seed(1)
        head = BatchNormHead(in_dim=8, ratios=[2, 4], updated=updated)
        before = head.norms[0].running_mean.clone(), head.norms[0].running_var.clone()
        found = head(x)["distances"][..., 0]
        mean, var = (head.norms[0].running_mean, head.norms[0].running_var) if updated else before
        f = head.convs[0](x.transpose(1, 2)).transpose(1, 2)
        torch.testing.assert_close(found, ((f - mean) ** 2 / var).sum(-1).sqrt())
        found.sum().backward()
        assert head.norms[0].weight.grad is None or not head.norms[0].weight.grad.any()


def test_crops_first_multiplies_means_and_not_the_scores_themselves():
    x = torch.randn(6, 5, 8, generator=torch.manual_seed(0))
    head = BatchNormHead(in_dim=8, ratios=[2, 4]).eval()
    plain = head(x, crops=3)
    head.crops_first = True
    first = head(x, crops=3)
    means = {n: plain[n].unflatten(0, (2, 3)).mean(1, keepdim=True).expand(-1, 3, *plain[n].shape[1:]) for n in plain}
    wanted = means["probability"] * means["distances"].sum(-1)
    torch.testing.assert_close(first["scores"].unflatten(0, (2, 3)), wanted)
    assert not torch.allclose(wanted, means["scores"])


def test_one_snippet_in_training_is_normalised_by_the_running_statistics():
    head, x = BatchNormHead(in_dim=8, ratios=[2, 4]), torch.randn(1, 1, 8, generator=torch.manual_seed(0))
    trained = head(x)
    for name, value in head.eval()(x).items():
        torch.testing.assert_close(trained[name], value)
    assert head.norms[0].running_mean.eq(0).all()


@pytest.mark.parametrize("labels", [[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
def test_a_batch_of_one_class_has_nothing_to_diverge(labels):
    distances = torch.rand(3, 20, 2, generator=torch.manual_seed(0)).requires_grad_()
    found = MeanDivergence()(distances, torch.tensor(labels))["total"]
    found.backward()
    assert found.item() == 0 and distances.grad.eq(0).all()


def test_padding_is_never_chosen():
    distances = torch.rand(4, 20, 2, generator=torch.manual_seed(0))
    labels, mask = torch.tensor([0.0, 1.0, 1.0, 0.0]), torch.arange(20) < torch.tensor([20, 20, 20, 20])[:, None]
    padded = torch.cat([distances, torch.full((4, 9, 2), 50.0)], 1)
    longer = torch.cat([mask, torch.zeros(4, 9, dtype=torch.bool)], 1)
    loss = MeanDivergence()
    torch.testing.assert_close(loss(padded, labels, longer)["total"], loss(distances, labels, mask)["total"])


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"ratios": [2]}, "ratios must be two numbers from 1 to in_dim"),
        ({"ratios": [2, 16]}, "ratios must be two numbers"),
        ({"kernels": [1, 2, 1]}, "kernels must be three odd numbers"),
    ],
)
def test_refuses_what_it_cannot_be(args, message):
    with pytest.raises(ValueError, match=message):
        BatchNormHead(in_dim=8, **{"ratios": [2, 4], **args})
