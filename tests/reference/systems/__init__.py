"""What it takes to run a case of each system: one module per system, with ``run(case) -> results``.

A case is identified by its system, kind, config and inputs, never by its name. ``results`` maps the
names of the case's outputs to whole arrays in the original's layout; an output with an acceptance rule
of its own may be given by several implementations, ``{how: array}``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import released
from cases import Case
from released import NoSuchFile

from systems import (
    backbones,
    bn_wvad,
    clip_tsa,
    cma_la,
    cupl,
    hl_net,
    lstc,
    macil_sd,
    mavd,
    mgfn,
    msbt,
    pel4vad,
    rtfm,
    seed,
    sultani,
    tvl1,
    ur_dmu,
    vadclip,
)
from systems.errors import NoSuchSystem, NotSupported

__all__ = ["NoSuchFile", "NoSuchSystem", "NotSupported", "run"]

Results = Mapping[str, Any]
RUNNERS: dict[str, Callable[[Case], Results]] = {
    "bn_wvad": bn_wvad.BN_WVAD.run,
    "clip_tsa": clip_tsa.run,
    "clip_vit": backbones.clip_vit,
    "cma_la": cma_la.CMA_LA.run,
    "cupl": cupl.run,
    "hl_net": hl_net.HL_NET.run,
    "i3d_flow": backbones.i3d,
    "i3d_resnet50": backbones.i3d_resnet50,
    "i3d_rgb": backbones.i3d,
    "lstc": lstc.run,
    "macil_sd_full": macil_sd.FULL.run,
    "macil_sd_light": macil_sd.LIGHT.run,
    "mavd": mavd.MAVD.run,
    "mgfn": mgfn.MGFN.run,
    "msbt": msbt.MSBT.run,
    "pel4vad": pel4vad.run,
    "rtfm": rtfm.RTFM.run,
    "seed": seed.run,
    "sultani": sultani.SULTANI.run,
    "tvl1": tvl1.run,
    "ur_dmu": ur_dmu.UR_DMU.run,
    "vadclip": vadclip.run,
    "vggish": backbones.vggish,
}


def run(case: Case) -> Results:
    """Run a case. Raises NoSuchSystem for a system that vadkit has not got, NoSuchFile where a released file is
    missing, NotSupported for a kind of case that its system should support but does not."""
    if case.system not in RUNNERS:
        raise NoSuchSystem(f"no such system: vadkit has no {case.system} yet")
    if case.checkpoint:
        case = replace(case, state=released.state(case))
    return RUNNERS[case.system](case)
