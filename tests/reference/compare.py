"""Compare results with a case's record and say how far they are off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from cases import Case, Output
from names import same_layout


@dataclass(frozen=True)
class Difference:
    """How far one output is off: ``share`` of its tolerance (up to 1 is equal), and absolutely."""

    output: str
    share: float
    absolute: float
    remark: str = ""

    @property
    def equal(self) -> bool:
        return self.share <= 1 and not self.remark

    def __str__(self) -> str:
        remark = self.remark or f"off by {self.absolute:.3g}, {self.share:.3g} times the tolerance"
        return f"{self.output}: {remark}"


def compare(case: Case, results: Mapping[str, Any]) -> list[Difference]:
    """Return one Difference per output of the case; one that was not computed is infinitely far off."""
    return [_compare(case, name, output, results.get(name)) for name, output in case.outputs.items()]


def _compare(case: Case, name: str, output: Output, result: Any) -> Difference:
    if output.rtol is not None:
        return difference(name, output, result)
    rule = case.given["acceptance"]
    if name != rule["output"]:
        return Difference(name, 0.0, 0.0)  # recorded to show how far releases of the original differ
    return max((accept(f"{name} by {how}", output, flow, rule) for how, flow in result.items()), key=lambda d: d.share)


def accept(name: str, output: Output, flow: Any, rule: Mapping[str, Any]) -> Difference:
    """Hold a flow to its own rule; no entry alone counts, since the early stop makes single pixels chaotic.

    Its ``absolute`` is the mean distance of the flow vectors, in pixels.
    """
    found = np.asarray(output.select(np.asarray(flow)), dtype=np.float64)
    wanted = np.asarray(output.value, dtype=np.float64)
    if found.shape != wanted.shape:
        return Difference(name, np.inf, np.inf, f"is {found.shape}, the record is {wanted.shape}")
    if not np.isfinite(found).all():
        return Difference(name, np.inf, np.inf, "is not finite")
    distance = np.hypot(*np.moveaxis(found - wanted, -1, 0))
    low, high = rule["uint8_range_pixels"]
    ours, theirs = (np.rint((np.clip(x, low, high) - low) * 255 / (high - low)) for x in (found, wanted))
    apart = float((np.abs(ours - theirs) > 1).mean())
    share = max(
        distance.mean() / rule["mean_endpoint_error_at_most"],
        np.percentile(distance, 95) / rule["p95_endpoint_error_at_most"],
        apart / (1 - rule["share_within_one_uint8_level_at_least"]),
    )
    return Difference(name, float(share), float(distance.mean()))


def difference(name: str, output: Output, result: Any) -> Difference:
    if result is None:
        return Difference(name, np.inf, np.inf, "was not computed")
    try:
        found = np.asarray(output.select(np.asarray(result)), dtype=np.float64)
    except IndexError:
        return Difference(name, np.inf, np.inf, f"is {np.shape(result)}, the record is cut from another shape")
    wanted = np.asarray(output.value, dtype=np.float64)
    if same_layout(found.shape, wanted.shape):
        found = found.reshape(wanted.shape)  # originals squeeze: a video of one snippet loses its axis of time
    if found.shape != wanted.shape:
        return Difference(name, np.inf, np.inf, f"is {found.shape}, the record is {wanted.shape}")
    known = ~np.isnan(wanted)
    if not known.any():
        return Difference(name, 0.0, 0.0)
    return _far(name, np.abs(found - wanted)[known], output.atol + output.rtol * np.abs(wanted[known]))


def _far(name: str, off: np.ndarray, allowed: np.ndarray) -> Difference:
    if not np.isfinite(off).all():
        return Difference(name, np.inf, np.inf, "is not finite")
    share = np.divide(off, allowed, out=np.where(off > 0, np.inf, 0.0), where=allowed > 0)
    return Difference(name, float(share.max()), float(off.max()))
