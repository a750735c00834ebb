"""Write a file of a sink."""

from __future__ import annotations

from pathlib import Path

from vadkit.files import write_atomically
from vadkit.problems import VadkitError
from vadkit.sinks.error import SinkError


def write_file(path: Path, data: bytes) -> None:
    """Replace a file by ``data``, all of it or nothing. Raises SinkError if it cannot."""
    try:
        write_atomically(path, data)
    except VadkitError as error:
        raise SinkError(error.first) from error
