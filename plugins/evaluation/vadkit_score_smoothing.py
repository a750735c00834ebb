"""Score smoothing: replace the score of a snippet by a mean over a few.

Seed paper (IEEE OJCS 2024), Eq. 20, and PEL4VAD (IEEE TIP 2024), ``slide_smooth``/``fixed_smooth``.

Legend: t snippets.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from vadkit import Postprocess, hookimpl


class ScoreSmoothing(Postprocess):
    """Average scores over kappa snippets: "slide" from each snippet onwards, "fixed" in adjacent blocks.

    s~_i = (s_i + ... + s_(i + kappa - 1)) / kappa. The window extends into the future, so a live score is delayed by
    kappa - 1 snippets. The causal "trailing" ends with each snippet instead, and waits for none.

    Quirk of the authors that is kept: after the last snippet they assume zeros ("zero"), so the last
    kappa - 1 scores drop towards 0, and a video of one snippet keeps only 1 / kappa of its score.
    "edge" repeats the last score instead, "shrink" averages the existing ones.
    Deviation: kappa = 1 leaves the scores as they are; the authors refuse it.

    Args:
        kappa: window in snippets.
        mode: "slide" (seed paper, all sets), "fixed" (PEL4VAD on XD-Violence), or "trailing".
        pad: what follows the last snippet, or with "trailing" is before the first.
    """

    name = "score_smoothing"
    paper = "Pu et al., Learning Prompt-Enhanced Context Features, IEEE TIP 2024"
    fidelity = "code"

    def __init__(
        self,
        *,
        kappa: int = 1,
        mode: Literal["slide", "fixed", "trailing"] = "slide",
        pad: Literal["zero", "edge", "shrink"] = "zero",
    ) -> None:
        if kappa < 1:
            raise ValueError(f"kappa must be at least 1, not {kappa}")
        self.kappa, self.mode, self.pad = kappa, mode, pad
        self.lookahead = 0 if mode == "trailing" else kappa - 1
        self.lookback = 0 if mode == "slide" else kappa - 1
        self.period = kappa if mode == "fixed" else 1

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        """Take and return (t,)."""
        if self.kappa == 1 or len(scores) == 0:
            return scores.copy()
        if self.mode == "fixed":
            smooth = self.blocks(scores)[: len(scores)]
        else:  # trailing is sliding from the other end
            smooth = self.slide(scores) if self.mode == "slide" else self.slide(scores[::-1])[::-1]
        return smooth.astype(scores.dtype, copy=False)

    def slide(self, scores: np.ndarray) -> np.ndarray:
        """Return the sliding mean, (t,)."""
        values, counted = self._padded(scores, self.kappa - 1)
        window = np.lib.stride_tricks.sliding_window_view
        return window(values, self.kappa).sum(1) / window(counted, self.kappa).sum(1)

    def blocks(self, scores: np.ndarray) -> np.ndarray:
        """Return block means, each kappa times; the last block is whole, so up to kappa - 1 longer."""
        values, counted = self._padded(scores, -len(scores) % self.kappa)
        mean = values.reshape(-1, self.kappa).sum(1) / counted.reshape(-1, self.kappa).sum(1)
        return mean.repeat(self.kappa)

    def _padded(self, scores: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the scores followed by ``count`` padded ones, and 1 where an entry counts, else 0."""
        value = scores[-1] if self.pad == "edge" else 0
        counts = 0 if self.pad == "shrink" else 1
        values = np.concatenate([scores, np.full(count, value, scores.dtype)])
        return values, np.concatenate([np.ones(len(scores)), np.full(count, counts)])


@hookimpl
def vadkit_components() -> list[type]:
    return [ScoreSmoothing]
