"""A command that is asked to end, by ``kill`` or a batch system, ends as after Ctrl-C: with what it cleans up."""

from __future__ import annotations

import signal
import threading
from types import FrameType


def end_as_interrupted() -> None:
    """Let SIGTERM raise KeyboardInterrupt from now on, unless somebody has decided otherwise."""
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
