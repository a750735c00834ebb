"""The helpers for plugins, each against a loop."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from vadkit import layers


def some(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def test_nonlinearities_are_the_named_ones():
    x = torch.tensor([-1.0, 2.0])
    wanted = {
        "none": [-1.0, 2.0],
        "relu": [0.0, 2.0],
        "gelu": [v * 0.5 * (1 + math.erf(v / math.sqrt(2))) for v in (-1.0, 2.0)],
        "sigmoid": [1 / (1 + math.exp(1.0)), 1 / (1 + math.exp(-2.0))],
        "quick_gelu": [v / (1 + math.exp(-1.702 * v)) for v in (-1.0, 2.0)],
    }
    for name, values in wanted.items():
        assert layers.nonlinearity(name)(x).tolist() == pytest.approx(values, abs=1e-6)
    with pytest.raises(ValueError, match="activation must be one of none, relu, gelu, sigmoid, quick_gelu, not 'tanh'"):
        layers.nonlinearity("tanh")


def test_initialise_draws_weights_within_the_xavier_range_and_leaves_biases():
    block = nn.Sequential(nn.Linear(30, 50), nn.Conv1d(50, 10, 3))
    biases = [layer.bias.clone() for layer in block]
    layers.initialise(block)
    assert all(torch.equal(layer.bias, bias) for layer, bias in zip(block, biases))
    for layer, fans in zip(block, (30 + 50, 50 * 3 + 10 * 3)):
        bound = math.sqrt(6 / fans)
        assert 0.9 * bound < layer.weight.abs().max() <= bound
    before = block[0].weight.clone()
    layers.initialise(block, "torch")
    assert torch.equal(block[0].weight, before)


def test_distances():
    assert layers.distances(torch.zeros(1, 3, 1)).tolist() == [[0, 1, 2], [1, 0, 1], [2, 1, 0]]
    assert layers.distances(torch.zeros(1, 3, 1), slice(1, 2)).tolist() == [[1, 0, 1]]


@pytest.mark.parametrize(("cells", "asked"), [(2**23, [7]), (50, [3, 3, 1]), (1, [1] * 7)])
def test_a_map_over_pairs_is_asked_for_in_rows_that_there_is_room_for(cells, asked, monkeypatch):
    monkeypatch.setattr(layers, "CELLS", cells)
    x, rows = some(2, 7, 3), []

    def read(wanted):
        rows.append(len(x[0, wanted]))
        return x[:, wanted] + 1

    assert torch.equal(layers.by_rows(read, x), x + 1) and rows == asked


def test_hidden_entries_get_no_weight_and_empty_rows_stay_finite():
    keep = torch.tensor([[True, False, True], [False, False, False]])
    weight = layers.hide(torch.zeros(2, 3), keep).softmax(-1)
    assert weight[0].tolist() == pytest.approx([0.5, 0.0, 0.5])
    assert weight[1].isfinite().all()


def test_padding_bias_is_zero_for_real_snippets_only():
    assert layers.padding_bias(None, some(1, 2, 3)) is None
    bias = layers.padding_bias(torch.tensor([[True, False]]), some(1, 2, 3))
    assert bias.shape == (1, 1, 2)
    assert bias[0, 0].tolist() == [0.0, torch.finfo(torch.float32).min]


def test_clear_zeroes_padding_even_if_it_is_not_a_number():
    x = torch.tensor([[[1.0], [math.nan]]])
    assert layers.clear(x, torch.tensor([[True, False]])).tolist() == [[[1.0], [0.0]]]
    assert layers.clear(x, None) is x


def test_rows_of_one_video_lie_next_to_each_other():
    rows = layers.to_rows(torch.tensor([1, 0]), 6)
    assert rows.tolist() == [1, 1, 1, 0, 0, 0]
    assert layers.per_video(rows, 3).tolist() == [[1, 1, 1], [0, 0, 0]]


def test_masked_mean_is_the_mean_of_the_real_snippets():
    x, lengths = some(3, 5, 2), [5, 2, 0]
    mask = torch.arange(5) < torch.tensor(lengths)[:, None]
    for row, length in enumerate(lengths):
        wanted = x[row, :length].mean(0) if length else torch.zeros(2)
        torch.testing.assert_close(layers.masked_mean(x, mask)[row], wanted)
        torch.testing.assert_close(layers.masked_mean(x[..., 0], mask)[row], wanted[0])
    torch.testing.assert_close(layers.masked_mean(x), x.mean(1))


def test_topk_mean_takes_k_of_each_row_as_far_as_there_are_snippets():
    scores, lengths, k = some(4, 6), [6, 6, 2, 1], [1, 4, 5, 3]
    mask = torch.arange(6) < torch.tensor(lengths)[:, None]
    found = layers.topk_mean(scores, torch.tensor(k), mask)
    for row in range(4):
        best = sorted(scores[row, : lengths[row]].tolist(), reverse=True)[: k[row]]
        assert found[row].item() == pytest.approx(sum(best) / len(best), abs=1e-6)


@pytest.mark.parametrize("norm_first", [False, True])
@torch.no_grad()
def test_the_post_norm_layer_equals_the_formula(norm_first):
    torch.manual_seed(0)
    layer = layers.PostNormLayer(6, 2, 5, 0.0, norm_first=norm_first).double().eval()
    x, memory = some(1, 4, 6).double(), some(1, 3, 6).double()
    q, kv = (layer.in_norm(x), layer.in_norm(memory)) if norm_first else (x, memory)
    heads = []
    for part in (slice(0, 3), slice(3, 6)):
        logits = layer.q(q)[..., part] @ layer.k(kv)[..., part].transpose(1, 2) / math.sqrt(3)
        heads.append(logits.softmax(-1) @ layer.v(kv)[..., part])
    wanted = layer.attn_norm(q + layer.out(torch.cat(heads, -1)))
    wanted = layer.ff_norm(wanted + layer.ff_out(layer.ff_in(wanted).clamp_min(0)))
    torch.testing.assert_close(layer(x, memory), wanted)


def test_the_post_norm_layer_drops_only_in_training():
    layer, x = layers.PostNormLayer(6, 2, 5, 0.0), some(2, 4, 6)
    assert torch.equal(layer.eval()(x), layer(x))
    assert not torch.equal(layer.train()(x), layer(x)), "attention weights have a dropout of .1"


def test_a_training_batch_of_one_snippet_takes_the_running_statistics():
    norm = nn.BatchNorm1d(3)
    norm(some(4, 3, 5))
    x, before = some(1, 3, 1), norm.running_mean.clone()
    assert torch.allclose(layers.batch_norm(norm, x), norm.eval()(x)) and torch.equal(norm.running_mean, before)
    several = some(2, 3, 4)
    wanted = nn.functional.batch_norm(several, None, None, norm.weight, norm.bias, training=True)
    assert torch.allclose(layers.batch_norm(norm.train(), several), wanted)
    assert not torch.equal(norm.running_mean, before)


def test_part_means_counts_a_short_last_part_by_what_it_has() -> None:
    x = torch.tensor([[1.0, 3.0, 5.0, 7.0, 11.0]])
    assert layers.part_means(x, 2).tolist() == [[2.0, 6.0, 11.0]]
    assert layers.part_means(x, 9).tolist() == [[pytest.approx(5.4)]]


def test_a_map_is_built_once_for_each_length_device_and_dtype():
    built = []

    def look(x):
        return layers.kept(lambda: built.append(x.shape[1]) or layers.distances(x).to(x.dtype), x, "of this test")

    with torch.inference_mode():
        first = look(torch.zeros(2, 5, 3))
    assert look(torch.zeros(1, 5, 8)) is first and not first.is_inference()
    assert look(torch.zeros(1, 5, 8, dtype=torch.float64)).dtype == torch.float64
    assert look(torch.zeros(1, 6, 8)).shape == (6, 6)
    assert look(torch.zeros(1, 7, 8, device="meta")).is_meta
    with FakeTensorMode():
        assert type(look(torch.zeros(1, 5, 8))) is not torch.Tensor
    assert built == [5, 5, 6, 7, 5]
    for t in range(10, 10 + 2 * layers.KEPT_MAPS):
        look(torch.zeros(1, t, 1))
    assert len(layers._KEPT) == layers.KEPT_MAPS
    assert look(torch.zeros(1, layers.KEPT_LENGTH + 1, 1)) is not look(torch.zeros(1, layers.KEPT_LENGTH + 1, 1))
