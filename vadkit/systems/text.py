"""Text files of a bounded size: cards and tables of names."""

from __future__ import annotations

import os
from pathlib import Path

from vadkit.files import cannot_read, read_text
from vadkit.problems import fail


def bounded_text(path: Path, limit: int, what: str) -> str:
    """Return the text of a file. Raises VadkitError for one that is missing, larger than ``limit`` bytes, or no text.

    ``what`` is what the file should be, as "a card".
    """
    try:
        size = os.path.getsize(path)
        text = read_text(path) if size <= limit else None
    except OSError as error:
        cannot_read(path, error)
    except UnicodeError:
        fail(f"{path} is not UTF-8 text", "save it as UTF-8")
    if text is None:
        fail(f"{path} has {size:,} bytes; {what} has at most {limit:,}")
    return text
