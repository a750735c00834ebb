"""What happens in each clip of the rendered data set: a plain list, decided by one seed.

Four kinds of anomaly, each visible or audible in some modalities only:

    fire       seen in single pictures: a glow that fades in and out and does not move
    fight      seen in motion: a standing group, as there is one in every clip, starts to shove
    gunshots   heard: bangs and screams outside the picture
    explosion  all three: a flash and a fire, people running away, a bang and screams

So that no clip gives its label away by anything but the anomaly, every clip, normal or not, has a
standing group and passers-by in bright clothes, a coloured light that fades in and out, something fast
that crosses the picture, and loud everyday sounds. All cameras see all kinds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Kind = Literal["normal", "fire", "fight", "gunshots", "explosion"]
KINDS: tuple[Kind, ...] = ("normal", "fire", "fight", "gunshots", "explosion")
SHOWS_IN: dict[Kind, str] = {
    "fire": "appearance",
    "fight": "motion",
    "gunshots": "sound",
    "explosion": "all three",
}

FPS, SNIPPET = 12, 8  # a snippet lasts 0.667 s, as 16 frames do at 24 a second
CAMERAS = 4
SECONDS = (7.0, 12.0)  # of a clip
ANOMALY = (2.5, 4.5)  # seconds of it
SEED = 7  # of the data set that the package speaks of


@dataclass(frozen=True)
class Clip:
    """One clip. ``span`` is [start, end) of the anomaly in frames, None in a normal clip."""

    name: str
    split: Literal["train", "test"]
    kind: Kind
    camera: int
    frames: int
    span: tuple[int, int] | None
    seed: tuple[int, int]


def write_script(seed: int = SEED, train: tuple[int, int] = (48, 16), test: tuple[int, int] = (16, 5)) -> list[Clip]:
    """Return all clips. ``train`` and ``test`` count the normal clips and those of each anomaly."""
    rng = np.random.default_rng(seed)
    clips: list[Clip] = []
    for split, (normal, each) in (("train", train), ("test", test)):
        for kind in KINDS:
            for index in range(normal if kind == "normal" else each):
                name = f"{split}_{kind}_{index:02d}"
                clips.append(_clip(rng, name, split, kind, index % CAMERAS, (seed, len(clips))))  # type: ignore[arg-type]
    return clips


def _clip(
    rng: np.random.Generator,
    name: str,
    split: Literal["train", "test"],
    kind: Kind,
    camera: int,
    seed: tuple[int, int],
) -> Clip:
    frames = round(rng.uniform(*SECONDS) * FPS)
    length = round(rng.uniform(*ANOMALY) * FPS)
    start = int(rng.integers(FPS, frames - length - FPS // 2))
    span = None if kind == "normal" else (start, start + length)
    return Clip(name, split, kind, camera, frames, span, seed)
