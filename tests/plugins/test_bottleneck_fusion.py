"""bottleneck_fusion pair by pair, with the rows of one bag, against the batched form."""

from __future__ import annotations

import pytest
import torch
from vadkit_bottleneck_fusion import BottleneckFusion


def block(dims, **args):
    torch.manual_seed(0)
    return BottleneckFusion(dims=dims, **{"heads": 2, "tokens": 4, **args}).double().eval()


def streams(dims, b=2, t=5):
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(b, t, dim, dtype=torch.float64, generator=generator) for dim in dims]


def send(fusion, source, receiver):
    """Return one receiver (b, t, c) and the last token (b, c), as in the paper: one pair at a time."""
    t, tokens = source.shape[1], fusion.tokens[0].expand(len(source), -1, -1)
    for i, layer in enumerate(fusion.layers):
        joined = layer(torch.cat([source, tokens], 1))
        source, out = joined[:, :t], joined[:, t:]
        receiver = layer(torch.cat([receiver, out], 1))[:, :t]
        if i + 1 < len(fusion.layers):
            tokens = fusion.decoder(fusion.tokens[i + 1].expand(len(source), -1, -1), out)
    return receiver, out[:, 0]


@torch.no_grad()
def test_equals_one_pair_after_the_other():
    fusion, (a, v, f) = block([4, 4, 4]), streams([4, 4, 4])
    pairs = [(a, v), (v, a), (a, f), (f, a), (v, f), (f, v)]
    received, last = zip(*(send(fusion, *pair) for pair in pairs))
    gates = fusion.gate(torch.stack(last, 1))
    found = fusion([a, v, f])
    torch.testing.assert_close(found["pairs"], torch.stack(received, 2))
    wanted = torch.cat([gates[:, i, None, None] * x for i, x in enumerate(received)], -1)
    torch.testing.assert_close(found["x"], wanted)
    torch.testing.assert_close(gates[:, 0], gates[:, 2], msg="pairs of one source have one gate")


@pytest.mark.parametrize(("tokens", "sizes"), [(1, [1]), (2, [2, 1]), (16, [16, 8, 4, 2, 1]), (6, [6, 3, 1])])
def test_tokens_are_halved_from_layer_to_layer(tokens, sizes):
    fusion = block([4, 4], tokens=tokens)
    assert [len(learned[0]) for learned in fusion.tokens] == sizes
    assert len(fusion.layers) == len(sizes)


@torch.no_grad()
def test_streams_of_other_widths_are_projected():
    fusion, (a, v) = block([4, 3]), streams([4, 3])
    same = block([4, 4])
    same.load_state_dict({k: x for k, x in fusion.state_dict().items() if not k.startswith("project")})
    found, wanted = fusion([a, v]), same([a, fusion.project[1](v)])
    torch.testing.assert_close(found, wanted)
    assert (fusion.dim, fusion.num_pairs, fusion.pair_dim) == (8, 2, 4)


def test_one_stream_passes():
    fusion, (a,) = block([4]), streams([4])
    found = fusion([a])
    assert found["x"] is a and found["pairs"].shape == (2, 5, 1, 4)
    assert not list(fusion.parameters())
    assert (fusion.lookahead, block([4, 4]).lookahead) == (0, "all")


@torch.no_grad()
def test_with_the_mask_a_padded_bag_scores_as_the_bag_alone():
    dims = [4, 4]
    fusion, x = block(dims, use_mask=True), streams(dims)
    mask = torch.arange(5).expand(2, 5) < torch.tensor([[5], [2]])
    found, alone = fusion(x, mask), fusion([y[1:, :2] for y in x], mask[1:, :2])
    torch.testing.assert_close(found["x"][1:, :2], alone["x"])
    free = block(dims)
    assert torch.equal(free(x, mask)["x"], free(x)["x"])


def test_each_layer_starts_with_equal_projections_unless_switched_off():
    equal, drawn = block([4, 4]), block([4, 4], init="torch")
    for layer in [*equal.layers, equal.decoder, equal.gate.attention]:
        assert torch.equal(layer.q.weight, layer.k.weight) and torch.equal(layer.q.bias, layer.out.bias)
    assert not torch.equal(equal.layers[0].q.weight, equal.layers[1].q.weight)
    assert not torch.equal(drawn.layers[0].q.weight, drawn.layers[0].k.weight)


def test_the_width_of_the_feed_forward_part_is_that_of_the_gates_only():
    fusion = block([4, 4], ff_dim=7)
    assert fusion.gate.attention.ff_in.out_features == 7
    assert {layer.ff_in.out_features for layer in [*fusion.layers, fusion.decoder]} == {4}


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"tokens": 0}, "heads and tokens must be at least 1, not 2 and 0"),
        ({"ff_dim": 0}, "ff_dim must be at least 1"),
    ],
)
def test_refuses_what_makes_no_layer(args, message):
    with pytest.raises(ValueError, match=message):
        block([4, 4], **args)
