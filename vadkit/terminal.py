"""The one way to the terminal: everything that vadkit prints goes through the streams and consoles of this file.

Names come from files, archives and arguments. What a terminal would obey (escape sequences, control characters,
changes of the reading direction) is shown as "?", what the stream's encoding lacks as a backslash escape, and square
brackets are text. Standard output that cannot be written is reported, and an absent stream is no error.
"""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import ProgressColumn

# C0 but newline and tab, DEL, C1, what sets the direction of reading, and the line breaks of Unicode.
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
BAR = 20  # characters of a progress bar


def clean(text: str) -> str:
    """Return ``text`` with a "?" for each character that a terminal would obey, but for newlines and tabs."""
    return OBEYED.sub("?", text)


def one_line(text: str) -> str:
    """Return ``text`` clean and in one line, as a cell of a table or a bar shows it."""
    return clean(re.sub(r"\s*\n\s*|\t", " ", text.strip("\n")))


def encodable(text: str, encoding: str | None) -> str:
    """Return ``text`` with backslash escapes for what ``encoding`` lacks."""
    encoding = encoding or "utf-8"
    try:
        return text.encode(encoding, "backslashreplace").decode(encoding)
    except (LookupError, UnicodeError):
        return text.encode("ascii", "backslashreplace").decode("ascii")


class OutputLost(Exception):
    """Standard output cannot be written. ``gone``: its reader, such as ``head``, has closed the pipe."""

    def __init__(self, error: OSError) -> None:
        self.gone = isinstance(error, BrokenPipeError)
        super().__init__(f"cannot write to standard output: {error.strerror or error}")


class Encoded(io.TextIOBase):
    """A text stream that takes every character. What cannot be written is lost if the stream is not ``needed``."""

    def __init__(self, stream: Any, needed: bool) -> None:
        self.stream, self.needed = stream, needed

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return getattr(self.stream, "encoding", None) or "utf-8"

    @property
    def buffer(self) -> Any:
        return self.stream.buffer

    def write(self, text: str) -> int:
        self._try(lambda: self.stream.write(encodable(text, getattr(self.stream, "encoding", None))))
        return len(text)

    def flush(self) -> None:
        self._try(self.stream.flush)

    def isatty(self) -> bool:
        return bool(self.stream.isatty())

    def fileno(self) -> int:
        return int(self.stream.fileno())

    def writable(self) -> bool:
        return True

    def _try(self, action: Any) -> None:
        try:
            action()
        except OSError as error:
            with suppress(OSError, ValueError):  # what is still buffered goes nowhere, so that Python ends in peace
                os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())
            if self.needed:
                raise OutputLost(error) from error


class Clean(Encoded):
    """An encoded stream that shows what a terminal would obey as "?"."""

    def write(self, text: str) -> int:
        super().write(clean(text))
        return len(text)


@contextmanager
def clean_streams() -> Iterator[None]:
    """Let standard output and error be clean; absent ones take everything and show nothing."""
    before = sys.stdout, sys.stderr
    _occupy()
    sys.stdout = Clean(before[0] or _nowhere(), needed=True)
    sys.stderr = Clean(before[1] or _nowhere(), needed=False)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def _occupy() -> None:
    """Open what is closed of the first three files, so that no file of the user's takes the place of an output."""
    if None in (sys.stdin, sys.stdout, sys.stderr):
        while (handle := os.open(os.devnull, os.O_RDWR)) <= 2:
            pass
        os.close(handle)


def _nowhere() -> Any:
    return open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  # as long as the process


def console(stderr: bool = False, width: int | None = None) -> Console:
    """Return a console of rich whose text is clean, without markup, and goes to standard output or error."""
    from rich.console import Console
    from rich.segment import Segment

    class CleanConsole(Console):
        def render(self, *args: Any, **more: Any) -> Iterator[Segment]:
            for segment in super().render(*args, **more):
                yield segment if segment.control else segment._replace(text=clean(segment.text))

    stream = sys.stderr if stderr else sys.stdout
    inner = stream.stream if isinstance(stream, Encoded) else stream or _nowhere()
    file: Any = Encoded(inner, needed=not stderr)  # rich writes escape sequences of its own
    return CleanConsole(file=file, width=width, markup=False, highlight=False, emoji=False)


def progress_columns(count: str, kinds: Sequence[type[ProgressColumn]], text: str) -> list[ProgressColumn]:
    """Return the columns of a progress line: how far, a bar, columns of the given kinds, the time left, and a text.

    ``count`` and ``text`` are rich's formats. Where the line is too narrow, the text is cut, not the bar or the time.
    """
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.table import Column

    def whole() -> Column:
        return Column(no_wrap=True)

    times: list[type[ProgressColumn]] = [*kinds, TimeRemainingColumn]
    return [
        TextColumn(count, markup=False, table_column=whole()),
        BarColumn(bar_width=BAR, table_column=whole()),
        *(kind(table_column=whole()) for kind in times),
        TextColumn("left", markup=False, table_column=whole()),
        TextColumn(text, markup=False, table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
    ]
