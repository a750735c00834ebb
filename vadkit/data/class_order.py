"""The order of the classes in training: that of the data set, or of ``data.classes``."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vadkit.problems import VadkitError, fail, unknown
from vadkit.video import Video, VideoDataset


class ClassOrder:
    """Says of a video which columns are its classes. The first class is normal.

    Args:
        dataset: its classes are used.
        names: its classes in another order (``data.classes``), or None for its own order.

    Raises VadkitError for a name that is not a class of the data set, or where the first is not its normal class.
    """

    def __init__(self, dataset: VideoDataset, names: Sequence[str] | None) -> None:
        self.names = list(dataset.classes if names is None else names)
        self.given = names is not None
        wrong = [name for name in self.names if name not in dataset.classes]
        if wrong:
            raise VadkitError([unknown(name, dataset.classes, "class", "in data.classes") for name in wrong])
        if self.names[0] != dataset.classes[0]:
            fail(
                f"data.classes begins with '{self.names[0]}', but the normal class of the data set is "
                f"'{dataset.classes[0]}'",
                hint="put the normal class first",
            )

    def check(self, videos: Sequence[Video]) -> None:
        """Raise VadkitError for a video that is in no column, if the order of the columns is given."""
        for video in videos if self.given else ():
            if video.label == 1 and not video.classes:
                fail(
                    f"video '{video.name}' is abnormal but has no class, so it is in no column of data.classes",
                    hint="give its classes in the data set, or train without data.classes",
                )
            for name in video.classes:
                if name not in self.names:
                    fail(f"data.classes lacks '{name}', a class of video '{video.name}'", hint="add it")

    def index(self, video: Video) -> int:
        """Return the column of the main class: 0 normal, -1 if it is unknown."""
        if video.label == 0:
            return 0
        return self.names.index(video.classes[0]) if video.classes else -1

    def row(self, video: Video) -> Tensor:
        """Return (classes,), 1 at every class of the video, 0 elsewhere."""
        row = torch.zeros(len(self.names))
        row[[self.names.index(name) for name in video.classes] if video.label else [0]] = 1
        return row
