"""What is compared: where a model was trained, where it is tested, and how many videos of there it was tuned on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vadkit.graph.plan import Plan
from vadkit.problems import fail
from vadkit.store.names import is_plain_name
from vadkit.video import Video

MOST = 1000  # videos of each label to tune on
CLICKS_LOSS = "tuned_clicks"


@dataclass(frozen=True)
class Transfer:
    """A comparison: a config, stores by name, how many videos to tune on, and how.

    ``normal`` are stores of which only the normal videos count: for false alarms. ``tune`` are changes to the config
    while it is tuned, ``steps`` the length of that.
    """

    config: str
    stores: Mapping[str, Path]
    normal: Mapping[str, Path]
    shots: tuple[int, ...] = (1, 5, 20)
    seeds: int = 3
    sets: tuple[str, ...] = ()
    tune: tuple[str, ...] = ()
    steps: int = 50
    clicks: bool = True

    def check(self) -> None:
        """Raise VadkitError for what cannot be compared."""
        if len(self.stores) < 2:
            fail("transfer takes two stores or more", "for example --store indoor=DIR --store street=DIR")
        for name in (*self.stores, *self.normal):
            if not is_plain_name(name):
                fail(f"'{name}' cannot be the name of a store: it becomes the name of a folder")
        if both := sorted(self.stores.keys() & self.normal.keys()):
            fail(f"'{both[0]}' is the name of a store and of a normal one", "give each a name of its own")
        if not all(1 <= k <= MOST for k in self.shots):
            fail(f"shots are {list(self.shots)}; each must be from 1 to {MOST}")


@dataclass(frozen=True, order=True)
class Cell:
    """A way to a model for one test set: trained on ``source``, then tuned on ``shots`` videos of each label."""

    test: str
    source: str
    shots: int = 0
    clicks: bool = False

    @property
    def name(self) -> str:
        """What tables call it."""
        if self.source == self.test:
            return f"{self.source}, its own"
        tuned = f" + {self.shots}" if self.shots else ""
        return f"{self.source}{tuned}{' clicked' if self.clicks else ''}"

    @property
    def folder(self) -> str:
        """Its folder of runs; a model that is not tuned is that of its source."""
        if not self.shots:
            return self.source
        return f"{self.source}/tuned/{self.test}-{self.shots}{'-clicks' if self.clicks else ''}"


def cells(plan: Transfer, clicked: Mapping[str, bool]) -> list[Cell]:
    """Return all cells, test set by test set, its own model first. ``clicked`` says which stores have clicks."""
    found = []
    for test in plan.stores:
        found.append(Cell(test, test))
        for source in plan.stores:
            if source == test:
                continue
            found.append(Cell(test, source))
            for shots in plan.shots:
                found.append(Cell(test, source, shots))
                if plan.clicks and clicked[test]:
                    found.append(Cell(test, source, shots, clicks=True))
    return found


def chosen(videos: Sequence[Video], shots: int, seed: int) -> list[str]:
    """Return the names of ``shots`` training videos of each label, drawn by the seed; fewer where there are no more.

    The videos of fewer shots are among those of more.
    """
    found = []
    for label in (0, 1):
        names = [video.name for video in videos if video.label == label]
        order = np.random.default_rng([seed, label]).permutation(len(names))
        found += [names[i] for i in order[:shots]]
    return found


def tuning(
    plan: Transfer, graph: Plan, cell: Cell, model: Path, store: Path, count: int
) -> tuple[dict[str, Any], list[str]]:
    """Return the config that continues a model on the ``count`` videos of each label of a store, and its changes."""
    found: dict[str, Any] = {
        "extends": plan.config,
        "data": {"args": {"root": str(store)}},
        "train": {"warm_start": {"file": str(model), "nodes": None}},
    }
    if cell.clicks:
        found["data"]["clicks"] = True
        found["losses"] = {CLICKS_LOSS: {"use": "click_splatting", "in": {"scores": str(graph.output)}}}
    batch = max(1, min(graph.spec["data"]["batch"], count))
    # Changes, because those of the user come before them: what holds for every training does not for this one.
    return found, ["train.epochs=null", f"train.steps={plan.steps}", f"data.batch={batch}", *plan.tune]
