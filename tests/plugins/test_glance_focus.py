"""Glance-and-focus stage and its tokens: the formulas snippet by snippet and channel by channel."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from vadkit_glance_focus import ChannelNorm, Focus, Glance, GlanceFocus
from vadkit_magnitude_tokens import MagnitudeTokens

DOUBLE = torch.float64


def drawn(module: torch.nn.Module) -> torch.nn.Module:
    torch.manual_seed(1)
    with torch.no_grad():
        for x in (*module.parameters(), *(b for b in module.buffers() if b.is_floating_point())):
            x.copy_(torch.rand_like(x) + 0.1)
    return module.eval().double()


def channel_norm(norm: ChannelNorm, x: Tensor) -> Tensor:
    """Return x (c) normalised, the deviation by its definition."""
    mean = sum(x.tolist()) / len(x)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in x.tolist()) / len(x))
    return (x - mean) / (deviation + 1e-5) * norm.g + norm.b


def test_the_channel_norm_adds_its_constant_to_the_deviation() -> None:
    norm, x = drawn(ChannelNorm(6)), 1e-4 * torch.randn(2, 3, 6, dtype=DOUBLE)
    with torch.no_grad():
        found = norm(x)
        for b in range(2):
            for t in range(3):
                assert torch.allclose(found[b, t], channel_norm(norm, x[b, t]))
    assert not torch.allclose(found, F.layer_norm(x, (6,), norm.g, norm.b), rtol=1e-2)


def test_channels_that_are_all_alike_have_a_gradient() -> None:
    x = torch.ones(1, 2, 6, requires_grad=True)
    ChannelNorm(6)(x).square().sum().backward()
    assert x.grad is not None and x.grad.isfinite().all()


@pytest.mark.parametrize("t", (1, 2, 7))
def test_glance_attends_to_all_snippets(t: int) -> None:
    block, x = drawn(Glance(6, 2)), torch.randn(1, t, 6, dtype=DOUBLE)
    with torch.no_grad():
        normed = torch.stack([channel_norm(block.norm, x[0, i]) for i in range(t)])
        q, k, v = (block.qkv.weight[part * 6 : part * 6 + 6] @ normed.T for part in range(3))  # (c, t)
        wanted = torch.zeros(t, 6, dtype=DOUBLE)
        for head in range(2):
            own = slice(head * 3, head * 3 + 3)
            for i in range(t):
                weights = torch.softmax(torch.stack([q[own, i] @ k[own, j] / 3**0.5 for j in range(t)]), 0)
                wanted[i, own] = sum(weights[j] * v[own, j] for j in range(t))
        assert torch.allclose(block(x)[0], wanted @ block.out.weight.T + block.out.bias)


@pytest.mark.parametrize("t", (1, 2, 7))
def test_focus_has_one_kernel_for_every_second_channel(t: int) -> None:
    block, x = drawn(Focus(6, 2, 5)), torch.randn(1, t, 6, dtype=DOUBLE)
    norm = block.norm
    with torch.no_grad():
        normed = (x[0] - norm.running_mean) / (norm.running_var + norm.eps).sqrt() * norm.weight + norm.bias
        v, wanted = normed @ block.v.weight.T, torch.zeros(t, 6, dtype=DOUBLE)
        for i in range(t):
            for j in range(6):
                kernel = block.mix.weight[j % 2, 0]  # two heads
                taps = (kernel[s] * v[i + s - 2, j] for s in range(5) if 0 <= i + s - 2 < t)
                wanted[i, j] = sum(taps) + block.mix.bias[j % 2]
        assert torch.allclose(block(x)[0], wanted @ block.out.weight.T + block.out.bias)


@pytest.mark.parametrize("kind", ("glance", "focus"))
def test_a_stage_adds_its_three_parts_one_after_the_other(kind: str) -> None:
    stage = drawn(GlanceFocus(in_dim=6, head_dim=3, kind=kind, depth=2, dim=10))  # type: ignore[arg-type]
    x = torch.randn(2, 5, 6, dtype=DOUBLE)
    with torch.no_grad():
        found, y = stage(x), x
        for layer in stage.layers:
            padded = F.pad(y, (0, 0, 1, 1))
            y = y + sum(padded[:, k : k + 5] @ layer.conv.weight[:, :, k].T for k in range(3)) + layer.conv.bias
            y = y + layer.attention(y)
            y = y + layer.leave(F.gelu(layer.enter(layer.norm(y))))
        assert torch.allclose(found, stage.widen(stage.norm(y)))
    assert stage.lookahead == ("all" if kind == "glance" else 6)


def test_a_stage_without_another_width_ends_with_its_layers() -> None:
    stage = GlanceFocus(in_dim=6, head_dim=3)
    assert (
        stage.dim == 6 and stage.widen is None and not any(n.startswith(("norm", "widen")) for n in stage.state_dict())
    )


@pytest.mark.parametrize(("dim", "heads"), [(1024, 16), (300, 5), (67, 67), (8, 1)])
def test_any_width_has_heads_of_at_most_64(dim: int, heads: int) -> None:
    assert GlanceFocus(in_dim=dim, depth=1).layers[0].attention.heads == heads


@pytest.mark.parametrize("args", [{"head_dim": 4}, {"kernel": 4}, {"depth": 0}, {"dim": 0}, {"expand": 0}])
def test_wrong_arguments_are_refused(args: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be"):
        GlanceFocus(in_dim=6, **{"head_dim": 3, **args})  # type: ignore[arg-type]


# -- tokens ----------------------------------------------------------------------------------------
def test_tokens_add_convolved_norms() -> None:
    tokens, x = drawn(MagnitudeTokens(in_dim=4, dim=3, ratio=0.5)), torch.randn(1, 6, 4, dtype=DOUBLE)
    features, magnitudes = tokens.features, tokens.magnitudes
    with torch.no_grad():
        for t in range(6):
            wanted = features.bias + 0.5 * magnitudes.bias
            for k in range(3):
                if 0 <= t + k - 1 < 6:
                    row = x[0, t + k - 1]
                    length = sum(value**2 for value in row.tolist()) ** 0.5
                    wanted = wanted + features.weight[:, :, k] @ row + 0.5 * length * magnitudes.weight[:, 0, k]
            assert torch.allclose(tokens(x)[0, t], wanted)


def test_an_appended_norm_is_taken_as_it_is() -> None:
    torch.manual_seed(0)
    computed = MagnitudeTokens(in_dim=4, dim=3)
    appended = MagnitudeTokens(in_dim=5, dim=3, appended=True)
    appended.load_state_dict(computed.state_dict())
    x = torch.randn(2, 6, 4)
    with torch.no_grad():
        assert torch.allclose(computed(x), appended(torch.cat([x, x.norm(dim=-1, keepdim=True)], -1)))
        assert not torch.allclose(computed(x), appended(torch.cat([x, torch.zeros(2, 6, 1)], -1)))
