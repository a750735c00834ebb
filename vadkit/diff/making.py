"""Make a few rows of features from a film, as a recipe tells, with or without one thing changed.

Legend: s snippets, f frames, k crops, dim the backbone's width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from torch import Tensor, nn

from vadkit.backbones import flow as flows
from vadkit.backbones.frozen import Frozen
from vadkit.diff.film import Film
from vadkit.kinds import Backbone

Change = Callable[[np.ndarray], np.ndarray]
Fed = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Making:
    """How rows are made. A hypothesis is another Making.

    Attributes:
        backbone: with its arguments.
        fps: of the clock.
        size: height and width of the pictures.
        snippet_frames, stride: of a snippet; from one to the next.
        start: frames by which all snippets begin later.
        hop: seconds from one window of sound to the next; None: those of the stride.
        delay: seconds by which windows of sound lie later.
        pictures: changes the frames (f, h, w, 3) of a snippet.
        samples: changes the samples (n,) of a window.
        flow: changes flow (f - 1, h, w, 2).
        fed: changes what the network is fed, (b, c, ...).
    """

    backbone: Backbone
    fps: float
    size: tuple[int, int]
    snippet_frames: int = 16
    stride: int = 16
    start: int = 0
    hop: float | None = None
    delay: float = 0.0
    pictures: Change | None = None
    samples: Change | None = None
    flow: Change | None = None
    fed: Fed | None = None

    def but(self, **changes: Any) -> Making:
        """Return it with something changed; what changes arrays comes behind what changes them already."""
        return replace(self, **{name: _behind(getattr(self, name), value) for name, value in changes.items()})

    def make(self, film: Film, first: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the numbers of the rows that could be made, of ``count`` from ``first`` on, and (k, s, dim).

        Rows whose frames are not all there are left out. Raises VadkitError as the backbone does.
        """
        if self.backbone.modality == "audio":
            rows, given = np.arange(first, first + count), self._windows(film, first, count)
        else:
            rows, given = self._snippets(film, first, count)
        if not given:
            return rows[:0], np.zeros((1, 0, self.backbone.dim), np.float32)
        with ExitStack() as stack:
            if self.flow:
                stack.enter_context(_changed_flow(self.flow))
            if self.fed:
                self.backbone.extract(given[:1])  # networks are loaded when they are first used
                stack.enter_context(_changed_input(self.backbone, self.fed))
            found = self.backbone.extract(given)
        return rows, found[None] if found.ndim == 2 else found.swapaxes(0, 1)

    def _snippets(self, film: Film, first: int, count: int) -> tuple[np.ndarray, list[np.ndarray]]:
        begins = self.start + self.stride * np.arange(first, first + count)
        longer = int(self.backbone.modality == "flow")  # flow ends at the first frame of the next snippet
        low = max(0, int(begins[0]))
        frames = film.frames(self.fps, low, int(begins[-1]) + self.snippet_frames + longer)
        rows, snippets = [], []
        for row, begin in zip(range(first, first + count), begins - low):
            if begin < 0 or begin + self.snippet_frames > len(frames):
                continue
            snippet = frames[begin : begin + self.snippet_frames + longer]
            rows.append(row)
            snippets.append(np.ascontiguousarray(self.pictures(snippet)) if self.pictures else snippet)
        return np.array(rows, int), snippets

    def _windows(self, film: Film, first: int, count: int) -> list[np.ndarray]:
        told = self.backbone.recipe()
        rate, hop = int(told["sample_rate"]), self.hop or self.stride / self.fps
        window = int(told.get("window") or round(rate * self.snippet_frames / self.fps))
        windows = list(film.windows(rate, window, hop, self.delay, first + count))[first:]
        return [self.samples(window) for window in windows] if self.samples else windows


def _behind(first: Any, second: Any) -> Any:
    if not callable(first) or not callable(second):
        return second
    return lambda x: second(first(x))


@contextmanager
def _changed_flow(change: Change) -> Iterator[None]:
    """Change the optical flow that backbones ask for while the block runs."""
    true, name = flows.optical_flow, "optical_flow"
    setattr(flows, name, lambda *args, **kwargs: change(true(*args, **kwargs)))
    try:
        yield
    finally:
        setattr(flows, name, true)


@contextmanager
def _changed_input(backbone: Backbone, change: Fed) -> Iterator[None]:
    """Change what the backbone's networks are fed while the block runs."""

    def hook(_: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        x = args[0]
        return (change(x.float()).to(x.dtype), *args[1:])

    handles = [network.register_forward_pre_hook(hook) for network in networks(backbone)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def networks(backbone: Backbone) -> list[nn.Module]:
    """Return the networks that hang at a backbone."""
    parts = [part.network if isinstance(part, Frozen) else part for part in vars(backbone).values()]
    return [part for part in parts if isinstance(part, nn.Module)]
