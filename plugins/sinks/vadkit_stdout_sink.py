"""Events as lines of JSON on the standard output, for another program to read."""

from __future__ import annotations

import sys
from pathlib import Path

from vadkit import Sink, hookimpl
from vadkit.sinks import Event


class StdoutSink(Sink):
    """Print each message of an event as one line of JSON."""

    name = "stdout"

    def open(self, folder: Path) -> None:
        self.stream = sys.stdout

    def send(self, event: Event) -> None:
        self.stream.write(f"{event.as_json()}\n")
        self.stream.flush()


@hookimpl
def vadkit_components() -> list[type]:
    return [StdoutSink]
