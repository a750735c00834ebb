"""vadkit: weakly supervised video anomaly detection from interchangeable, published blocks.

Everything here is loaded when it is first used, so that ``import vadkit`` is cheap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vadkit.lazy import lazily

__version__ = "0.1.0"

KINDS = ("Backbone", "Temporal", "Fusion", "Head", "Loss", "Sampler", "Dataset", "Metric", "Postprocess")

if TYPE_CHECKING:
    from vadkit.api import build, load
    from vadkit.hookspecs import hookimpl
    from vadkit.kinds import (
        Backbone,
        Dataset,
        Fusion,
        Head,
        Loss,
        Metric,
        Postprocess,
        PublicWeights,
        Sampler,
        Temporal,
    )
    from vadkit.problems import Problem, VadkitError, fail, nearest
    from vadkit.video import Video, VideoDataset

__all__ = [
    "Backbone",
    "Dataset",
    "Fusion",
    "Head",
    "Loss",
    "Metric",
    "Postprocess",
    "Problem",
    "PublicWeights",
    "Sampler",
    "Temporal",
    "VadkitError",
    "Video",
    "VideoDataset",
    "__version__",
    "build",
    "fail",
    "hookimpl",
    "load",
    "nearest",
]

__getattr__ = lazily(
    "vadkit",
    {
        "vadkit.hookspecs": ("hookimpl",),
        "vadkit.api": ("build", "load"),
        "vadkit.problems": ("Problem", "VadkitError", "fail", "nearest"),
        "vadkit.video": ("Video", "VideoDataset"),
        "vadkit.kinds": (*KINDS, "PublicWeights"),
    },
)
