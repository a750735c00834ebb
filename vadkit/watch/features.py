"""The features of snippets as they come: of several cameras in one call of each backbone.

Legend: ``s`` snippets, ``dim`` the backbone's width.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np

from vadkit.extract.stages import row_shape
from vadkit.kinds import Backbone
from vadkit.problems import fail
from vadkit.watch.cuts import Cut, Window

Row = dict[str, np.ndarray]  # stream -> (dim,), or (crops, dim) if there are several crops


class Features:
    """Runs the frozen backbones. Streams of equal backbone and recipe are computed once, as extraction does."""

    def __init__(self, backbones: Mapping[str, Backbone]) -> None:
        self.backbones = dict(backbones)
        self.same: dict[str, list[str]] = {}
        for name, backbone in backbones.items():
            key = json.dumps([type(backbone).__qualname__, backbone.recipe()], sort_keys=True)
            self.same.setdefault(key, []).append(name)

    def of(self, cuts: Sequence[Cut], windows: Sequence[Mapping[str, Window]]) -> list[Row]:
        """Return the features of every snippet; ``windows`` are those of its source, by stream."""
        rows: list[Row] = [{} for _ in cuts]
        for names in self.same.values():
            backbone = self.backbones[names[0]]
            found = self._rows(names[0], backbone, self._inputs(names[0], backbone, cuts, windows))
            for row, value in zip(rows, found):
                row.update(dict.fromkeys(names, value))
        return rows

    def _inputs(
        self, name: str, backbone: Backbone, cuts: Sequence[Cut], windows: Sequence[Mapping[str, Window]]
    ) -> list[np.ndarray]:
        if backbone.modality == "audio":
            return [cut.sound[window[name]] for cut, window in zip(cuts, windows)]
        return [cut.joined if backbone.modality == "flow" else cut.plain for cut in cuts]

    def _rows(self, name: str, backbone: Backbone, inputs: list[np.ndarray]) -> np.ndarray:
        found = np.asarray(backbone.extract(inputs), np.float32)
        wanted = (len(inputs), *row_shape(backbone))
        if found.shape != wanted:
            raise ValueError(f"backbone of stream '{name}' gave {found.shape}, not {wanted}")
        if not np.isfinite(found).all():
            fail(f"the backbone of stream '{name}' gave numbers that are not finite")
        return found
