"""Scores with frame counts, in bounded memory: equal scores are added up, then neighbouring ones.

Legend: n entries, g groups (videos that figures need not tell apart).
"""

from __future__ import annotations

import numpy as np

# score, positive frames, frames, group
Columns = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
TYPES = (np.float64, np.int64, np.int64, np.int32)


class Entries:
    """A table of entries that never holds more than about ``limit`` of them.

    When it is full, entries of one group and score become one, which loses nothing. If that is not
    enough, the scores are cut into cells, and all scores of a cell count as one from then on: a
    partition of the whole line, the same for all groups, so that what is lost can be bounded.
    """

    def __init__(self, limit: int) -> None:
        if limit < 2:
            raise ValueError(f"limit must be at least 2, not {limit}")
        self.limit = limit
        self.cells: np.ndarray | None = None  # lower ends of the cells, rising
        self._chunks: list[Columns] = []
        self._count = 0

    @property
    def exact(self) -> bool:
        """Whether every score is still the one that came in."""
        return self.cells is None

    def add(self, scores: np.ndarray, positives: np.ndarray, frames: np.ndarray, group: int) -> None:
        """Take the snippets of one video, (t,) each."""
        self._chunks.append(
            (
                scores.astype(np.float64),
                positives.astype(np.int64),
                frames.astype(np.int64),
                np.full(len(scores), group, np.int32),
            )
        )
        self._count += len(scores)
        if self._count > self.limit:
            self._settle(self.limit // 2)

    def falling(self) -> Columns:
        """Return all entries, highest score first."""
        if not self.exact:
            self._settle(self.limit)
        columns = self._joined()
        order = np.argsort(-columns[0], kind="stable")
        return tuple(column[order] for column in columns)  # type: ignore[return-value]

    def _joined(self) -> Columns:
        if not self._chunks:
            return tuple(np.zeros(0, kind) for kind in TYPES)  # type: ignore[return-value]
        if len(self._chunks) > 1:
            joined = tuple(np.concatenate(parts) for parts in zip(*self._chunks))
            self._chunks = [joined]  # type: ignore[list-item]
        return self._chunks[0]

    def _settle(self, most: int) -> None:
        """Bring the table down to ``most`` entries, if it can be done without making fewer than 2 cells."""
        columns = self._added_up(self._joined())
        if len(columns[0]) > most:
            self._cut_cells(columns, most)
            columns = self._added_up(columns)
        self._chunks, self._count = [columns], len(columns[0])

    def _cut_cells(self, columns: Columns, most: int) -> None:
        """Choose cells with equally many of the distinct scores, so few that every group fits in."""
        distinct = np.unique(columns[0])  # lower ends of cells themselves, if there were cells before
        groups = len(np.unique(columns[3]))
        cells = max(2, min(most // groups, len(distinct)))
        self.cells = distinct[np.arange(cells) * len(distinct) // cells]

    def _added_up(self, columns: Columns) -> Columns:
        """Return the entries with one per group and score (or cell)."""
        scores, positives, frames, groups = columns
        if self.cells is not None:
            at = np.searchsorted(self.cells, scores, side="right") - 1
            scores = self.cells[np.maximum(at, 0)]  # the lowest cell has no lower end
        order = np.lexsort((scores, groups))
        scores, groups = scores[order], groups[order]
        new = np.r_[True, (scores[1:] != scores[:-1]) | (groups[1:] != groups[:-1])]
        starts = np.flatnonzero(new[: len(scores)])
        added = (np.add.reduceat(column[order], starts) for column in (positives, frames))
        return scores[starts], *added, groups[starts]  # type: ignore[return-value]
