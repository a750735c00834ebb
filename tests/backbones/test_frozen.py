"""A frozen network: loaded once and late, run in batches of one shape, in the precision that was asked for."""

from __future__ import annotations

import io
from multiprocessing.reduction import ForkingPickler

import numpy as np
import pytest
import torch
from torch import nn

from vadkit.backbones.frozen import GPU_BATCH, Frozen, _filled_up, arithmetic, resolve
from vadkit.problems import VadkitError

LOADED = []


class Sums(nn.Module):
    """The sum of each channel of (b, c, h, w), and what it was given."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 1, bias=False)
        self.seen = []
        with torch.no_grad():
            self.conv.weight.copy_(torch.eye(2).view(2, 2, 1, 1))

    def forward(self, x):
        self.seen.append((tuple(x.shape), x.dtype, x.is_contiguous(memory_format=torch.channels_last)))
        return self.conv(x).sum((2, 3))


def load(weights):
    LOADED.append(weights)
    return Sums().requires_grad_(False)


def frozen(**options):
    return Frozen("net", load, None, True, layout=torch.channels_last, **options)


def test_it_loads_when_it_is_first_used_and_once():
    LOADED.clear()
    net = frozen()
    net.recipe()
    assert LOADED == []
    for _ in range(2):
        net.run([torch.ones(2, 3, 3)])
    assert LOADED == [None]


def test_consecutive_inputs_of_one_shape_are_run_together():
    net = frozen(batch=2)
    sizes = [3, 3, 3, 4, 4, 3]
    rows = net.run(torch.full((2, n, n), float(i)) for i, n in enumerate(sizes))
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows[:, 0], [i * n * n for i, n in enumerate(sizes)])
    assert [shape[0] for shape, _, _ in net.network.seen] == [2, 1, 2, 1]
    assert all(channels_last for _, _, channels_last in net.network.seen)


def test_inputs_are_read_as_they_are_needed():
    alive = []
    net = frozen(batch=2)

    def inputs():
        for i in range(6):
            alive.append(i - 2 * len(net.network.seen))
            yield torch.ones(2, 2, 2)

    net.run(inputs())
    assert max(alive) <= 2


def test_precision():
    net = frozen(precision="bf16")
    rows = net.run([torch.full((2, 2, 2), 1.0)])
    assert net.network.seen[0][1] == torch.bfloat16 and rows.dtype == np.float32
    assert net.recipe()["precision"] == "bf16"
    assert frozen().recipe() == {"pretrained": False, "weights": "random", "precision": "fp32"}
    with pytest.raises(ValueError, match="not 'fp16'"):
        frozen(precision="fp16")


@pytest.mark.parametrize("has_it", [True, False])
def test_auto_takes_bf16_where_it_is_fast(monkeypatch, has_it):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has_it)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    assert resolve("auto", "cpu") == ("bf16" if has_it else "fp32")
    assert frozen(precision="auto").recipe()["precision"] == resolve("auto", "cpu")


def test_tf32_is_fp32_without_a_gpu_and_says_so():
    net = frozen(precision="tf32")
    assert net.recipe() == frozen().recipe()
    assert net.note == "precision tf32: tf32 is for GPUs, and this is cpu, so it is the same as fp32"
    assert frozen().note is None and frozen(precision="auto").note is None


@pytest.mark.parametrize(
    ("precision", "capability", "found"),
    [
        ("auto", (9, 0), "tf32"),
        ("auto", (7, 5), "fp32"),
        ("tf32", (8, 0), "tf32"),
        ("tf32", (7, 5), "fp32"),
        ("fp32", (9, 0), "fp32"),
        ("bf16", (9, 0), "bf16"),
    ],
)
def test_a_rule_chooses_the_precision_on_a_gpu(monkeypatch, precision, capability, found):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    net = frozen(precision=precision, device="cuda:0")
    recipe = net.recipe()
    assert (recipe["precision"], recipe["device"]) == (found, "cuda")
    # Only who asks for tf32 lets the algorithms be chosen by a race.
    assert recipe.get("algorithms") == ("timed" if precision == found == "tf32" else None)
    assert (net.note is None) == (
        (precision, found) in {("fp32", "fp32"), ("bf16", "bf16"), ("tf32", "tf32"), ("auto", "fp32")}
    )


def test_switches_are_set_for_the_network_alone(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    cudnn, seen = torch.backends.cudnn, []
    before = (cudnn.allow_tf32, cudnn.benchmark, torch.get_float32_matmul_precision())
    for tf32, timed in ((True, True), (True, False), (False, False)):
        with pytest.raises(KeyError), arithmetic(tf32, timed):
            seen.append((cudnn.allow_tf32, cudnn.benchmark, torch.get_float32_matmul_precision()))
            raise KeyError
        assert before == (cudnn.allow_tf32, cudnn.benchmark, torch.get_float32_matmul_precision())
    assert seen == [(True, True, "high"), (True, False, "high"), (False, False, "highest")]


def test_every_pass_on_a_gpu_has_one_shape(monkeypatch):
    net = frozen(device="cuda:0", batch=3)
    assert net.batch == GPU_BATCH
    x = torch.arange(2.0).view(2, 1, 1)
    assert _filled_up(x, 5)[:, 0, 0].tolist() == [0, 1, 1, 1, 1] and _filled_up(x, 2) is x


def test_a_device_that_is_not_there():
    with pytest.raises(VadkitError, match="'net' cannot use the device cuda:63"):
        frozen(device="cuda:63").run([torch.ones(2, 2, 2)])


def test_it_goes_to_other_processes_without_its_network():
    net = frozen()
    net.run([torch.ones(2, 2, 2)])
    buffer = io.BytesIO()
    ForkingPickler(buffer).dump(net)
    again = ForkingPickler.loads(buffer.getvalue())
    assert again._network is None and net._network is not None
    np.testing.assert_array_equal(again.run([torch.ones(2, 2, 2)]), net.run([torch.ones(2, 2, 2)]))


def test_weights_are_given_or_random():
    with pytest.raises(ValueError, match="both given"):
        Frozen("net", load, "w.pt", True)
    with pytest.raises(VadkitError, match="no weights"):
        Frozen("net", load, None, False).run([torch.ones(2, 2, 2)])
    with pytest.raises(VadkitError, match="no such file"):
        Frozen("net", load, "nowhere.pt", False).run([torch.ones(2, 2, 2)])
