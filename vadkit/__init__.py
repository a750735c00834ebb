"""vadkit: weakly supervised video anomaly detection from interchangeable, published blocks.

Everything here is loaded when it is first used, so that ``import vadkit`` is cheap.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "hookimpl": "vadkit.hookspecs",
    "build": "vadkit.api",
    "load": "vadkit.api",
    "VadkitError": "vadkit.problems",
    **{
        kind: "vadkit.kinds"
        for kind in (
            "Backbone",
            "Temporal",
            "Fusion",
            "Head",
            "Loss",
            "Sampler",
            "Dataset",
            "Metric",
            "Postprocess",
        )
    },
}

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
        Sampler,
        Temporal,
    )
    from vadkit.problems import VadkitError

__all__ = [
    "Backbone",
    "Dataset",
    "Fusion",
    "Head",
    "Loss",
    "Metric",
    "Postprocess",
    "Sampler",
    "Temporal",
    "VadkitError",
    "__version__",
    "build",
    "hookimpl",
    "load",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'vadkit' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)
