"""What may have made the rest of a difference, where facts leave something: causes that features cannot tell apart.

They are listed as "possible", likelier ones first; making features anew (``trial``) can decide between them.
"""

from __future__ import annotations

from collections.abc import Container

import numpy as np

from vadkit.diff.causes import Cause, Certainty, Modality, is_explained
from vadkit.diff.evidence import Evidence, Numbers

SMALL = 0.03  # what is left, about the mean row, if the picture was almost the same


def likely_network(numbers: Numbers) -> float:
    """Return how much speaks for one network having made both, 0 to 1."""
    return float(np.clip(max(numbers.profile, numbers.centred), 0, 1))


INPUTS: dict[str, tuple[tuple[str, str], ...]] = {
    "rgb": (
        ("normalise", "grey levels brought to another range or mean (normalisation)"),
        ("colour", "BGR for RGB"),
        ("resize", "resized or cropped otherwise, or mirrored"),
        ("start", "snippets that begin some frames earlier or later"),
        ("decoder", "another decoder, or a re-encoded video"),
    ),
    "flow": (
        ("flow", "flow by another method, or bounded and quantised otherwise"),
        ("flow_sign", "flow of the other sign, or x and y swapped"),
        ("resize", "resized or cropped otherwise, or mirrored"),
        ("start", "snippets that begin some frames earlier or later"),
    ),
    "audio": (
        ("sound_shift", "sound windows that lie elsewhere in time"),
        ("resample", "sound resampled, mixed down or scaled otherwise"),
    ),
}


def open_questions(evidence: Evidence, modality: Modality | None, named: Container[str]) -> list[Cause]:
    """Return what may have made the rest of the difference, likelier causes first; none if nothing is left.

    Args:
        named: names of the facts. Rows that lie elsewhere, or that were changed, explain the rest by themselves.
    """
    numbers = evidence.numbers
    if numbers is None or is_explained(evidence):
        return []
    found = []
    one = likely_network(numbers)
    if numbers.values.left < SMALL:
        found.append(
            Cause(
                "precision",
                "half-precision arithmetic, or an almost equal picture (another decoder): "
                f"only {numbers.values.left:.1%} of what tells rows apart differs",
                "likely",
            )
        )
    network = _other_network(numbers)
    if one < 0.3 or "rate" in named or "some_rows" in named:
        return [*found, *network]
    fed = [Cause(name, tell, "possible") for name, tell in _inputs(numbers, modality) if name not in named]
    return [*found, *fed, *network] if one > 0.6 else [*found, *network, *fed]


def _inputs(numbers: Numbers, modality: Modality | None) -> list[tuple[str, str]]:
    """Return what the network may have been fed otherwise. Where each dimension's mean and deviation are the same,
    it saw like pictures at other times, which is a matter of time; where they are not, it saw other pictures."""
    inputs = [*(INPUTS[modality] if modality else (*INPUTS["rgb"], *INPUTS["flow"][:2], *INPUTS["audio"][:1]))]
    if numbers.profile > 0.985 and abs(numbers.scale - 1) < 0.01:
        inputs.sort(key=lambda given: given[0] not in ("start", "sound_shift", "decoder"))
    return inputs


def _other_network(numbers: Numbers) -> list[Cause]:
    one = likely_network(numbers)
    if one > 0.9:
        return []
    if numbers.relations < 0.2 and one < 0.3:
        return [
            Cause(
                "videos",
                "other videos under the same names, or rows in no order: what is alike in A is not in B",
                "possible",
            ),
            Cause("weights", "other weights, or another network", "possible"),
        ]
    certainty: Certainty = "likely" if one < 0.3 else "possible"
    return [Cause("weights", "other weights (random ones?), or another network or layer of the same width", certainty)]
