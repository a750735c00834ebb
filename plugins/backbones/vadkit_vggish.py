"""VGGish: the 128-d sound features of XD-Violence and AudioSet.

Legend: ``s`` snippets, ``n`` samples, ``f`` spectrogram frames, 64 mel bands.

Paper: Hershey et al., CNN Architectures for Large-Scale Audio Classification, ICASSP 2017. The released
network has 6 convolutions, 4 max pools and 3 linear layers. Papers that mention "16 convolutional
layers followed by 3 fully connected layers" describe VGG-19, for which no such weights or features
exist; this is VGGish as released.

Front end, on librosa: 16 kHz mono, periodic Hann window of 400 samples every 160, not centred, 512-point
FFT, magnitude, 64 bands from 125 to 7500 Hz with triangles that are linear in mel (librosa's own are linear
in Hz, which is off by 0.01), log(x + 0.01). In float64, because float32 is off by up to 5e-4.

Window: the 15,600 samples (96 frames, 0.96 s) that end where the snippet ends, as XD-Violence's authors
describe theirs; their script was never released, so equal numbers are out of reach. Missing sound
is silence, ln 0.01 in every band.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import torch
from einops import rearrange
from torch import Tensor, nn

from vadkit import Backbone, PublicWeights, hookimpl
from vadkit.backbones import Frozen, Precision, State, check_names, fill, randomise, read_weights, sha256

RATE, WINDOW = 16000, 15600
FFT, HOP, FRAME = 512, 160, 400
FRAMES, BANDS, LOW, HIGH, FLOOR = 96, 64, 125.0, 7500.0, 0.01
PLAN = (64, "pool", 128, "pool", 256, 256, "pool", 512, 512, "pool")
DIM = 128
BATCH = 16  # the linear layers read 288 MB of weights for any number of rows


class Vggish(Backbone):
    """Describe the sound of the second up to a snippet's end: 128 features learned on AudioSet.

    Args:
        weights: weight file under the names of harritaylor/torchvggish.
        random_weights: run without a file, with random weights. The features then mean nothing.
        postprocess: ``raw`` embeddings; ``pca``: projected and whitened; ``quantised``: then clipped at +-2
            and rounded to levels 0 to 255, as AudioSet was released.
        pca: file with pca_eigen_vectors (128, 128) and pca_means (128) for the last two.
        precision: fp32, tf32, bf16 or auto; see ``vadkit.backbones.frozen``.
        device: where the network runs.

    In: float32 samples at 16 kHz per snippet, of which the last 15,600 count. Out: (s, 128).
    """

    name = "vggish"
    modality = "audio"
    dim = DIM
    paper = "Hershey et al., CNN Architectures for Large-Scale Audio Classification, ICASSP 2017"
    fidelity = "code"
    licence = "Apache-2.0, as published by Google"
    public_weights = (
        PublicWeights("vggish-10086976.pth", "harritaylor/torchvggish on GitHub, release v0.1", licence, "10086976"),
    )
    example = {"random_weights": True}

    def __init__(
        self,
        *,
        weights: str | None = None,
        random_weights: bool = False,
        postprocess: Literal["raw", "pca", "quantised"] = "raw",
        pca: str | None = None,
        precision: Precision = "fp32",
        device: str = "cpu",
    ) -> None:
        if postprocess not in ("raw", "pca", "quantised"):
            raise ValueError(f"postprocess must be raw, pca or quantised, not '{postprocess}'")
        if (pca is None) != (postprocess == "raw"):
            raise ValueError(f"postprocess: {postprocess} needs {'no' if pca else 'a'} pca file")
        self.postprocess, self.pca = postprocess, pca
        layout = torch.channels_last
        self.frozen = Frozen(self.name, load_network, weights, random_weights, precision, device, BATCH, layout)

    def recipe(self) -> dict[str, Any]:
        recipe = {
            **self.frozen.recipe(),
            "network": "VGGish",
            "sample_rate": RATE,
            "window": WINDOW,
            "log_mel": 1,
            "postprocess": self.postprocess,
        }
        return recipe if self.pca is None else {**recipe, "pca": sha256(self.pca)}

    def extract(self, snippets: list[np.ndarray]) -> np.ndarray:
        x = self.frozen.run(self._examples(snippets))
        if self.pca is None:
            return x
        x = Pca.read(self.pca).project(x)
        return (quantised(x) if self.postprocess == "quantised" else x).astype(np.float32)

    def _examples(self, snippets: list[np.ndarray]) -> Iterator[Tensor]:
        """Yield the spectrogram of each snippet as the network takes it, (1, 96, 64)."""
        for samples in snippets:
            yield torch.from_numpy(log_mel(last_window(samples)).astype(np.float32))[None]


# -- front end -------------------------------------------------------------------------------------
def last_window(samples: np.ndarray) -> np.ndarray:
    """Return the last 15,600 samples, after silence if there are fewer."""
    samples = samples[-WINDOW:]
    return np.pad(samples, (WINDOW - len(samples), 0))


def log_mel(samples: np.ndarray) -> np.ndarray:
    """Return float64 (f, 64) of samples (n,) at 16 kHz, f = 1 + (n - 400) // 160.

    Raises ValueError for less than one frame.
    """
    # Imported here: librosa takes seconds, and building a graph does not need it.
    from librosa.core.spectrum import stft

    if len(samples) < FRAME:
        raise ValueError(f"{len(samples)} samples are fewer than a frame's {FRAME}")
    # librosa puts its window in the middle of the FFT frame, VGGish at its beginning.
    margin = (FFT - FRAME) // 2
    y = np.pad(np.asarray(samples, np.float64), margin)
    spectrum = np.abs(stft(y, n_fft=FFT, hop_length=HOP, win_length=FRAME, window="hann", center=False))
    frames = 1 + (len(samples) - FRAME) // HOP
    return np.log(spectrum.T[:frames] @ mel_matrix() + FLOOR)


@lru_cache(maxsize=1)
def mel_matrix() -> np.ndarray:
    """Return float64 (257, 64): triangles with peak 1 that are linear on the scale 1127 ln(1 + hz / 700)."""
    bins = _mel(np.linspace(0, RATE / 2, FFT // 2 + 1))[:, None]
    edges = np.linspace(_mel(LOW), _mel(HIGH), BANDS + 2)
    low, peak, high = edges[:-2], edges[1:-1], edges[2:]
    matrix = np.maximum(0, np.minimum((bins - low) / (peak - low), (high - bins) / (high - peak)))
    matrix[0] = 0  # the constant part of the sound is in no band
    return matrix


def _mel(hz: Any) -> Any:
    return 1127 * np.log(1 + np.asarray(hz) / 700)


# -- the network -----------------------------------------------------------------------------------
class VggishNetwork(nn.Module):
    """From log-mel examples (s, 1, 96, 64) to features (s, 128), none below 0."""

    def __init__(self) -> None:
        super().__init__()
        self.features, width = nn.Sequential(), 1
        for step in PLAN:
            if isinstance(step, int):
                self.features.extend([nn.Conv2d(width, step, 3, padding=1), nn.ReLU()])
                width = step
            else:
                self.features.append(nn.MaxPool2d(2))
        sizes = (width * 6 * 4, 4096, 4096, DIM)
        layers = [layer for a, b in zip(sizes, sizes[1:]) for layer in (nn.Linear(a, b), nn.ReLU())]
        self.embeddings = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.embeddings(flattened(self.features(x)))


def flattened(x: Tensor) -> Tensor:
    """Take maps (s, c, 6, 4), return rows with the channel innermost, as in TensorFlow, the source of the weights."""
    return rearrange(x, "s c h w -> s (h w c)")


def load_network(weights: str | None) -> nn.Module:
    """Return the network with the weights of a file, or random ones."""
    if weights is not None:
        return load_state(read_weights(weights), weights)
    with torch.device("meta"):
        network = VggishNetwork()
    return randomise(network)


def load_state(state: State, path: str) -> VggishNetwork:
    """Return the network with weights under their official names. Raises VadkitError if they do not fit."""
    with torch.device("meta"):
        network = VggishNetwork()
    wanted = {name: tensor.shape for name, tensor in network.state_dict().items()}
    check_names(state, wanted, path, "VGGish", ("pproc.",), "expected the tensor names of harritaylor/torchvggish")
    fill(network, {name: state[name] for name in wanted})
    return network


# -- post-processing -------------------------------------------------------------------------------
@dataclass(frozen=True)
class Pca:
    """The released projection: vectors (128, 128), one per row, and means (128) or (128, 1)."""

    vectors: Tensor
    means: Tensor

    @classmethod
    def read(cls, path: str) -> Pca:
        """Read a file. Raises VadkitError if it lacks them."""
        state = read_weights(path)
        state = {name.removeprefix("pproc."): tensor for name, tensor in state.items()}
        state = {n: t.reshape(DIM) if n == "pca_means" and t.numel() == DIM else t for n, t in state.items()}
        wanted = {"pca_eigen_vectors": (DIM, DIM), "pca_means": (DIM,)}
        check_names(state, wanted, path, "VGGish's PCA", ("features.", "embeddings."))
        return cls(state["pca_eigen_vectors"], state["pca_means"])

    def project(self, x: np.ndarray) -> np.ndarray:
        """Take (s, 128), return float64 (s, 128): rotated, and whitened by the vectors' lengths."""
        return (x.astype(np.float64) - self.means.double().numpy().ravel()) @ self.vectors.double().numpy().T


def quantised(x: np.ndarray) -> np.ndarray:
    """Round projected features, clipped at +-2, to levels 0 to 255; halves go to even."""
    return np.round((np.clip(x, -2, 2) + 2) * (255 / 4))


@hookimpl
def vadkit_components() -> list[type]:
    return [Vggish]
