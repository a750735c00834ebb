"""A progress bar on the terminal's error stream, removed at the end; nothing elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def bar() -> Iterator[Callable[[str, int, int], None]]:
    """Give a function to report to: (what is done, how much of it, of how much)."""
    from vadkit.api.progress import showing

    with showing(True, "") as callback:
        yield lambda what, done, total: callback(done, total, what)
