"""VGGish's front end, window and post-processing against their definitions. The network is held by reference cases."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from vadkit_vggish import WINDOW, Pca, Vggish, flattened, last_window, load_state, log_mel, mel_matrix, quantised

from vadkit.problems import VadkitError

RNG = np.random.default_rng(0)


def slow_log_mel(x):
    """Frame by frame and band by band."""
    n = np.arange(400)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * n / 400)
    low, high = (1127 * np.log(1 + hz / 700) for hz in (125, 7500))
    edges = [low + (high - low) * i / 65 for i in range(66)]
    rows = []
    for start in range(0, len(x) - 399, 160):
        magnitude = np.abs(np.fft.rfft(x[start : start + 400] * window, 512))
        row = np.zeros(64)
        for k in range(1, 257):
            mel = 1127 * np.log(1 + k * 16000 / 512 / 700)
            for band in range(64):
                left, peak, right = edges[band : band + 3]
                row[band] += max(0, min((mel - left) / (peak - left), (right - mel) / (right - peak))) * magnitude[k]
        rows.append(np.log(row + 0.01))
    return np.array(rows)


@pytest.mark.parametrize("n", [400, 559, 560, 2001])
@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_log_mel(n, kind):
    x = (0.3 * RNG.normal(size=n)).astype(kind)
    found = log_mel(x)
    assert found.shape == (1 + (n - 400) // 160, 64)
    np.testing.assert_allclose(found, slow_log_mel(x.astype(np.float64)), atol=1e-10)


def test_silence_and_too_little_sound():
    np.testing.assert_allclose(log_mel(np.zeros(WINDOW)), np.full((96, 64), np.log(0.01)))
    with pytest.raises(ValueError, match="399 samples"):
        log_mel(np.zeros(399))


def test_mel_bands_peak_near_one_and_leave_the_constant_out():
    matrix = mel_matrix()
    assert matrix.shape == (257, 64) and matrix.min() == 0 and matrix.max() <= 1
    assert not matrix[0].any() and matrix.any(0).all()


def test_the_window_ends_where_the_snippet_ends():
    x = np.arange(20000, dtype=np.float32)
    np.testing.assert_array_equal(last_window(x), x[20000 - 15600 :])
    short = last_window(x[:10])
    assert len(short) == 15600 and not short[:-10].any() and np.array_equal(short[-10:], x[:10])


def test_the_map_is_flattened_with_channels_innermost():
    x = torch.arange(2 * 5 * 3 * 2).view(2, 5, 3, 2)
    wanted = [x[1, c, h, w] for h in range(3) for w in range(2) for c in range(5)]
    assert torch.equal(flattened(x)[1], torch.stack(wanted))


# -- post-processing -------------------------------------------------------------------------------
def pca():
    return {"pca_eigen_vectors": RNG.normal(size=(128, 128)).astype(np.float32), "pca_means": RNG.normal(size=(128, 1))}


@pytest.mark.parametrize("form", ["npz", "pt of arrays", "pt of tensors", "with the network"])
def test_pca_files(tmp_path, form):
    saved, path = pca(), tmp_path / "pca.bin"
    if form == "npz":
        path = tmp_path / "pca.npz"
        np.savez(path, **saved)
    elif form == "pt of arrays":
        torch.save(saved, path)
    else:
        prefix = "pproc." if form == "with the network" else ""
        torch.save({prefix + name: torch.from_numpy(array) for name, array in saved.items()}, path)
    x = RNG.normal(size=(3, 128)).astype(np.float32)
    wanted = np.stack([saved["pca_eigen_vectors"].astype(np.float64) @ (row - saved["pca_means"][:, 0]) for row in x])
    np.testing.assert_allclose(Pca.read(str(path)).project(x), wanted, rtol=1e-6, atol=1e-9)


def test_levels():
    x = np.array([[-9.0, -2.0, 0.0, 2.0, 9.0, 0.4 * 4 / 255 - 2, 1.6 * 4 / 255 - 2]])
    np.testing.assert_array_equal(quantised(x), [[0, 0, 128, 255, 255, 0, 2]])


def test_a_file_that_is_no_pca(tmp_path):
    torch.save({"pca_means": torch.zeros(64)}, tmp_path / "pca.pt")
    with pytest.raises(VadkitError, match="VGGish's PCA .*missing .pca_eigen_vectors.*pca_means is 64, not 128"):
        Pca.read(str(tmp_path / "pca.pt"))


@pytest.mark.parametrize("args", [{"postprocess": "pca"}, {"pca": "x.npz"}, {"postprocess": "levels", "pca": "x.npz"}])
def test_arguments_that_do_not_go_together(args):
    with pytest.raises(ValueError, match="postprocess"):
        Vggish(random_weights=True, **args)


# -- the backbone ----------------------------------------------------------------------------------
def test_post_processing_is_in_the_recipe_and_the_features(tmp_path):
    np.savez(tmp_path / "pca.npz", **pca())
    args = {"random_weights": True, "pca": str(tmp_path / "pca.npz")}
    loud, silent = 0.2 * RNG.normal(size=16000).astype(np.float32), np.zeros(100, np.float32)
    raw, levels = Vggish(random_weights=True), Vggish(postprocess="quantised", **args)
    levels.frozen._network = raw.frozen.network  # 288 MB once is enough
    x, y = raw.extract([loud, silent]), levels.extract([loud, silent])
    assert x.shape == y.shape == (2, 128) and x.dtype == y.dtype == np.float32
    assert x.min() == 0 and np.abs(x[0] - x[1]).max() > 0
    np.testing.assert_array_equal(y, quantised(Pca.read(args["pca"]).project(x)))
    assert levels.recipe()["pca"] != "" and levels.recipe() != Vggish(postprocess="pca", **args).recipe()
    assert raw.recipe()["window"] == 15600 and raw.recipe()["sample_rate"] == 16000
    assert not raw.recipe()["pretrained"]


def test_weights_that_do_not_fit_are_told():
    with pytest.raises(VadkitError, match=r"(?s)not those of VGGish \(18 tensors\): 18 missing.*torchvggish"):
        load_state({"conv1.weight": torch.zeros(1)}, "FILE")
    with pytest.raises(VadkitError, match="'vggish' has no weights"):
        Vggish().recipe()
