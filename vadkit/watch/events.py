"""What watching needs of events; they are one idea for live and finished videos, so ``vadkit.events`` has it."""

from __future__ import annotations

from vadkit.events import Event, EventRule, EventTracker

__all__ = ["Event", "EventRule", "EventTracker"]
