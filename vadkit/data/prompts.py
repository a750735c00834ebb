"""Text vectors of the classes, one row per class, for losses that compare snippets with text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from vadkit.problems import fail
from vadkit.store.array_file import check_finite, open_features
from vadkit.video import Video


class Prompts:
    """The rows [normal, own class] of a video.

    Args:
        path: .npy file of floats (classes, dim), in the order of ``classes``.
        classes: names of the classes, normal first.
        several: the vector of a video with several classes: that of the "first" one, as in PEL4VAD on
            XD-Violence, or their "mean", as on ShanghaiTech.

    Raises VadkitError for a file that cannot be used or has another number of classes.
    """

    def __init__(self, path: str | Path, classes: Sequence[str], several: Literal["first", "mean"] = "first") -> None:
        self.path, self.classes, self.several = Path(path), list(classes), several
        rows = open_features(self.path)
        check_finite(rows, str(self.path))
        if len(rows) != 1 or rows.shape[1] != len(self.classes):
            fail(
                f"{self.path}: has {rows.shape[1] if len(rows) == 1 else len(rows)} class vectors, but the data set "
                f"has {len(self.classes)} classes ({', '.join(self.classes)})",
                hint="it needs one row per class, in this order",
            )
        self.rows = torch.from_numpy(np.array(rows[0], dtype=np.float32))

    def of(self, video: Video) -> Tensor:
        """Return (2, dim), of a video of known label. Raises VadkitError for an abnormal one of unknown class."""
        if video.label == 0:
            return self.rows[[0, 0]]
        if not video.classes:
            fail(
                f"video '{video.name}' is abnormal but has no class, so there is no prompt for it",
                hint="give its classes in the data set, or train without data.prompts",
            )
        named = video.classes if self.several == "mean" else video.classes[:1]
        own = self.rows[[self.classes.index(name) for name in named]].mean(0)
        return torch.stack([self.rows[0], own])
