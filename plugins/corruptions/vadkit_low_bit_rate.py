"""Sound that was sent at a low bit rate: encoded by Opus, and decoded.

Legend: n samples.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vadkit import Corruption, Track, fail, hookimpl

RATE = 48_000  # samples per second that Opus takes
BLOCK = 960  # samples of a packet


class LowBitRate(Corruption):
    """Encode the sound by Opus at 24 to 6 kbit/s, and decode it. Below 10 kbit/s only 4 kHz of it are left.

    Args:
        severity: from 1 to 5.
    """

    name = "low_bit_rate"
    modality = "audio"
    levels = (24, 16, 12, 8, 6)
    unit = "kbit/s"

    def begin(self, track: Track, rng: np.random.Generator) -> None:
        import soxr

        rate = int(track.rate)
        self.encoder, self.decoder = _codecs(int(self.level * 1000))
        self.up = soxr.ResampleStream(rate, RATE, 1, dtype="float32", quality="HQ")
        self.down = soxr.ResampleStream(RATE, rate, 1, dtype="float32", quality="HQ")
        self.waiting = np.zeros(0, np.float32)  # of the encoder's rate, less than a packet
        self.sent, self.taken, self.given = 0, 0, 0

    def samples(self, samples: np.ndarray) -> np.ndarray:
        """Take float32 (n,); return those that the decoder has given."""
        self.taken += len(samples)
        return self._put_out(self.down.resample_chunk(self._through(self.up.resample_chunk(samples))))

    def last_samples(self) -> np.ndarray:
        tail = self.up.resample_chunk(np.zeros(0, np.float32), last=True)
        # Enough silence for what the encoder and the decoder still hold.
        decoded = self._through(np.concatenate([tail, np.zeros(4 * BLOCK, np.float32)]))
        left = self._put_out(self.down.resample_chunk(decoded, last=True))
        return np.concatenate([left, np.zeros(self.taken - self.given, np.float32)])

    def _put_out(self, samples: np.ndarray) -> np.ndarray:
        """Return no more samples than were taken."""
        kept = samples[: self.taken - self.given]
        self.given += len(kept)
        return kept

    def _through(self, samples: np.ndarray) -> np.ndarray:
        """Return what encoder and decoder make of samples at their rate; less than a packet waits."""
        waiting = np.concatenate([self.waiting, samples])
        whole = len(waiting) // BLOCK * BLOCK
        self.waiting = waiting[whole:]
        found = [np.zeros(0, np.float32)]
        for block in waiting[:whole].reshape(-1, BLOCK):
            for packet in self.encoder.encode(self._packed(block)):
                found += map(_mono, self.decoder.decode(packet))
        return np.concatenate(found)

    def _packed(self, block: np.ndarray) -> Any:
        import av

        frame = av.AudioFrame.from_ndarray(block[None], format="flt", layout="mono")
        frame.sample_rate, frame.pts = RATE, self.sent
        self.sent += BLOCK
        return frame


def _mono(decoded: Any) -> np.ndarray:
    samples = decoded.to_ndarray().reshape(-1)
    full = -float(np.iinfo(samples.dtype).min) if samples.dtype.kind == "i" else 1.0
    return samples.astype(np.float32) / np.float32(full)


def _codecs(bit_rate: int) -> tuple[Any, Any]:
    import av

    try:
        encoder: Any = av.CodecContext.create("libopus", "w")
        decoder: Any = av.CodecContext.create("libopus", "r")
    except (av.FFmpegError, ValueError):
        fail("low_bit_rate needs Opus, which this build of PyAV lacks", "install a build of PyAV with libopus")
    encoder.sample_rate, encoder.layout, encoder.format, encoder.bit_rate = RATE, "mono", "flt", bit_rate
    encoder.open()
    decoder.extradata = encoder.extradata
    decoder.open()
    return encoder, decoder


@hookimpl
def vadkit_components() -> list[type]:
    return [LowBitRate]
