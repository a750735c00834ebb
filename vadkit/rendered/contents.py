"""All that is seen and heard in a recording, which happenings add to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from vadkit.demo.sights import Glow
from vadkit.rendered.cast import Actor
from vadkit.rendered.plan import Happening
from vadkit.rendered.traffic import Vehicle


@dataclass
class Contents:
    """What is in a recording of ``frames``.

    ``level`` is the horizon. ``glows`` shine and are drawn last, ``flashes`` are the frames of bursts of light with
    their strengths, ``sparks`` draw into the picture of a frame. ``track`` is the sound, (samples,).
    """

    frames: int
    level: float
    track: np.ndarray
    actors: list[Actor] = field(default_factory=list)
    vehicles: list[Vehicle] = field(default_factory=list)
    glows: list[Glow] = field(default_factory=list)
    flashes: list[tuple[int, float]] = field(default_factory=list)
    sparks: list[Callable[[np.ndarray, int], None]] = field(default_factory=list)


Happen = Callable[[np.random.Generator, Contents, Happening], None]
