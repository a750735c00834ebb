"""The declared types of the log's lines, by ``kind``; ``vadkit.engine.run_log`` says what they hold."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

Step = Annotated[int, Meta(ge=0, le=2**53)]
NotNegative = Annotated[float, Meta(ge=0)]


class Opening(msgspec.Struct):
    """What runs."""

    step: Step
    seed: int
    select: str
    device: str
    processes: Step
    versions: dict[str, str]


class StartRecord(Opening, tag="start", tag_field="kind"):
    """A run begins."""


class ResumeRecord(Opening, tag="resume", tag_field="kind"):
    """A run continues."""


class TrainRecord(msgspec.Struct, tag="train", tag_field="kind"):
    """An interval. A value that is not finite is null."""

    step: Step
    epoch: NotNegative
    losses: dict[str, float | None]
    lr: dict[str, float]
    seconds: NotNegative
    steps_per_second: NotNegative
    waiting: float
    grad_norm: float | None = None
    weights: dict[str, NotNegative] | None = None


class EvaluationRecord(msgspec.Struct, tag="evaluation", tag_field="kind"):
    """An evaluation."""

    step: Step
    split: str
    select: str
    figures: dict[str, Any]
    note: str | None = None
    final: bool = False


Record = StartRecord | ResumeRecord | TrainRecord | EvaluationRecord
