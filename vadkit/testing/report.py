"""What the contract test found: promises kept, broken, and not run."""

from __future__ import annotations

from dataclasses import dataclass, field


class Broken(Exception):
    """Raised by a check: the promise is broken, and how."""


class NotRun(Exception):
    """Raised by a check that cannot be run here, and why. Counted, never hidden."""


@dataclass
class Report:
    """The outcome for one component. Keys and entries are promises in plain words."""

    component: str
    kind: str
    kept: list[str] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)
    not_run: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [
            f"{self.component} ({self.kind}): {len(self.kept)} promises kept, "
            f"{len(self.broken)} broken, {len(self.not_run)} not run"
        ]
        lines += [f"  broken: {promise}\n      {how}" for promise, how in self.broken.items()]
        lines += [f"  not run: {promise}\n      {why}" for promise, why in self.not_run.items()]
        return "\n".join(lines)


class ComponentError(AssertionError):
    """A component breaks its contract. ``report`` holds every promise, kept or not."""

    def __init__(self, report: Report) -> None:
        self.report = report
        super().__init__(str(report))
