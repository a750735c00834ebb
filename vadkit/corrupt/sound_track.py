"""The sound of a file: its level, and all of it at one rate."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import soxr

from vadkit.extract.media import mono
from vadkit.extract.open_file import open_input
from vadkit.extract.tracks import choose_sound


def level_of(path: Path) -> float:
    """Return the root mean square of all samples of a file's sound; 0 without any. Its pictures are not decoded."""
    power, count = 0.0, 0
    for samples in _decoded(path):
        power += float(np.square(samples, dtype=np.float64).sum())
        count += len(samples)
    return math.sqrt(power / count) if count else 0.0


def _decoded(path: Path) -> Iterator[np.ndarray]:
    with open_input(path) as container:
        track, _ = choose_sound(container)
        for packet in container.demux(track) if track is not None else ():
            try:
                frames = packet.decode()
            except (av.FFmpegError, ValueError):
                continue  # a damaged part is left out, as everywhere
            yield from map(mono, frames)


class OneRate:
    """Brings pieces of sound of any rates to one rate."""

    def __init__(self, rate: int) -> None:
        self.rate, self._source = rate, rate
        self._resampler: soxr.ResampleStream | None = None

    def feed(self, rate: int, samples: np.ndarray) -> np.ndarray:
        """Take and return float32 (n,)."""
        before = np.zeros(0, np.float32)
        if rate != self._source:
            before = self.finish()
            self._source = rate
            if rate != self.rate:
                self._resampler = soxr.ResampleStream(rate, self.rate, 1, dtype="float32", quality="HQ")
        after = samples if self._resampler is None else self._resampler.resample_chunk(samples)
        return np.concatenate([before, after])

    def finish(self) -> np.ndarray:
        """Return what is left."""
        last, self._resampler = self._resampler, None
        empty = np.zeros(0, np.float32)
        return empty if last is None else last.resample_chunk(empty, last=True)
