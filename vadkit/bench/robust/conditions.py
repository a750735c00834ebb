"""Under what a model is scored: corruptions with their severities, and streams that are missing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from vadkit.corrupt.chain import MOST, Damage, parse
from vadkit.data.absent import Lost, lost_blocks
from vadkit.problems import Problem, VadkitError, fail

CLEAN = "clean"
ENCODED = "encoded again"
SEVERITIES = (1, 2, 3, 4, 5)
BLOCK = 3  # snippets that are missing in a run, about
MISSING = "write STREAM, STREAM+STREAM, or STREAM:25,50,75 for percents of its snippets, for example audio"
HOW = "write NAME, NAME:1,3,5 or NAME+NAME:3, for example noise+blur:1,3,5"


@dataclass(frozen=True)
class Condition:
    """One condition.

    Args:
        family: of one curve: the corruptions without their severity, or which streams are missing.
        severity: of all corruptions; 0 for what has none.
        damages: corruptions, in order. Without them and without ``missing``, videos are only encoded again.
        missing: inputs of the graph that are missing.
        share: of the snippets in which they are, in percent.
    """

    family: str
    severity: int = 0
    damages: tuple[Damage, ...] = ()
    missing: tuple[str, ...] = ()
    share: int = 100

    @property
    def name(self) -> str:
        return f"{self.family}:{self.severity}" if self.damages else self.family

    def lost(self, seed: int) -> dict[str, Lost]:
        """Return what is missing, by input, as ``vadkit.data.absent`` takes it; all inputs miss the same snippets."""
        lost: Lost = True if self.share == 100 else lost_blocks(self.share / 100, BLOCK, seed)
        return dict.fromkeys(self.missing, lost)

    @property
    def folder(self) -> str:
        """The name of the folder of its features."""
        return "+".join(f"{damage.name}-{damage.severity}" for damage in self.damages) or "encoded"

    def touches(self, modality: str) -> bool:
        """Return whether features of that modality are extracted again."""
        built = [damage.build() for damage in self.damages]
        if self.missing:
            return False
        if not built or any(corruption.moves_time for corruption in built):
            return True
        return any((corruption.modality == "audio") == (modality == "audio") for corruption in built)

    @property
    def moves_time(self) -> bool:
        return any(damage.build().moves_time for damage in self.damages)

    def amounts(self) -> list[dict[str, Any]]:
        """Return the amount of each corruption, in its unit."""
        built = [(damage, damage.build()) for damage in self.damages]
        return [{"use": damage.name, "level": made.level, "unit": made.unit} for damage, made in built]


def conditions_of(corruptions: Iterable[str], missing: Iterable[str]) -> list[Condition]:
    """Return the conditions that options name, each once. Raises VadkitError with everything that is wrong."""
    found: list[Condition] = []
    problems: list[Problem] = []
    for text in corruptions:
        try:
            found += _corrupted(text)
        except VadkitError as error:
            problems += error.problems
    for text in missing:
        try:
            found += _missing(text)
        except VadkitError as error:
            problems += error.problems
    if problems:
        raise VadkitError(problems)
    if not found:
        fail("there is nothing to score under", f"name corruptions with --with, or streams with --missing; {HOW}")
    unique = list(dict.fromkeys(found))
    return [*([Condition(ENCODED)] if any(one.damages for one in unique) else []), *unique]


def _missing(text: str) -> list[Condition]:
    names, shares = _split(f"--missing {text}", text, "shares", MISSING)
    missing = tuple(dict.fromkeys(name.strip() for name in names.split("+")))
    if not all(missing):
        fail(f"--missing {text}: names no stream", MISSING)
    if not all(1 <= share <= 100 for share in shares or ()):
        fail(f"--missing {text}: shares are percents of the snippets, from 1 to 100")
    listed = " and ".join(missing)
    return [
        Condition(f"without {listed}" if share == 100 else f"{share} % of {listed} missing", 0, (), missing, share)
        for share in shares or (100,)
    ]


def _split(where: str, text: str, what: str, how: str) -> tuple[str, list[int] | None]:
    """Return what is before a colon, and the numbers after it, in order; None without a colon."""
    names, colon, listed = text.partition(":")
    if colon and not re.fullmatch(r"\s*\d{1,3}\s*(,\s*\d{1,3}\s*)*", listed):
        fail(f"{where}: its {what} are not numbers", how)
    return names, sorted({int(part) for part in listed.split(",")}) if colon else None


def _corrupted(text: str) -> list[Condition]:
    names, given = _split(f"--with {text}", text, "severities", HOW)
    severities = given or SEVERITIES
    parts = [part.strip() for part in names.split("+")]
    if len(parts) > MOST:
        fail(f"--with {text}: {len(parts)} corruptions at once are too many; at most {MOST}")
    built = [tuple(parse(f"{part}:{severity}") for part in parts) for severity in severities]
    return [Condition("+".join(parts), damages[0].severity, damages) for damages in built]


def check_missing(conditions: Iterable[Condition], model: str, inputs: Sequence[str]) -> None:
    """Raise VadkitError for a missing stream that the model does not take, and if all of them are missing."""
    for condition in conditions:
        unknown = [name for name in condition.missing if name not in inputs]
        if unknown:
            fail(f"--missing {unknown[0]}: {model} has no such input", f"its inputs are {', '.join(inputs)}")
        if condition.share == 100 and condition.missing and set(condition.missing) >= set(inputs):
            fail(f"--missing {'+'.join(condition.missing)}: no input of {model} is left")
