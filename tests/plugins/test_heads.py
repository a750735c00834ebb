"""causal_conv and mlp_head against loops and formulas."""

from __future__ import annotations

import pytest
import torch
from vadkit_causal_conv import CausalConv
from vadkit_mlp_head import MlpHead


@pytest.mark.parametrize("kernel", [1, 3, 9])
@pytest.mark.parametrize("t", [1, 2, 12])
@torch.no_grad()
def test_causal_conv_equals_the_loop(kernel, t):
    torch.manual_seed(0)
    head, x = CausalConv(in_dim=4, kernel=kernel).double(), torch.randn(2, t, 4, dtype=torch.float64)
    wanted = torch.zeros(2, t, dtype=torch.float64) + head.conv.bias
    for i in range(t):
        for back in range(min(kernel, i + 1)):
            wanted[:, i] += x[:, i - back] @ head.conv.weight[0, :, kernel - 1 - back]
    torch.testing.assert_close(head(x), wanted)


@torch.no_grad()
def test_two_logits_are_a_softmax():
    torch.manual_seed(0)
    head, x = CausalConv(in_dim=4, kernel=3, logits=2), torch.randn(2, 7, 4)
    padded = torch.nn.functional.pad(x.transpose(1, 2), (2, 0))
    wanted = head.conv(padded).softmax(1)[:, 1]
    torch.testing.assert_close(torch.sigmoid(head(x)), wanted)


def test_dropout_is_in_front_of_the_convolution():
    head, x = CausalConv(in_dim=1, kernel=1, dropout=0.5), torch.ones(1, 50, 1)
    with torch.no_grad():
        head.conv.weight.fill_(1.0)
        head.conv.bias.fill_(5.0)
        assert set(head.train()(x).unique().tolist()) == {5.0, 7.0}
        assert set(head.eval()(x).unique().tolist()) == {6.0}


@torch.no_grad()
def test_mlp_head_equals_the_formula():
    torch.manual_seed(0)
    head, x = MlpHead(in_dim=4, hidden=[5, 3]), torch.randn(2, 6, 4)
    wanted = x
    for number, layer in enumerate(head.layers):
        wanted = torch.einsum("btc,oc->bto", wanted, layer.weight) + layer.bias
        wanted = wanted.clamp_min(0) if number < 2 else wanted
    torch.testing.assert_close(head(x), wanted[..., 0])


@torch.no_grad()
def test_mlp_head_takes_an_activation_for_each_hidden_layer():
    torch.manual_seed(0)
    head, x = MlpHead(in_dim=4, hidden=[5, 3], activation=["relu", "none"]), torch.randn(2, 6, 4)
    wanted = head.layers[2](head.layers[1](head.layers[0](x).clamp_min(0)))
    torch.testing.assert_close(head(x), wanted[..., 0])
    with pytest.raises(ValueError, match="one for each of 2 hidden layers, not \\['relu'\\]"):
        MlpHead(in_dim=4, hidden=[5, 3], activation=["relu"])


def test_mlp_head_has_one_hidden_layer_of_128_by_default():
    assert [tuple(layer.weight.shape) for layer in MlpHead(in_dim=4).layers] == [(128, 4), (1, 128)]
    assert [tuple(layer.weight.shape) for layer in MlpHead(in_dim=4, hidden=[]).layers] == [(1, 4)]


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: CausalConv(in_dim=4, kernel=0), "kernel must be at least 1, not 0"),
        (lambda: MlpHead(in_dim=4, hidden=[0]), "hidden widths must be at least 1"),
    ],
)
def test_bad_values_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_keras_starts_with_biases_of_zero_and_weights_of_its_own_spread():
    torch.manual_seed(0)
    layer = MlpHead(in_dim=300, hidden=[200], init="keras").layers[0]
    assert not layer.bias.any()
    assert layer.weight.std().item() == pytest.approx((2 / 500) ** 0.5, rel=0.02)
    assert layer.weight.abs().max() > 3 * layer.weight.std()  # normal, not uniform
