"""A data set without some of its streams, throughout or in part, to measure what a model makes of the rest.

    without_sound = Without(dataset, {"audio": True})
    losing_sound = Without(dataset, {"audio": lost_blocks(0.75, block=8, seed=1)})

Legend: t snippets, dim the width of a stream.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from zlib import crc32

import numpy as np

from vadkit.presence import THROUGHOUT, Spans, absent_spans, is_throughout, present_rows, spans_of
from vadkit.problems import did_you_mean, fail
from vadkit.video import Video, VideoDataset, crop_of, shape_of

Rows = Callable[[str, int], np.ndarray]
"""Called with the name and the snippets t of a video; returns a bool array (t,), true where the stream is lost."""
Lost = bool | Mapping[str, np.ndarray] | Rows
"""What is lost of a stream: True is all of it; or an array (t,) by video name; or see ``Rows``."""


class Without:
    """A data set whose videos have lost streams. What is lost is zeros, and absent to a graph that takes ``presence``.

    Args:
        dataset: of kind dataset.
        absent: what is lost, by the name of an input of the graph.

    A stream that its video lacked before stays absent. Everything else is the data set's.
    """

    def __init__(self, dataset: VideoDataset, absent: Mapping[str, Lost]) -> None:
        self.dataset, self.lost = dataset, dict(absent)

    def __getattr__(self, name: str) -> Any:
        if name == "dataset":  # a copy that is not filled yet
            raise AttributeError(name)
        return getattr(self.dataset, name)

    def absent(self, video: Video, stream: str) -> Spans:
        """Return the spans of snippets that are absent."""
        before, lost = absent_spans(self.dataset, video, stream), self.lost.get(stream, False)
        if lost is True or is_throughout(before):
            return THROUGHOUT
        return before if lost is False else (*before, *spans_of(self._rows(video, stream, lost)))

    def read(self, video: Video, stream: str) -> np.ndarray:
        """Return (crops, t, dim)."""
        return self._emptied(self.dataset.read(video, stream), video, stream)

    def read_crop(self, video: Video, stream: str, crop: int) -> np.ndarray:
        """Return one crop (t, dim)."""
        return self._emptied(crop_of(self.dataset, video, stream, crop), video, stream)

    def shape(self, video: Video, stream: str) -> tuple[int, int, int]:
        """Return (crops, t, dim)."""
        return shape_of(self.dataset, video, stream)

    def _emptied(self, x: np.ndarray, video: Video, stream: str) -> np.ndarray:
        spans = self.absent(video, stream) if self.lost.get(stream, False) is not False else ()
        return x * present_rows(spans, x.shape[-2])[:, None].astype(x.dtype) if spans else x

    def _rows(self, video: Video, stream: str, lost: Any) -> np.ndarray:
        t = shape_of(self.dataset, video, stream)[1]
        rows = np.asarray(lost(video.name, t) if callable(lost) else lost.get(video.name, np.zeros(t, bool)))
        if rows.dtype != bool or rows.shape != (t,):
            fail(
                f"what is absent of stream '{stream}' of video '{video.name}' is an array {rows.shape} of "
                f"{rows.dtype}; the video has {t} snippets",
                "give a bool for each snippet, True where the stream is lost",
            )
        return rows


def without(dataset: VideoDataset, absent: Mapping[str, Lost] | None, streams: Mapping[str, int]) -> VideoDataset:
    """Return the data set, without what is ``absent``. Raises VadkitError for a stream that is not in ``streams``."""
    for name in absent or ():
        if name not in streams:
            hint = did_you_mean(name, streams) or f"the model takes {', '.join(streams)}"
            fail(f"absent names the stream '{name}', which is no input of the model", hint)
    return Without(dataset, absent) if absent else dataset


def lost_blocks(share: float, block: int = 8, seed: int = 0) -> Rows:
    """Return what loses ``share`` of the snippets of each video, in runs of about ``block``.

    The places depend on seed, video name and t alone; a larger share loses what a smaller one does, and more.
    """
    if not 0 <= share <= 1 or block < 1:
        fail(f"share must be from 0 to 1 and block at least 1, got {share} and {block}")

    def rows(name: str, t: int) -> np.ndarray:
        rng = np.random.default_rng([seed, crc32(name.encode())])
        offset = int(rng.integers(block))
        number = (np.arange(t) + offset) // block
        order = np.argsort(rng.permutation(number[-1] + 1)[number], kind="stable")
        lost = np.zeros(t, bool)
        lost[order[: round(share * t)]] = True
        return lost

    return rows


def describe(lost: Lost) -> str:
    """Return what is lost of a stream, in a word: for the protocol of a figure."""
    return "absent throughout" if lost is True else "there throughout" if lost is False else "absent in part"
