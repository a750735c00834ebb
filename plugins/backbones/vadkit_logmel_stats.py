"""Sound without weights: statistics of a log-mel spectrogram.

Legend: ``s`` snippets, ``n`` samples of a window, ``f`` spectrogram frames, 32 mel bands.

The window is that of VGGish on 16-frame snippets: 15,600 samples (0.975 s) at 16 kHz that end where the
snippet ends, so that either can replace the other.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from vadkit import Backbone, hookimpl

RATE, WINDOW = 16000, 15600
FFT, HOP, FRAME, BANDS = 512, 160, 400, 32
LOW, HIGH, FLOOR = 60.0, 7800.0, 1e-6


class LogmelStats(Backbone):
    """Describe the sound up to a snippet's end: mean, deviation, maximum and mean rise of 32 log-mel bands.

    Out: (s, 128), scaled so that ordinary sound gives about -3..3. The rise is the mean increase of a band
    from frame to frame; it distinguishes bangs from hums.
    """

    name = "logmel_stats"
    modality = "audio"
    dim = 4 * BANDS
    fidelity = "ours"

    def recipe(self) -> dict[str, Any]:
        return {
            "pretrained": False,
            "sample_rate": RATE,
            "window": WINDOW,
            "fft": FFT,
            "hop": HOP,
            "frame": FRAME,
            "bands": BANDS,
            "range": [LOW, HIGH],
            "floor": FLOOR,
            "pool": "mean, deviation, maximum, rise",
        }

    def extract(self, snippets: list[np.ndarray]) -> np.ndarray:
        x = logmel(np.stack(snippets))  # s f 32
        rise = np.maximum(np.diff(x, axis=1), 0).mean(1)
        return np.concatenate([x.mean(1) / 2 + 1.5, x.std(1), x.max(1) / 2, 10 * rise], -1).astype(np.float32)


def logmel(samples: np.ndarray) -> np.ndarray:
    """Return (s, f, 32): the natural logarithm of mel power of samples (s, n). f = 1 + (n - 400) // 160."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME, axis=-1)[:, ::HOP]
    power = np.abs(np.fft.rfft(frames * np.hanning(FRAME + 1)[:-1].astype(np.float32), FFT)) ** 2
    return np.log(power.astype(np.float32) @ _bank() + FLOOR)


@lru_cache(maxsize=1)
def _bank() -> np.ndarray:
    """Return (257, 32): librosa's mel filters, peaks 1."""
    # Only the filters: librosa's feature module compiles for 20 seconds when it is first imported.
    from librosa.filters import mel

    return mel(sr=RATE, n_fft=FFT, n_mels=BANDS, fmin=LOW, fmax=HIGH, norm=None).T.astype(np.float32)


@hookimpl
def vadkit_components() -> list[type]:
    return [LogmelStats]
