"""vadkit: weakly supervised video anomaly detection from interchangeable, published blocks.

Everything here is loaded when it is first used, so that ``import vadkit`` is cheap.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from vadkit.lazy import Package, lazily

__version__ = "0.1.0"

KINDS = (
    "Backbone",
    "Temporal",
    "Fusion",
    "Head",
    "Source",
    "Selector",
    "Loss",
    "Sampler",
    "Dataset",
    "Metric",
    "Postprocess",
    "Labeller",
    "Optimizer",
    "Schedule",
    "Logger",
    "Corruption",
    "Sink",
)

if TYPE_CHECKING:
    from vadkit.api.build import build
    from vadkit.api.calibrate import calibrate
    from vadkit.api.corrupt import corrupt
    from vadkit.api.distill import distill
    from vadkit.api.evaluate import evaluate
    from vadkit.api.export import export
    from vadkit.api.extract import extract
    from vadkit.api.import_weights import import_weights
    from vadkit.api.load import load
    from vadkit.api.predict import predict
    from vadkit.api.score import Scorer, score
    from vadkit.api.stream import stream
    from vadkit.api.train import train
    from vadkit.graph.stepper import Stepper
    from vadkit.hookspecs import hookimpl
    from vadkit.kinds import (
        Backbone,
        Corruption,
        Dataset,
        Fusion,
        Head,
        Labeller,
        Logger,
        Loss,
        Metric,
        Optimizer,
        Postprocess,
        PublicWeights,
        Sampler,
        Schedule,
        Selector,
        Sink,
        Source,
        Temporal,
        Track,
    )
    from vadkit.problems import Problem, VadkitError, fail, nearest
    from vadkit.restatement import Restatement
    from vadkit.video import Video, VideoDataset

__all__ = [
    "Backbone",
    "Corruption",
    "Dataset",
    "Fusion",
    "Head",
    "Labeller",
    "Logger",
    "Loss",
    "Metric",
    "Optimizer",
    "Postprocess",
    "Problem",
    "PublicWeights",
    "Restatement",
    "Sampler",
    "Schedule",
    "Scorer",
    "Selector",
    "Sink",
    "Source",
    "Stepper",
    "Temporal",
    "Track",
    "VadkitError",
    "Video",
    "VideoDataset",
    "__version__",
    "build",
    "calibrate",
    "corrupt",
    "distill",
    "evaluate",
    "export",
    "extract",
    "fail",
    "hookimpl",
    "import_weights",
    "load",
    "nearest",
    "predict",
    "score",
    "stream",
    "train",
]

__getattr__ = lazily(
    "vadkit",
    {
        "vadkit.hookspecs": ("hookimpl",),
        "vadkit.api.build": ("build",),
        "vadkit.api.calibrate": ("calibrate",),
        "vadkit.api.load": ("load",),
        "vadkit.api.import_weights": ("import_weights",),
        "vadkit.api.train": ("train",),
        "vadkit.api.distill": ("distill",),
        "vadkit.api.evaluate": ("evaluate",),
        "vadkit.api.export": ("export",),
        "vadkit.api.predict": ("predict",),
        "vadkit.api.corrupt": ("corrupt",),
        "vadkit.api.extract": ("extract",),
        "vadkit.api.score": ("Scorer", "score"),
        "vadkit.api.stream": ("stream",),
        "vadkit.graph.stepper": ("Stepper",),
        "vadkit.problems": ("Problem", "VadkitError", "fail", "nearest"),
        "vadkit.restatement": ("Restatement",),
        "vadkit.video": ("Video", "VideoDataset"),
        "vadkit.kinds": (*KINDS, "PublicWeights", "Track"),
    },
)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


sys.modules[__name__].__class__ = Package
