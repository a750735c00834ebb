"""Cases of TV-L1 optical flow: frames in, the flow of both implementations out, with the case's settings."""

from __future__ import annotations

from typing import Any

from cases import Case

from systems.errors import NotSupported
from vadkit.features.flow import TvL1Settings
from vadkit.features.flow.tvl1_numba import tvl1_numba
from vadkit.features.flow.tvl1_torch import tvl1_torch

NAMES = {  # OpenCV's name: ours
    "Tau": "tau", "Lambda": "weight", "Theta": "theta", "ScalesNumber": "scales", "WarpingsNumber": "warps",
    "Epsilon": "epsilon", "InnerIterations": "inner", "OuterIterations": "outer", "ScaleStep": "step",
    "MedianFiltering": "median",
}  # fmt: skip


def run(case: Case) -> dict[str, Any]:
    if case.config["Gamma"] or case.config["UseInitialFlow"]:
        raise NotSupported("the illumination term and initial flow are left out")
    settings = TvL1Settings(**{ours: case.config[theirs] for theirs, ours in NAMES.items()})
    frames = case.inputs["frames"]
    return {"flow": {"numba": tvl1_numba(frames, settings, 1), "torch": tvl1_torch(frames, settings, "cpu")}}
