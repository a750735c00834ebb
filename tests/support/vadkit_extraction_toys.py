"""Backbones for the tests of extraction: their features are known by heart, or something happens to them.

Also a plugin, for runs from the command line (VADKIT_PLUGINS).
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np

from vadkit import Backbone, hookimpl


class FirstRed(Backbone):
    """Red of the first and of the last frame, and the number of frames: tells which frames a snippet has."""

    name = "first_red"
    modality = "rgb"
    dim = 3

    def __init__(self, *, version: int = 1, delay: float = 0.0) -> None:
        self.version, self.delay = version, delay
        self.calls = 0

    def recipe(self) -> dict[str, Any]:
        return {"version": self.version}

    def extract(self, snippets: list[np.ndarray]) -> np.ndarray:
        self.calls += 1
        time.sleep(self.delay * len(snippets))
        return np.array([[s[0, 0, 0, 0], s[-1, 0, 0, 0], len(s)] for s in snippets], np.float32)


class PairCount(FirstRed):
    """The same of what a flow backbone is given."""

    name = "pair_count"
    modality = "flow"


class Loud(Backbone):
    """Root mean square of the window, and of its last tenth."""

    name = "loud"
    modality = "audio"
    dim = 2

    def recipe(self) -> dict[str, Any]:
        return {"sample_rate": 8000, "window": 4000}

    def extract(self, snippets: list[np.ndarray]) -> np.ndarray:
        return np.array([[np.sqrt(np.mean(s**2)), np.sqrt(np.mean(s[-400:] ** 2))] for s in snippets], np.float32)


class Corners(Backbone):
    """Red of the first frame by crop: five of them."""

    name = "corners"
    modality = "rgb"
    dim = 2
    num_crops = 5

    def recipe(self) -> dict[str, Any]:
        return {"crops": "five"}

    def extract(self, snippets: list[np.ndarray]) -> np.ndarray:
        return np.array([[[s[0, 0, 0, 0], crop] for crop in range(5)] for s in snippets], np.float32)


class Trap(FirstRed):
    """Does something to its process when it meets a picture whose first pixel is bright.

    Args:
        what: "kill", "kill_once" (leaves a file ``note`` and does it no more), "hang", "raise" or "kill_at_once".
    """

    name = "trap"

    def __init__(self, what: str, note: str = "") -> None:
        super().__init__()
        self.what, self.note = what, note

    def extract(self, snippets: list[np.ndarray]) -> np.ndarray:
        if self.what == "kill_at_once":
            os.kill(os.getpid(), signal.SIGKILL)
        if any(s[0, 0, 0].min() > 200 for s in snippets):
            self._spring()
        return super().extract(snippets)

    def _spring(self) -> None:
        if self.what == "raise":
            raise RuntimeError("something gave way")
        if self.what == "hang":
            time.sleep(600)
        if self.what == "kill_once":
            if Path(self.note).exists():
                return
            Path(self.note).touch()
        os.kill(os.getpid(), signal.SIGKILL)


class Broken(FirstRed):
    """Does not work at all."""

    name = "broken"

    def extract(self, snippets: list[np.ndarray]) -> np.ndarray:
        raise RuntimeError("no such instruction")


@hookimpl
def vadkit_components() -> list[type]:
    return [FirstRed, PairCount, Loud, Corners, Broken]
