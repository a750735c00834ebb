"""How much of each stream the scored videos lack: part of what figures depend on.

Legend: t snippets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from vadkit.presence import STREAM
from vadkit.problems import plural


class Gaps:
    """Takes the streams of video after video as ``vadkit.data.whole_videos.load`` returns them.

    Args:
        columns: the inputs of the graph in order; empty for a graph that does not take ``presence``.
    """

    def __init__(self, columns: Sequence[str]) -> None:
        self.columns, self.videos, self.snippets = list(columns), 0, 0
        self.absent = dict.fromkeys(columns, 0)  # videos that lack the stream throughout
        self.partly = dict.fromkeys(columns, 0)
        self.lost = dict.fromkeys(columns, 0)  # snippets

    def add(self, streams: Mapping[str, Tensor]) -> None:
        """Count one video."""
        if not self.columns:
            return
        rows = streams[STREAM][0]
        self.videos += 1
        self.snippets += len(rows)
        for column, name in enumerate(self.columns):
            if name not in streams:  # of training only
                continue
            lost = int((rows[:, column] == 0).sum())
            self.lost[name] += lost
            self.absent[name] += lost == len(rows)
            self.partly[name] += 0 < lost < len(rows)

    def protocol(self) -> dict[str, Any]:
        """Return the share of each stream's snippets that is absent, if the graph takes ``presence``."""
        if not self.columns:
            return {}
        return {"absent_share": {name: round(self.lost[name] / max(self.snippets, 1), 4) for name in self.columns}}

    def warnings(self) -> list[str]:
        """Return a sentence for each stream of which something is absent."""
        found = []
        for name in self.columns:
            whole, part = self.absent[name], self.partly[name]
            if whole or part:
                share = self.lost[name] / self.snippets
                found.append(
                    f"stream '{name}' is absent in {whole} of {plural(self.videos, 'video')} and in a part of {part} "
                    f"({share:.0%} of all snippets): they are scored by what is there"
                )
        return found
