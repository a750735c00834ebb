"""The range of every score: what outputs have, what inputs need, and the threshold that goes with a range.

``range`` and ``needs`` of a component are a word or ``{port: word}``, set by the class or by the constructor. A word
holds for every port with one number per snippet (``b t``), a mapping for the ports that it names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from vadkit.kinds import BATCH_PORTS, Range
from vadkit.shapes import parse_ports

RANGES: tuple[Range, ...] = get_args(Range)
PER_SNIPPET = ("b", "t")
USUAL_THRESHOLD = 0.5  # of probabilities


def output_ranges(component: Any) -> dict[str, Range]:
    """Return the range of each output that has one. ``component`` is a built module, or a class."""
    return _by_port(getattr(component, "range", None), component.outputs)


def input_needs(component: Any) -> dict[str, Range]:
    """Return the range that each input port takes, as far as it matters to the component."""
    return _by_port(getattr(component, "needs", None), component.inputs)


def _by_port(declared: Any, written: Mapping[str, str]) -> dict[str, Range]:
    if isinstance(declared, Mapping):
        return dict(declared)
    ports = parse_ports(written).values()
    named = [port.name for port in ports if port.pattern.tokens == PER_SNIPPET and port.name not in BATCH_PORTS]
    return dict.fromkeys(named, declared) if declared is not None else {}


def threshold_of(section: Mapping[str, Any], output_range: str) -> float | None:
    """Return the threshold of an ``eval`` section: null is 0.5 for probabilities, and none for other scores."""
    threshold = section.get("threshold")
    if threshold is None:
        return USUAL_THRESHOLD if output_range == "probability" else None
    return float(threshold)


def outside(threshold: float | None, output_range: str) -> bool:
    """Return whether no score could be below, or none above, a threshold."""
    return threshold is not None and output_range == "probability" and not 0 <= threshold <= 1
