"""Consecutive snippets of one video on a device: their frames once, and what backbones compute of them once.

Legend: ``f`` frames of all snippets together, ``h w`` height, width, ``c`` channels.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

Span = tuple[int, int]  # first frame of a snippet, and one past its last


@dataclass(frozen=True)
class FrameBatch:
    """What a backbone's ``rows`` gets: frames on its device, and which of them each snippet has.

    Snippets may share frames, as those for optical flow do. Backbones of one batch share what ``once`` computes.

    Args:
        frames: uint8 (f, h, w, 3).
        spans: of the snippets, in their order.
    """

    frames: Tensor
    spans: Sequence[Span]
    known: dict[Hashable, Tensor] = field(default_factory=dict)

    def once(self, key: Hashable, compute: Callable[[], Tensor]) -> Tensor:
        """Return what ``compute`` gives, computed by the first backbone that asks for this key."""
        if key not in self.known:
            self.known[key] = compute()
        return self.known[key]

    def cut(self, x: Tensor) -> Iterator[Tensor]:
        """Yield each snippet's part of what was computed of each frame (f, ...)."""
        for start, stop in self.spans:
            yield x[start:stop]

    def cut_pairs(self, x: Tensor) -> Iterator[Tensor]:
        """Yield each snippet's part of what was computed of each frame and its next one (f - 1, ...)."""
        for start, stop in self.spans:
            yield x[start : max(start + 1, stop - 1)]

    def picked(self, pick: Callable[[int], int]) -> FrameBatch:
        """Return the batch of single frames, one per snippet: ``pick`` takes a snippet's length, returns a position."""
        places = [start + pick(stop - start) for start, stop in self.spans]
        # Not indexed by a list, for which the host would wait.
        return FrameBatch(torch.stack([self.frames[i] for i in places]), [(i, i + 1) for i in range(len(places))])

    def __len__(self) -> int:
        return len(self.spans)
