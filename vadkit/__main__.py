"""``vadkit`` and ``python -m vadkit``. An interrupt while the program is loaded ends it without a traceback."""

from __future__ import annotations

import os
import signal
from types import FrameType


def program() -> int:
    """Load and run the command line; return its exit code."""
    usual = signal.getsignal(signal.SIGINT)
    if usual is signal.default_int_handler:  # not if it is ignored, as in a job in the background
        signal.signal(signal.SIGINT, _end)
    from vadkit.cli import main

    signal.signal(signal.SIGINT, usual)
    return main()


def _end(number: int, frame: FrameType | None) -> None:
    os.write(2, b"interrupted\n")
    os._exit(130)


if __name__ == "__main__":
    raise SystemExit(program())
