"""The parts of CNN-ViT-TSAN against slow formulas in numpy: snippets of interest, then long and short range."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from small_models import drawn
from vadkit_mtn import MultiScaleTemporal
from vadkit_topk_nominator import TopkNominator

Array = NDArray[np.float64]
T, C = 9, 8


def randomised(module: torch.nn.Module) -> dict[str, Array]:
    """Draw all weights and statistics, also those that start at 0; return them."""
    module.double().eval()
    for number, (name, x) in enumerate(module.state_dict().items()):
        if x.is_floating_point():
            x.copy_(0.5 * drawn(*x.shape, seed=number + 1) + (2 if "var" in name else 0))
    return {name: x.numpy() for name, x in module.state_dict().items()}


def nominated(x: Array, weights: dict[str, Array], draws: Array, keep: int, sigma: float) -> Array:
    """Scale each snippet by the share of draws in which its disturbed score is among the highest."""
    hidden = np.maximum(x @ weights["scorer.0.weight"].T + weights["scorer.0.bias"], 0)
    scores = 1 / (1 + np.exp(-(hidden @ weights["scorer.2.weight"][0] + weights["scorer.2.bias"][0])))
    shares = np.zeros(len(x))
    for draw in draws:
        order = sorted(range(len(x)), key=lambda t: -(scores[t] + sigma * draw[t]))
        shares[order[:keep]] += 1 / len(draws)
    return x * shares[:, None]


def convolved(x: Array, weight: Array, bias: Array | None = None, dilation: int = 1) -> Array:
    """Convolve over time (t, c) with zeros at both ends."""
    kernel, found = weight.shape[2], np.zeros((len(x), len(weight)))
    for t in range(len(x)):
        for n in range(kernel):
            source = t + (n - kernel // 2) * dilation
            if 0 <= source < len(x):
                found[t] += weight[:, :, n] @ x[source]
        found[t] += 0 if bias is None else bias
    return found


def normed(x: Array, weights: dict[str, Array], name: str) -> Array:
    mean, variance = weights[f"{name}.running_mean"], weights[f"{name}.running_var"]
    return (x - mean) / np.sqrt(variance + 1e-5) * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def ranged(x: Array, w: dict[str, Array]) -> Array:
    """Short range: three dilations. Long range: each snippet from all. Their join is added to the input."""
    views = []
    for n, dilation in enumerate((1, 2, 4)):
        view = convolved(x, w[f"branches.{n}.weight"], w[f"branches.{n}.bias"], dilation)
        views.append(normed(np.maximum(view, 0), w, f"norms.{n}"))
    z = np.maximum(convolved(x, w["narrow.weight"]), 0)
    theta, phi, g = (convolved(z, w[f"{name}.weight"], w[f"{name}.bias"]) for name in ("theta", "phi", "g"))
    read = np.zeros_like(g)
    for i in range(len(x)):
        for j in range(len(x)):
            read[i] += (theta[i] @ phi[j]) / len(x) * g[j]
    views.append(z + normed(convolved(read, w["out.weight"], w["out.bias"]), w, "out_norm"))
    joined = convolved(np.concatenate(views, 1), w["join.weight"])
    return x + normed(np.maximum(joined, 0), w, "join_norm")


@pytest.mark.formula("cnn_vit_tsan", "TSAN", "nominator", "range")
@pytest.mark.parametrize("ratio", [0.4, 0.95])
def test_snippets_of_interest_are_put_forward_and_related(ratio: float) -> None:
    torch.set_default_dtype(torch.float64)
    try:
        nominator = TopkNominator(in_dim=C, ratio=ratio, samples=20, sigma=0.05, eval_noise="on")
        context = MultiScaleTemporal(in_dim=C)
    finally:
        torch.set_default_dtype(torch.float32)
    noise, x = drawn(1, 20, T, seed=99), drawn(1, T, C)
    first, second = randomised(nominator), randomised(context)
    nominator.scores = lambda x: torch.sigmoid(nominator.scorer(x))[..., 0]  # type: ignore[method-assign, misc]
    nominator.draw_noise = lambda shape, like: noise  # type: ignore[method-assign]
    found = context(nominator(x)["x"])[0].detach().numpy()
    wanted = ranged(nominated(x[0].numpy(), first, noise[0].numpy(), int(ratio * T), 0.05), second)
    assert np.abs(found - wanted).max() < 1e-9


@pytest.mark.formula("cnn_vit_tsan", "scores of choice", "distance")
def test_a_snippet_is_chosen_by_its_distance_from_the_mean_of_its_bag() -> None:
    x = drawn(2, T, C)
    x[1, :, 0] = 3.0  # a channel that never changes
    found = TopkNominator(in_dim=C, score="mahalanobis").scores(x).numpy()
    for bag, scores in zip(x.numpy(), found):
        far = []
        for t in range(T):
            total = 0.0
            for c in range(C):
                mean = sum(bag[s, c] for s in range(T)) / T
                variance = sum((bag[s, c] - mean) ** 2 for s in range(T)) / T
                total += (bag[t, c] - mean) ** 2 / variance if variance > 0 else 0.0
            far.append(total**0.5)
        assert np.abs(scores - np.array(far) / max(far)).max() < 1e-9


@pytest.mark.parametrize("t", [1, 2])
def test_equal_snippets_have_a_slope(t: int) -> None:
    x = torch.ones(1, t, C, requires_grad=True)
    TopkNominator(in_dim=C, score="mahalanobis", samples=4)(x)["x"].sum().backward()
    assert x.grad is not None and x.grad.isfinite().all()
