"""How far an exported file is from the model that it is of: at several sizes, and on videos of a store.

Legend: ``b`` bags x crops, ``t`` snippets.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vadkit.data.from_config import open_dataset
from vadkit.data.whole_videos import Align, load, no_video
from vadkit.export.formats import Runner
from vadkit.export.program import first_line, random_inputs
from vadkit.graph.module import VadModel
from vadkit.problems import fail, plural

SIZES = ((1, 1), (1, 2), (2, 7), (3, 64), (1, 500))  # bags and snippets, none as traced
VIDEOS = 16  # of a store


@dataclass(frozen=True)
class Difference:
    """The largest difference of a score of ``what`` was scored, as a share of the largest score if that is above 1."""

    what: str
    bags: int
    snippets: int
    worst: float

    def __str__(self) -> str:
        return f"{self.worst:.2g} at {self.what}"


def at_sizes(model: VadModel, run: Runner) -> list[Difference]:
    """Return the difference at each of ``SIZES``, on random numbers."""
    found = []
    for bags, snippets in SIZES:
        streams = {name: x.numpy() for name, x in random_inputs(model, bags, snippets).items()}
        found.append(difference(model, run, streams, f"{plural(bags, 'bag')} of {plural(snippets, 'snippet')}"))
    return found


def on_videos(model: VadModel, run: Runner, store: Path) -> list[Difference]:
    """Return the difference on each of the first ``VIDEOS`` test videos of a store."""
    return [difference(model, run, streams, f"video '{name}'") for name, streams in videos_of(model, store)]


def videos_of(model: VadModel, store: Path) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Yield name and streams (crops, t, width) of the first test videos of a store."""
    data: dict[str, Any] = dict(model.spec.get("data") or {})
    known = data.get("streams") or {}
    wanted = {name: known.get(name, name) for name in model.input_sizes}
    dataset = open_dataset({"args": {"root": str(store)}, "streams": wanted})
    align: Align = data.get("align") or "first"
    videos = dataset.videos("test")
    if not videos:
        fail(*no_video(dataset, "test"))
    presence = list(model.training_sizes) if model.takes_presence else None
    for video in videos[:VIDEOS]:
        streams = load(dataset, video, list(wanted), model.input_sizes, align, presence)
        yield video.name, {name: np.ascontiguousarray(x.numpy()) for name, x in streams.items()}


def difference(model: VadModel, run: Runner, streams: Mapping[str, np.ndarray], what: str) -> Difference:
    """Return the largest difference of a score for some streams. Raises VadkitError if the file cannot score them."""
    with torch.no_grad():
        wanted = model(**{name: torch.from_numpy(x) for name, x in streams.items()}).numpy()
    try:
        found = run(streams)
    except Exception as error:  # each runtime has errors of its own
        fail(f"the exported file cannot score {what}: {first_line(error)}", "it was not written")
    if found.shape != wanted.shape:
        fail(f"the exported file gives scores {found.shape} for {what}, the model {wanted.shape}", "it was not written")
    bags, snippets = wanted.shape
    apart = np.abs(found.astype(np.float64) - wanted.astype(np.float64)) / max(1.0, float(np.abs(wanted).max()))
    return Difference(what, bags, snippets, float(np.inf if np.isnan(apart).any() else apart.max()))


def worst(differences: list[Difference]) -> Difference:
    """Return the largest one."""
    return max(differences, key=lambda each: each.worst)
