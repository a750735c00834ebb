"""Cases of TV-L1 optical flow: frames in, the flow of both implementations out, with the case's settings.

What a case does not say is as OpenCV has it by default.
"""

from __future__ import annotations

from typing import Any

import torch
from cases import Case

from systems.errors import NotSupported
from vadkit.backbones.flow import TvL1Settings
from vadkit.backbones.flow.on_device import tvl1_on_device
from vadkit.backbones.flow.tvl1_numba import tvl1_numba

NAMES = {  # OpenCV's name: ours
    "Tau": "tau",
    "Lambda": "weight",
    "Theta": "theta",
    "ScalesNumber": "scales",
    "WarpingsNumber": "warps",
    "Epsilon": "epsilon",
    "InnerIterations": "inner",
    "OuterIterations": "outer",
    "ScaleStep": "step",
    "MedianFiltering": "median",
}


def run(case: Case) -> dict[str, Any]:
    config = case.config
    if config.get("Gamma") or config.get("UseInitialFlow"):
        raise NotSupported("the illumination term and initial flow are left out")
    given = {ours: config[theirs] for theirs, ours in NAMES.items() if theirs in config}
    if "median" in given:
        given["median"] = max(1, given["median"])  # both 0 and 1 are "no filter" there
    settings, frames = TvL1Settings(**given), case.inputs["frames"]
    plain = tvl1_on_device(torch.from_numpy(frames), settings, "torch").permute(0, 2, 3, 1).numpy()
    return {"flow": {"numba": tvl1_numba(frames, settings, 1), "torch": plain}}
