"""How far a verb is: a callback of the caller's, or a bar that rich draws on a terminal or in a notebook."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from vadkit.problems import fail
from vadkit.terminal import console, one_line, progress_columns

Callback = Callable[[float, float | None, str], Any]
"""Called with what is done, what there is in all (None if not known), and the video or losses at hand.

Training counts steps. The other verbs count videos, and fractions of them where one takes long.
"""
Progress = bool | Callback | None


@contextmanager
def showing(progress: Progress, what: str) -> Iterator[Callback]:
    """Give the function that a verb reports to. ``what`` names the verb's work on the bar."""
    if progress is None or progress is False:
        yield lambda done, total, text: None
    elif progress is True:
        with _bar(what) as callback:
            yield callback
    elif callable(progress):
        yield progress
    else:
        fail(f"progress is {progress!r}; it must be True for a bar, or a function (done, total, text)")


@contextmanager
def _bar(what: str) -> Iterator[Callback]:
    """Draw a bar on the error stream, or in the notebook; it is removed at the end. Elsewhere draw nothing."""
    from rich.progress import Progress as Bar
    from rich.progress import TimeElapsedColumn

    screen = console(stderr=True)
    columns = progress_columns("{task.fields[count]}", [TimeElapsedColumn], "{task.description}")
    shown = screen.is_terminal or screen.is_jupyter
    options: dict[str, Any] = {"transient": True, "redirect_stdout": False, "redirect_stderr": False, "expand": True}
    with Bar(*columns, console=screen, disable=not shown, **options) as bar:
        task = bar.add_task("", total=None, count=what)

        def callback(done: float, total: float | None, text: str) -> None:
            count = what if total is None else f"{what} {int(done)}/{int(total)}".strip()
            bar.update(task, completed=done, total=total, description=one_line(text), count=count)

        yield callback
