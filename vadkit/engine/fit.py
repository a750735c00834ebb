"""Training in memory: no folder, no log file, no checkpoints. For the demo, the comparison and tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from vadkit.engine.loop import Batches
from vadkit.engine.progress import Progress
from vadkit.engine.records import Log
from vadkit.engine.session import Evaluate, Outcome, Session
from vadkit.graph.schema import with_defaults


def fit(
    model: nn.Module,
    batches: Batches,
    train: Mapping[str, Any] | None = None,
    *,
    device: str | torch.device = "cpu",
    evaluate: Evaluate | None = None,
    metric: str = "ap",
    split: str = "test",
    progress: Progress | None = None,
) -> Outcome:
    """Train ``model`` in place and return how it went (see ``Outcome``); the model is then in eval mode.

    Args:
        model: a built graph (``vadkit.build``), or any module with ``loss(batch) -> {"total": ...}``.
        batches: ``vadkit.data.batches.TrainBatches``, or anything with ``batch(step)`` and ``len``.
        train: keys of the ``train`` section, the rest by default; None takes the model's own. Its
            ``seed`` decides the noise while training; the initial weights are the caller's.
        device: where to train.
        evaluate: model -> figures, called every ``evaluate_every`` steps; ``metric`` is the figure
            that ``select`` goes by and ``split`` what it measures, for the records.
        progress: hears of steps, records and notes.

    A first Ctrl-C ends the run between two steps: ``Outcome.signal`` is then set.
    The state of the global random generators is the same afterwards.

    Example:
        >>> model = vadkit.build("seed_xd_rgb")
        >>> outcome = fit(model, batches, {"steps": 200, "epochs": None})
        >>> outcome.history[-1]["losses"]["total"]
    """
    own: Any = getattr(model, "spec", {}).get("train", {})
    section = with_defaults({"train": dict(own if train is None else train)})["train"]
    session = Session(
        model, batches, section, torch.device(device), evaluate, metric, split, log=Log(progress=progress)
    )
    return session.run()
