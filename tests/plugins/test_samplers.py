"""uniform_pad and segment_mean against loops over rows and segments."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from vadkit_segment_mean import SegmentMean, _in_passes, segment_edges, segment_means
from vadkit_uniform_pad import UniformPad, even_rows, ramp

from vadkit.testing import check_component

LENGTHS = [1, 2, 3, 16, 31, 32, 33, 77, 350, 1200]
RNG = np.random.default_rng(0)


def video(t, dim=4):
    return np.random.default_rng(t).standard_normal((t, dim)).astype(np.float32)


@pytest.mark.parametrize("sampler", [UniformPad, SegmentMean])
def test_contract(sampler):
    check_component(sampler)


@pytest.mark.parametrize("sampler", [UniformPad, SegmentMean])
def test_refuses_a_length_of_zero(sampler):
    with pytest.raises(ValueError, match="length must be at least 1, not 0"):
        sampler(length=0)


def segments_by_hand(x, segments):
    edges = np.linspace(0, len(x), segments + 1, dtype=int)
    result = np.zeros((segments, x.shape[1]), np.float32)
    for i in range(segments):
        low, high = edges[i], edges[i + 1]
        result[i] = x[low] if low == high else np.mean(x[low:high], 0)
    return result


@pytest.mark.parametrize("dim", [2, 6, 1024])
@pytest.mark.parametrize("t", LENGTHS)
def test_segment_means_equal_the_loop_bit_for_bit(t, dim):
    x = video(t, dim)
    wanted = segments_by_hand(x, 32)
    assert np.array_equal(segment_means(x, 32), wanted)
    out = np.full((32, dim), np.nan, np.float32)
    _in_passes(x, segment_edges(t, 32), out)  # as without numba
    assert np.array_equal(out, wanted)


def matlab(x, segments):
    """Return the segments as Save_C3DFeatures_32Segments.m cuts them, and the edges, counted from 1."""
    edges = [int(np.floor(v + 0.5)) for v in np.linspace(1, len(x), segments + 1)]
    rows = [x[low - 1 : high - 1] if high > low else x[low - 1 : low] for low, high in zip(edges, edges[1:])]
    return np.stack([np.mean(part, 0) for part in rows]), edges


@pytest.mark.parametrize("t", LENGTHS)
def test_rounded_edges_are_those_of_matlab(t):
    x = video(t, 6)
    wanted, edges = matlab(x, 32)
    sampler = SegmentMean(length=32, edges="round")
    taken, real = sampler.sample({"rgb": x}, RNG)
    np.testing.assert_array_equal(taken["rgb"], wanted)
    assert real == 32 and (segment_edges(t, 32, "round") + 1).tolist() == edges
    out = {"rgb": np.full((32, 6), np.nan, np.float32)}
    assert sampler.sample_into({"rgb": x}, RNG, out) == 32
    np.testing.assert_array_equal(out["rgb"], wanted)
    scores, spread = np.arange(32.0), np.full(t, 31.0)
    for i in range(32):  # as Test_Anomaly_Detector fills the rows, where later segments overwrite earlier ones
        spread[edges[i] - 1 : max(edges[i], edges[i + 1] - 1)] = scores[i]
    spread[edges[-1] - 1 :] = 31  # and the last score for the rest
    assert np.array_equal(sampler.spread([scores], t), spread)


@pytest.mark.parametrize("t", LENGTHS)
def test_a_segment_score_is_that_of_its_rows(t):
    x = video(t)
    sampler = SegmentMean(length=32)
    ((piece, real),) = sampler.cut({"rgb": x})
    assert real == 32 and np.array_equal(piece["rgb"], segments_by_hand(x, 32))
    edges = np.linspace(0, t, 33, dtype=int)
    wanted = [max(i for i in range(32) if edges[i] <= row) for row in range(t)]
    assert sampler.spread([np.arange(32.0)], t).tolist() == wanted


@pytest.mark.parametrize("t", [1, 255, 256, 257, 512, 1200])
def test_chunks_of_a_video(t):
    x = video(t)
    pieces = UniformPad(length=256).cut({"rgb": x})
    assert [real for _, real in pieces] == [256] * (t // 256) + [t % 256] * (t % 256 > 0)
    together = np.concatenate([piece["rgb"] for piece, _ in pieces])
    assert together.shape == (256 * len(pieces), 4)
    assert np.array_equal(together[:t], x) and not together[t:].any()


def test_segment_means_of_one_crop_among_others_that_may_not_be_written_to():
    x = video(77 * 3, 6).reshape(77, 3, 6)
    x.setflags(write=False)
    assert np.array_equal(segment_means(x[:, 1], 32), segments_by_hand(x[:, 1], 32))


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_segment_means_of_other_types(dtype):
    x = video(77).astype(dtype)
    means = segment_means(x, 32)
    assert means.dtype == dtype and np.allclose(means, segments_by_hand(x.astype(np.float32), 32), atol=2e-3)


@pytest.mark.parametrize("sampler", [UniformPad(length=32), SegmentMean(length=32)])
@pytest.mark.parametrize("t", LENGTHS)
def test_sampling_into_an_array_is_sampling(sampler, t):
    streams = {"rgb": video(t, 6), "audio": video(t + 1, 2)}
    wanted, length = sampler.sample(streams, RNG)
    out = {name: np.full_like(x, np.nan) for name, x in wanted.items()}
    assert sampler.sample_into(streams, RNG, out) == length
    assert all(np.array_equal(out[name], wanted[name]) for name in wanted)


def test_edges_do_not_wrap_beyond_16_bits():
    assert segment_edges(70_000, 200)[-1] == 70_000


def test_segments_are_all_real_and_independent_of_other_streams():
    streams, real = SegmentMean(length=8).sample({"rgb": video(50), "audio": video(40, 2)}, RNG)
    assert real == 8
    assert np.array_equal(streams["audio"], segment_means(video(40, 2), 8))


@pytest.mark.parametrize("t", LENGTHS)
def test_uniform_pad_picks_or_pads(t):
    streams, real = UniformPad(length=32).sample({"x": video(t)}, RNG)
    assert real == min(t, 32)
    if t <= 32:
        assert np.array_equal(streams["x"][:t], video(t)) and not streams["x"][t:].any()
    else:
        assert np.array_equal(streams["x"], video(t)[[int(i * (t - 1) / 31 + 1e-9) for i in range(32)]])


def test_even_rows_begin_and_end_with_the_video():
    rows = even_rows(1200, 200)
    assert rows[0] == 0 and rows[-1] == 1199 and (np.diff(rows) > 0).all()


def test_real_snippets_are_counted_in_the_first_stream():
    streams, real = UniformPad(length=32).sample({"rgb": video(9), "clip": video(40)}, RNG)
    assert real == 9 and streams["clip"].shape == (32, 4)


def test_a_black_snippet_shortens_a_video_for_the_authors():
    x = video(9)
    x[4] = 0
    assert UniformPad(length=32).sample({"x": x}, RNG)[1] == 9
    assert UniformPad(length=32, count="nonzero").sample({"x": x}, RNG)[1] == 8


def ramp_by_hand(x, lengths):
    x = x.clone()
    for row, length in zip(x, lengths):
        padding = len(row) - length
        for i, alpha in enumerate(torch.linspace(0, 1, padding + 2)[1:-1]):
            row[length + i] = alpha * row[length - 1] + (1 - alpha) * row[length - 2]
    return x


def test_ramp_equals_the_loop():
    x, lengths = torch.from_numpy(video(5 * 12)).view(5, 12, 4), [12, 7, 2, 11, 5]
    assert torch.allclose(ramp(x, torch.tensor(lengths)), ramp_by_hand(x, lengths), atol=1e-6)


def test_ramp_of_one_snippet_starts_at_zero_and_of_none_stays_zero():
    x = torch.zeros(2, 5, 1)
    x[0, 0] = 5.0
    filled = ramp(x, torch.tensor([1, 0]))
    assert torch.allclose(filled[0, :, 0], torch.tensor([5.0, 1.0, 2.0, 3.0, 4.0]))
    assert not filled[1].any()


def batch():
    return {"rgb": torch.ones(2, 10, 3), "flow": torch.ones(2, 10, 2)}, torch.tensor([4, 6])


def test_finish_cuts_to_the_longest_bag():
    streams, lengths = UniformPad(length=10).finish(*batch())
    assert streams["rgb"].shape == (2, 6, 3) and lengths.tolist() == [4, 6]
    assert UniformPad(length=10, cut=False).finish(*batch())[0]["rgb"].shape == (2, 10, 3)
    assert UniformPad(length=10).finish(batch()[0], torch.tensor([0, 0]))[0]["rgb"].shape == (2, 1, 3)


def test_named_streams_keep_their_padding():
    streams, lengths = batch()
    streams = {name: x * (torch.arange(10) < lengths[:, None])[..., None] for name, x in streams.items()}
    filled, _ = UniformPad(length=10, fill="ramp", unfilled=["flow"]).finish(streams, lengths)
    assert filled["rgb"].ne(0).all() and filled["flow"][0, 4:].eq(0).all()


@pytest.mark.parametrize("t", LENGTHS)
def test_a_longer_video_as_means_of_its_parts(t):
    x, length = video(t), 32
    found, real = UniformPad(length=length, longer="mean").sample({"x": x}, RNG)
    assert real == min(t, length)
    wanted = segments_by_hand(x, length) if t > length else np.pad(x, ((0, length - t), (0, 0)))
    np.testing.assert_allclose(found["x"], wanted, atol=1e-6)
