"""Find the frame rate of a file, from what it states and from the time stamps at its beginning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

USUAL_FPS = 25.0  # for files without a rate, e.g. a bare H.264 stream or a still image
STATED = (0.1, 240.0)  # outside of it a stated rate is a mistake unless the time stamps agree
HIGHEST = 1000.0  # a rate above it is a wrong unit of time
LOWEST = 1 / 3600
SLOW = 2.0
MOST_EQUAL = 0.7  # of the pictures; with more of them, time stamps mean nothing
ENOUGH = 4  # steps between pictures from which a rate is taken


@dataclass
class Rate:
    """The frame rate, and which other times of the file are to be believed.

    Without ``stamps``, pictures are placed by the rate. ``durations`` are those of single pictures.
    """

    fps: float
    stamps: bool = True
    durations: bool = True
    warnings: list[str] = field(default_factory=list)


def find_rate(video: Any, packets: Sequence[Any]) -> Rate:
    """Return the rate of a track.

    Args:
        packets: the first ones of the track, in the order of the file.

    The average that a file states is wrong for a recording with a hole, so the steps between pictures count if most
    are alike and differ from it.
    """
    stated = [float(rate) for rate in (video.average_rate, video.guessed_rate, video.base_rate) if rate]
    usual = next((rate for rate in stated if STATED[0] <= rate <= STATED[1]), None)
    steps = _Steps.of(packets)
    if steps.equal > MOST_EQUAL * steps.count:
        text = f"{steps.equal} of the first {steps.count} pictures have the time stamp of the one before"
        return _without_stamps(usual, text)
    if steps.usual is None:
        return _assumed(usual)
    rate = 1 / steps.usual
    if rate > HIGHEST * 1.05 or rate < LOWEST * 0.95:
        return _without_stamps(usual, f"the time stamps of pictures are {steps.usual:.3g} s apart, which cannot be")
    near = [other for other in stated if _alike(1 / other, steps)]
    mean = _mean(video)
    if near:
        rate = usual if usual is not None and usual in near else near[0]
        if rate < SLOW:  # few pictures, whose average the length of the last one decides
            rate = min(near, key=partial(_distance, steps.usual))
    else:
        rate = float(f"{mean if mean > 1.06 * rate else rate:.5g}")
    return Rate(rate, durations=0.5 < steps.lasts / steps.usual < 2)


def _assumed(usual: float | None) -> Rate:
    if usual is not None:
        return Rate(usual)
    return Rate(USUAL_FPS, warnings=[f"the file does not state its frame rate; {USUAL_FPS:g} a second was assumed"])


def _without_stamps(usual: float | None, why: str) -> Rate:
    fps = usual or USUAL_FPS
    whose = "the stated" if usual else "an assumed"
    return Rate(fps, False, False, [f"{why}; pictures were placed at {whose} rate of {fps:g} a second"])


def _mean(video: Any) -> float:
    """Return pictures per second by a file's own count, 0 if it has none."""
    if not video.frames or not video.duration:
        return 0.0
    return float((video.frames - 1) / (video.duration * video.time_base))


def _distance(step: float, rate: float) -> float:
    return abs(1 / rate - step)


def _alike(step: float, steps: _Steps) -> bool:
    assert steps.usual is not None
    return abs(step - steps.usual) <= max(0.04 * steps.usual, 0.55 * steps.resolution)


@dataclass
class _Steps:
    """Times between pictures: ``usual`` one in seconds if most are alike, None otherwise; ``equal`` are 0."""

    count: int = 0
    usual: float | None = None
    equal: int = 0
    lasts: float = 0.0  # the usual duration that is stated of a picture
    resolution: float = 0.0

    @classmethod
    def of(cls, packets: Sequence[Any]) -> _Steps:
        packets = [p for p in packets if p.size and not p.is_discard]
        count = len(packets)
        times = [p.dts for p in packets]
        if sum(t is None for t in times) > 0.05 * count:
            times = sorted(p.pts for p in packets if p.pts is not None)
        times = [t for t in times if t is not None]
        if count < 3 or len(times) < 0.95 * count:
            return cls(count)
        resolution = float(packets[0].time_base)
        gaps = np.diff(np.array(times, np.float64)) * resolution
        forward = gaps[gaps > 0]
        equal = int((gaps == 0).sum()) if len(gaps) >= ENOUGH else 0
        if equal > MOST_EQUAL * count or len(forward) < ENOUGH or (gaps <= 0).mean() > 0.05:
            return cls(count, equal=equal)
        middle = float(np.median(forward))
        close = forward[(forward > 0.5 * middle) & (forward < 1.75 * middle)]
        narrow = np.abs(forward - middle) <= 0.26 * middle + 1.01 * resolution
        if narrow.mean() < 0.7:
            return cls(count)
        lasts = float(np.median([p.duration or 0 for p in packets])) * resolution
        return cls(count, float(close.mean()), lasts=lasts, resolution=resolution)
