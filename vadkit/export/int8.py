"""Weights of 8 bits: dynamic quantisation by onnxruntime, measured next to the model that it is of.

Legend: ``b`` bags, ``t`` snippets.
"""

from __future__ import annotations

import logging
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vadkit.export.formats import Runner
from vadkit.export.program import first_line, quiet
from vadkit.problems import fail, plural

TIMED = (1, 200)  # bags and snippets
WARM, ROUNDS = 5, 41
MARGIN = 0.95  # of the time: what is not 5 % faster is not faster
MOST = 0.75  # of the rounds in which it must be faster


@dataclass(frozen=True)
class Trial:
    """Milliseconds of each round, taken in turns, and the largest difference of a score: ``where`` it is."""

    plain_ms: tuple[float, ...]
    int8_ms: tuple[float, ...]
    difference: float
    where: str

    @property
    def medians(self) -> tuple[float, float]:
        """Milliseconds of the float32 file and of this one."""
        return statistics.median(self.plain_ms), statistics.median(self.int8_ms)

    @property
    def rounds_faster(self) -> float:
        """The share of the rounds in which it was faster."""
        return sum(b < a for a, b in zip(self.plain_ms, self.int8_ms)) / len(self.plain_ms)

    def objections(self, within: float) -> list[str]:
        """Return why it should not be used, as parts of a sentence; none if it is faster and close enough."""
        plain, int8 = self.medians
        found = []
        if int8 > MARGIN * plain or self.rounds_faster < MOST:
            found.append("it is not faster")
        if not self.difference <= within:
            found.append(f"it differs by more than {within:g}")
        return found

    def __str__(self) -> str:
        plain, int8 = self.medians
        return (
            f"{plain:.3g} ms in float32, {int8:.3g} ms in int8 ({plain / int8:.2f} x) for {TIMED[1]} snippets, "
            f"median of {plural(len(self.plain_ms), 'round')} in turns, faster in {self.rounds_faster:.0%}; "
            f"largest difference of a score {self.difference:.2g} at {self.where}"
        )


def quantise(plain: Path, int8: Path) -> None:
    """Write the quantised form of an ONNX file. Raises VadkitError if onnxruntime cannot."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    root = logging.getLogger()
    level = root.level
    try:
        root.setLevel(logging.ERROR)  # it advises a step that changes nothing here
        with quiet():
            # Unsigned, because onnxruntime has no convolution of signed weights.
            quantize_dynamic(plain, int8, weight_type=QuantType.QUInt8)
    except Exception as error:  # it raises what its parts raise
        fail(f"onnxruntime cannot quantise the graph: {first_line(error)}", "leave out --int8")
    finally:
        root.setLevel(level)


def in_turns(plain: Runner, int8: Runner, widths: Mapping[str, int]) -> tuple[list[float], list[float]]:
    """Return the milliseconds of both in each round; who begins changes from round to round."""
    rng = np.random.default_rng(0)
    streams = {name: rng.random((*TIMED, width), np.float32) for name, width in widths.items()}
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(WARM + ROUNDS):
        for which in (0, 1) if number % 2 else (1, 0):
            before = time.perf_counter()
            (plain, int8)[which](streams)
            if number >= WARM:
                times[which].append((time.perf_counter() - before) * 1e3)
    return times
