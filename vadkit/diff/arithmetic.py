"""What another device or precision does to features, and whether that is all that differs.

A row's error is the length of its difference from exact arithmetic, as a part of its own length. Measured on CPUs:
float32 1e-6, bfloat16 2.2e-3 for I3D and 1e-2 for CLIP. Nothing is measured on a GPU. There the pictures are the same
to the bit, float32 adds in another order, and TF32 keeps three bits more than bfloat16 of what it multiplies. TV-L1
is computed by another form, in which flow differs by up to 0.05 pixels on average; what that does to the features
of a flow network is not measured.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vadkit.backbones.recipe import ARITHMETIC
from vadkit.diff.cause import Cause
from vadkit.diff.evidence import Evidence

HALF = 0.2  # part of what distinguishes rows that half-precision arithmetic changes, at most
MARGIN = 3.0  # times the expected difference up to which nothing else need differ
ERRORS = {"fp32": 1e-6, "tf32": 1e-2 / 8, "bf16": 1e-2}
ORIGINS = {
    "fp32": "measured on CPUs alone",
    "tf32": "an eighth of bf16's, by its mantissa; not measured",
    "bf16": "measured on a CPU",
}


@dataclass(frozen=True)
class Side:
    """How one side was computed."""

    precision: str
    device: str
    timed: bool

    def describe(self) -> str:
        algorithms = ", algorithms by timing" if self.timed else ""
        return f"{self.precision} on a {'GPU' if self.device == 'cuda' else 'CPU'}{algorithms}"


@dataclass(frozen=True)
class Arithmetic:
    """How both sides were computed, where that may explain a difference.

    Attributes:
        a, b: the sides.
        flow: whether it is a stream of flow, which another device computes in another way.
        alone: nothing else differs between the recipes.
    """

    a: Side
    b: Side
    flow: bool
    alone: bool

    @property
    def expected(self) -> float | None:
        """The difference of rows that is expected, as a part of their length; None if that is not known."""
        if self.flow and self.a.device != self.b.device:
            return None
        return ERRORS[self.a.precision] + ERRORS[self.b.precision]

    def verdict(self, cosine: float) -> tuple[str, bool]:
        """Return the cause in words, and whether it explains rows of this mean cosine."""
        found, expected = math.sqrt(max(0.0, 2 - 2 * cosine)), self.expected
        text = f"precision and device: {self.a.describe()} in A, {self.b.describe()} in B; "
        text += f"rows differ by {found:.1g} of their length"
        if expected is None:
            return f"{text}; what is expected of flow on another device is not measured", False
        origins = sorted({f"{side.precision}: {ORIGINS[side.precision]}" for side in (self.a, self.b)})
        text += f", about {expected:.1g} at most is expected ({'; '.join(origins)})"
        if found <= MARGIN * expected:
            return text, True
        return f"{text}: more than that explains", False

    def cause(self, evidence: Evidence) -> Cause | None:
        """Return that it made the difference, if it may have."""
        numbers = evidence.numbers
        if numbers is None or (numbers.values.exact and numbers.values.name != "arithmetic"):
            return None
        if not self.alone and not numbers.values.left < HALF:
            return None
        text, explains = self.verdict(numbers.cosine[1])
        return Cause("computed", text, "certain" if explains and self.alone else "likely", "precision")


def arithmetic_of(a: Mapping[str, Any] | None, b: Mapping[str, Any] | None, flow: bool) -> Arithmetic | None:
    """Return how two recipes' features were computed; None if they say the same, or not what is needed."""
    if not a or not b:
        return None
    sides = [_side(recipe) for recipe in (a, b)]
    one, two = sides
    if one is None or two is None or (one == two and not one.timed):
        return None
    fields = {key for key in {**a, **b} if a.get(key) != b.get(key)}
    return Arithmetic(one, two, flow, fields <= {*ARITHMETIC})


def _side(recipe: Mapping[str, Any]) -> Side | None:
    precision = recipe.get("precision")
    if precision not in ERRORS:
        return None
    return Side(precision, recipe.get("device", "cpu"), recipe.get("algorithms") == "timed")
