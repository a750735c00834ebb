"""What was found wrong with a store: a file, and what is the matter with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vadkit.problems import Problem


@dataclass(frozen=True)
class Finding:
    """``file`` is below the store; ``cause`` says what is wrong, ``hint`` what to do."""

    file: str
    cause: str
    hint: str | None = None


@dataclass
class Report:
    """What ``verify`` found. ``notes`` are no faults, but should be known."""

    root: Path
    videos: int = 0
    arrays: int = 0
    bytes: int = 0
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        return not self.findings

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        findings = [{"file": f.file, "cause": f.cause, "hint": f.hint} for f in self.findings]
        return {
            "store": str(self.root),
            "is_sound": self.is_sound,
            "videos": self.videos,
            "arrays": self.arrays,
            "bytes": self.bytes,
            "findings": findings,
            "notes": self.notes,
        }


def from_problems(root: Path, file: str, problems: Iterable[Problem]) -> list[Finding]:
    """Return the problems as findings of a file, without its name in front of each."""
    found = []
    for problem in problems:
        where = f"line {problem.place.line}, column {problem.place.column}: " if problem.place else ""
        text = problem.message.removeprefix(f"{root / file}: ").removeprefix(f"{root / file} ")
        found.append(Finding(file, where + text, problem.hint))
    return found
