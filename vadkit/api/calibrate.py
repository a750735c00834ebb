"""``vadkit.calibrate``: learn when a model's scores are an event, from ordinary footage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import PathLike, fspath
from pathlib import Path

import torch

from vadkit.api.arguments import as_device, as_model, as_path, as_paths
from vadkit.api.progress import Progress, showing
from vadkit.api.stream import stream
from vadkit.calibrate.calibrate import WHOLE, Calibration
from vadkit.calibrate.calibrate import calibrate as run_calibration


def calibrate(
    model: str | PathLike[str],
    normal: str | PathLike[str] | Iterable[str | PathLike[str]],
    *,
    alarms_per_day: float,
    least: float = 0.0,
    cool_down: float = 10.0,
    out: str | PathLike[str] | None = None,
    weights: Mapping[str, str | PathLike[str]] | None = None,
    fps: float | None = None,
    live: bool = False,
    window: int | None = None,
    device: str | torch.device | None = None,
    progress: Progress = None,
) -> Calibration:
    """Learn when a model's scores are an event, so that ordinary footage raises a wanted number of alarms a day.

    The rule is stored in the model's file, whose weights keep their bytes; ``vadkit.predict`` and watching use it.

    Args:
        model: a .safetensors file, or the folder of a run.
        normal: ordinary footage: videos, folders of videos, or a store of features. Videos of a store that are
            labelled abnormal are left out.
        alarms_per_day: events that a day of ordinary footage may raise. The footage must be long enough for 3 of them.
        least: seconds; a shorter stretch of high scores is no event.
        cool_down: seconds after an event in which none begins.
        out: a new file for the model; None changes its own.
        weights: weight files of backbones by input name, if they are not where they were in training.
        fps: frames per second of the videos of a store that does not state them.
        live: score snippet by snippet, as watching does; otherwise as predicting does.
        window: the same in a sliding window of so many snippets, for a graph that looks ahead.
        device: "cpu", "cuda", ...; None is a GPU if there is one.
        progress: True for a bar, or a function (videos done, videos in all, name).

    Returns:
        ``Calibration``: ``learned`` (the ``rule`` with ``on`` and ``off``, the ``interval`` of the rate of alarms,
        ``hours``, ``events``), the ``file``, and ``notes``.

    Raises:
        VadkitError: for footage that is too short for the rate, saying how much is needed, and whatever
            ``vadkit.predict`` refuses.

    Example:
        >>> found = vadkit.calibrate("runs/rgb", "ordinary/", alarms_per_day=2)
        >>> found.learned.rule.on, found.learned.interval
        (0.83, (0.9, 3.6))
    """
    scored = f"live, in a window of {window}" if window is not None else "live" if live else WHOLE
    with showing(progress, "videos") as callback:
        return run_calibration(
            as_model(model, "model"),
            as_paths(normal, "normal"),
            alarms_per_day,
            least_s=least,
            cool_down_s=cool_down,
            out=None if out is None else as_path(out, "out"),
            device=as_device(device),
            weights={name: fspath(Path(file)) for name, file in (weights or {}).items()},
            fps=fps,
            live=None if scored == WHOLE else lambda model: stream(model, window),
            scored=scored,
            on_progress=callback,
        )
