"""What a run reports while it trains. The library prints nothing; ``vadkit.api.train_progress`` shows it."""

from __future__ import annotations

from typing import Any


class Progress:
    """Receives a run's steps, records and notes. This one is silent; override what you want to receive."""

    def round(self, name: str, number: int, count: int) -> None:
        """Round ``number`` of the ``count`` rounds of a recipe begins."""

    def labelling(self, done: int, videos: int) -> None:
        """Between two rounds, ``done`` of ``videos`` are scored."""

    def begin(self, step: int, steps: int) -> None:
        """The run starts after ``step`` steps of ``steps``."""

    def step(self, step: int) -> None:
        """``step`` steps are done."""

    def record(self, record: dict[str, Any]) -> None:
        """A record of the log: see ``vadkit.engine.run_log``."""

    def note(self, text: str) -> None:
        """Something the user should know."""

    def end(self) -> None:
        """The run is over, for whatever reason."""
