"""Multi-scale temporal network: the formula snippet by snippet, with the product over pairs of snippets."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from vadkit_mtn import MultiScaleTemporal


def awake(**args: float) -> MultiScaleTemporal:
    """Return one whose norms differ from the identity, in eval mode."""
    torch.manual_seed(0)
    model = MultiScaleTemporal(in_dim=16, **args)  # type: ignore[arg-type]
    with torch.no_grad():
        for norm in (*model.norms, model.out_norm, model.join_norm):
            for x in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
                x.copy_(torch.rand_like(x) + 0.5)
    return model.eval().double()


def normalised(norm: torch.nn.BatchNorm1d, x: Tensor) -> Tensor:
    return (x - norm.running_mean) / (norm.running_var + norm.eps).sqrt() * norm.weight + norm.bias


def conv(layer: torch.nn.Conv1d, x: Tensor, t: int) -> Tensor:
    """Return the convolution of x (t, c) at one snippet."""
    reach, step = layer.kernel_size[0] // 2, layer.dilation[0]
    y = torch.zeros(layer.out_channels, dtype=x.dtype) if layer.bias is None else layer.bias.clone()
    for k in range(layer.kernel_size[0]):
        at = t + (k - reach) * step
        if 0 <= at < len(x):
            y = y + layer.weight[:, :, k] @ x[at]
    return y


def by_hand(m: MultiScaleTemporal, x: Tensor) -> Tensor:
    steps = range(len(x))
    views = [torch.stack([normalised(n, conv(c, x, t).relu()) for t in steps]) for c, n in zip(m.branches, m.norms)]
    z = torch.stack([conv(m.narrow, x, t).relu() for t in steps])
    theta, phi, g = (torch.stack([conv(layer, z, t) for t in steps]) for layer in (m.theta, m.phi, m.g))
    read = torch.stack([sum((theta[t] @ phi[s]) * g[s] for s in steps) / len(x) for t in steps])
    views.append(z + torch.stack([normalised(m.out_norm, conv(m.out, read, t)) for t in steps]))
    joined = torch.cat(views, 1)
    return x + torch.stack([normalised(m.join_norm, conv(m.join, joined, t).relu()) for t in steps])


@pytest.mark.parametrize("t", (1, 2, 5, 20))
def test_it_is_the_formula(t: int) -> None:
    model, x = awake(), torch.randn(2, t, 16, dtype=torch.float64)
    with torch.no_grad():
        found = model(x)
        assert all(torch.allclose(found[b], by_hand(model, x[b])) for b in range(2))


def test_the_non_local_block_starts_as_the_identity() -> None:
    model, z = MultiScaleTemporal(in_dim=16).eval(), torch.randn(2, 4, 9)
    assert torch.equal(model.non_local(z), z)
    assert all(not layer.bias.any() for layer in (*model.branches, model.theta, model.out))
    assert MultiScaleTemporal(in_dim=16, init="torch").theta.bias.any()


def test_a_training_batch_of_one_snippet_is_normalised_by_the_running_statistics() -> None:
    model, x = awake(dropout=0.0), torch.randn(1, 1, 16, dtype=torch.float64)
    with torch.no_grad():
        assert torch.allclose(model.train()(x), model.eval()(x))


def test_long_videos_take_no_memory_of_pairs() -> None:
    model, x = MultiScaleTemporal(in_dim=16).eval(), torch.randn(1, 6000, 16)
    with torch.no_grad():
        assert model(x).isfinite().all()


@pytest.mark.parametrize(("args", "said"), [({"in_dim": 4}, "at least 8"), ({"in_dim": 8, "dropout": 1}, "dropout")])
def test_wrong_arguments_are_refused(args: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        MultiScaleTemporal(**args)  # type: ignore[arg-type]
