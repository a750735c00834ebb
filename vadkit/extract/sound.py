"""Put sound on the pictures' time line, resample it, and cut the window that ends with each snippet.

Pieces come at the times the file gives them: a hole is filled with silence, an overlap is dropped,
what comes before the first picture is cut. Only the window at hand is held in memory.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import soxr

JITTER = 0.05  # seconds; smaller disagreement between time stamps and sample counts is rounding
LONGEST_HOLE = 3600.0  # seconds; see frame_clock
SILENT = 1e-4  # of what stays below -80 dB nothing can be heard: a microphone that is on is louder
BLOCK = 1 << 20  # samples of silence that are put in at once
ENVELOPE_RATE = 20  # peaks per second, enough to draw a waveform


def is_silent(samples: np.ndarray) -> bool:
    """Return whether nothing of the samples can be heard, as where sound was lost or there never was any."""
    return float(np.abs(samples).max(initial=0.0)) < SILENT


class SoundLine:
    """Brings pieces of one rate into one gapless line that starts at time 0."""

    def __init__(self) -> None:
        self.rate = 0
        self.samples = 0
        self.holes = 0.0
        self.jumps = 0

    def lay(self, time: float, rate: int, mono: np.ndarray) -> Iterator[np.ndarray]:
        """Yield the piece, cut or after silence, in blocks of at most a second of silence."""
        if self.rate and rate != self.rate:  # rare: two recordings glued together
            self.samples = round(self.samples / self.rate * rate)
        self.rate = rate
        missing = round(time * rate) - self.samples
        if -JITTER * rate <= missing <= JITTER * rate and self.samples:
            missing = 0
        if missing > LONGEST_HOLE * rate:
            missing, self.jumps = 0, self.jumps + 1
        if missing > 0:
            self.holes += missing / rate if self.samples else 0.0
            yield from self._put_silence(missing)
        piece = mono[max(0, -missing) :]
        self.samples += len(piece)
        if len(piece):
            yield piece

    def _put_silence(self, missing: int) -> Iterator[np.ndarray]:
        while missing > 0:
            block = min(missing, self.rate)
            self.samples += block
            missing -= block
            yield np.zeros(block, np.float32)


class SoundWindows:
    """Cuts, from sound at any rate, the ``window`` samples at ``rate`` that end where each snippet ends.

    Snippet j ends at ``start`` + (j + 1) * ``seconds``. Windows are padded with zeros, the first ones in front, the
    last ones at the end if the sound ends before the picture.
    """

    def __init__(self, rate: int, window: int, seconds: float, start: float = 0.0) -> None:
        self.rate, self.window, self.seconds, self.start = rate, window, seconds, start
        self.count = 0
        self._buffer = np.zeros(window, np.float32)  # begins `window` samples before time 0
        self._start = -window
        self._resampler: soxr.ResampleStream | None = None
        self._source_rate = 0

    def feed(self, rate: int, mono: np.ndarray) -> Iterator[np.ndarray]:
        """Yield the windows that became complete, float32 (window,)."""
        if rate != self._source_rate:
            yield from self._flush()
            self._resampler = soxr.ResampleStream(rate, self.rate, 1, dtype="float32", quality="HQ")
            self._source_rate = rate
        assert self._resampler is not None
        yield from self._take(self._resampler.resample_chunk(mono))

    def finish(self, snippets: int) -> Iterator[np.ndarray]:
        """Yield the windows up to that of snippet ``snippets`` - 1, over silence if the sound is shorter."""
        yield from self._flush()
        while self.count < snippets:
            missing = self._end(self.count) - self._start - len(self._buffer)
            yield from self._take(np.zeros(min(max(missing, 0), BLOCK), np.float32))

    def overdue(self, snippets: int) -> Iterator[np.ndarray]:
        """Yield the windows up to that of snippet ``snippets`` - 1 as far as they are known, with zeros for the rest.

        Sound that comes later counts for later windows only.
        """
        while self.count < snippets:
            start = self._end(self.count) - self.window - self._start
            window = np.zeros(self.window, np.float32)
            known = self._buffer[max(start, 0) : start + self.window]
            window[max(-start, 0) : max(-start, 0) + len(known)] = known
            yield window
            self.count += 1
            self._forget()

    def _end(self, snippet: int) -> int:
        return round((self.start + (snippet + 1) * self.seconds) * self.rate)

    def _flush(self) -> Iterator[np.ndarray]:
        if self._resampler is not None:
            yield from self._take(self._resampler.resample_chunk(np.zeros(0, np.float32), last=True))
            self._resampler = None

    def _take(self, samples: np.ndarray) -> Iterator[np.ndarray]:
        self._buffer = np.concatenate([self._buffer, samples])
        while (end := self._end(self.count) - self._start) <= len(self._buffer):
            yield self._buffer[end - self.window : end].copy()
            self.count += 1
        self._forget()

    def _forget(self) -> None:
        # Of snippets longer than the window, the next one may begin after all that has come.
        past = min(self._end(self.count) - self.window - self._start, len(self._buffer))
        if past > 0:
            self._buffer, self._start = self._buffer[past:], self._start + past


class Envelope:
    """Keeps the loudest sample of every 1 / ``ENVELOPE_RATE`` second, for drawing."""

    def __init__(self) -> None:
        self.peaks: list[float] = []
        self._seconds = 0.0

    def feed(self, rate: int, mono: np.ndarray) -> None:
        place = ((self._seconds + np.arange(len(mono)) / rate) * ENVELOPE_RATE).astype(np.int64)
        self._seconds += len(mono) / rate
        first = np.flatnonzero(np.diff(place, prepend=-1))
        for where, peak in zip(place[first], np.maximum.reduceat(np.abs(mono), first)):
            self.peaks.extend([0.0] * (int(where) + 1 - len(self.peaks)))
            self.peaks[where] = max(self.peaks[where], float(peak))

    @property
    def silent(self) -> bool:
        return is_silent(np.asarray(self.peaks))
