"""Ctrl-C and SIGTERM end long work between two steps, when everything is whole and can be saved."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any


class Interrupt:
    """While entered, the first signal sets ``signal``; a second one stops at once, without saving.

    Only the main thread can watch signals; elsewhere this does nothing. ``notify`` is called at the
    first signal, from the handler.
    """

    def __init__(self, notify: Callable[[str], None] = lambda text: None) -> None:
        self.signal: int | None = None
        self.breakable = False  # set while something long and harmless runs: then stop it right away
        self.whole = False  # the signal broke off something harmless, so all state is that of a whole step
        self._notify = notify
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None:
            raise KeyboardInterrupt
        self.signal = number
        self._notify("stopping after this step; once more to stop without saving")
        if self.breakable:
            self.whole = True
            raise KeyboardInterrupt
