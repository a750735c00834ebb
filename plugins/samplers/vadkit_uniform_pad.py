"""Bring a video to training length: pick or average snippets evenly if it is long, pad at the end if it is short.

PEL4VAD (IEEE TIP 2024) and the code of the seed paper (WSV-GST).

Legend: t snippets, c channels, b bags x crops.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from vadkit import Sampler, hookimpl


class UniformPad(Sampler):
    """Take rows floor(linspace(0, t - 1, length)) of a longer video; pad a shorter one with zero rows at its end.

    Each stream is brought to length separately, so two streams of one video are aligned only roughly
    if their t differ. The number of real snippets is that of the **first** stream.

    At test time (``eval.sampler``) a video is cut into chunks of ``length`` rows, one after the other, and the last
    is padded with zero rows, which the mask marks (VadCLIP; its authors add a chunk of zeros where t is a multiple
    of the length, which changes no score).

    ``finish`` cuts a batch to its longest video and may overwrite the padding. "ramp" is what
    WSV-GST does: from the second-last to the last real snippet in equal steps. In every stream it
    starts at the length of the first one, so the zeros of a shorter stream enter the ramp, and the
    tail of a longer one is overwritten. The ramp of a video of one snippet starts at zero; one
    without any stays zero.

    Args:
        length: snippets in training.
        fill: what the padding holds.
        cut: cut a batch to its longest video.
        count: what counts as a real snippet: every "row", or only rows that are not "nonzero" throughout
            (the authors', for whom a black snippet inside a video shortens it at the end).
        unfilled: streams that keep zero padding whatever ``fill`` is (flow, in the authors' code
            for three streams).
        longer: how a longer video is shortened: by the rows that are picked, or by the "mean" of each of ``length``
            parts, floor(linspace(0, t, length + 1)), as VadCLIP does.
    """

    name = "uniform_pad"
    draws = False
    paper = "Pu et al., Learning Prompt-Enhanced Context Features, IEEE TIP 2024"
    fidelity = "code"

    def __init__(
        self,
        *,
        length: int = 200,
        fill: Literal["zero", "ramp"] = "zero",
        cut: bool = True,
        count: Literal["row", "nonzero"] = "row",
        unfilled: list[str] | None = None,
        longer: Literal["pick", "mean"] = "pick",
    ) -> None:
        if length < 1:
            raise ValueError(f"length must be at least 1, not {length}")
        self.length, self.fill, self.cut_to_longest, self.count = length, fill, cut, count
        self.unfilled, self.longer = frozenset(unfilled or ()), longer

    def sample(self, streams: dict[str, np.ndarray], rng: np.random.Generator) -> tuple[dict[str, np.ndarray], int]:
        """Take (t, c) arrays; return them as (length, c) and the number of real snippets."""
        out = {name: np.empty((self.length, *x.shape[1:]), x.dtype) for name, x in streams.items()}
        return out, self.sample_into(streams, rng, out)

    def sample_into(self, streams: dict[str, np.ndarray], rng: np.random.Generator, out: dict[str, np.ndarray]) -> int:
        """As ``sample``, into ``out``."""
        for name, x in streams.items():
            self._bring(x, out[name])
        first = next(iter(streams))
        if self.count == "row":
            return min(len(streams[first]), self.length)
        return int(out[first].any(axis=1).sum())

    def _bring(self, x: np.ndarray, out: np.ndarray) -> None:
        if len(x) > self.length and self.longer == "mean":
            edges = np.linspace(0, len(x), self.length + 1).astype(np.int64)
            np.divide(np.add.reduceat(x, edges[:-1], axis=0), np.diff(edges)[:, None], out=out, casting="unsafe")
        elif len(x) > self.length:
            np.take(x, even_rows(len(x), self.length), axis=0, out=out, mode="clip")  # other modes copy first
        else:
            out[: len(x)] = x
            out[len(x) :] = 0

    def cut(self, streams: dict[str, np.ndarray]) -> list[tuple[dict[str, np.ndarray], int]]:
        """Take (t, c) arrays of one t; return chunks (length, c), each with its number of real rows."""
        t = len(next(iter(streams.values())))
        return [
            ({name: self._chunk(x, start) for name, x in streams.items()}, min(self.length, t - start))
            for start in range(0, t, self.length)
        ]

    def _chunk(self, x: np.ndarray, start: int) -> np.ndarray:
        rows = x[start : start + self.length]
        out = np.zeros((self.length, *x.shape[1:]), x.dtype)
        out[: len(rows)] = rows
        return out

    def finish(self, streams: dict[str, Tensor], lengths: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Take streams (b, t, c) and lengths (b); return both, cut and filled."""
        if self.cut_to_longest:
            longest = max(1, int(lengths.max()))
            streams = {name: x[:, :longest] for name, x in streams.items()}
        if self.fill == "ramp":
            streams = {n: x if n in self.unfilled else ramp(x, lengths) for n, x in streams.items()}
        return streams, lengths


@lru_cache(maxsize=1024)
def even_rows(length: int, wanted: int) -> np.ndarray:
    """Return ``wanted`` row numbers from 0 to length - 1, evenly spread and rounded down, read-only."""
    rows = np.floor(np.linspace(0, length - 1, wanted)).astype(np.int64)
    rows.setflags(write=False)
    return rows


def ramp(x: Tensor, lengths: Tensor) -> Tensor:
    """Return ``x`` (b, t, c) with the rows from ``lengths`` (b) on as a ramp between the two before.

    A row number below 0 counts from the end, as in the authors' code, where the padding is zero.
    """
    t = x.shape[1]
    rows = torch.arange(len(x), device=x.device)
    last, second_last = (x[rows, (lengths - back) % t][:, None] for back in (1, 2))
    step = torch.arange(t, device=x.device) - lengths[:, None] + 1  # 1, 2, ... in the padding
    share = (step / (t - lengths[:, None] + 1)).to(x.dtype)[..., None]
    return torch.where(step[..., None] > 0, share * last + (1 - share) * second_last, x)


@hookimpl
def vadkit_components() -> list[type]:
    return [UniformPad]
