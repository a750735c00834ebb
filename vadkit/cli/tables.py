"""Print a table: drawn by rich on a terminal, plain aligned columns everywhere else.

The plain form neither wraps nor cuts, so that ``vadkit list | grep tca`` finds whole lines.
"""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Collection, Sequence

from vadkit.terminal import console, one_line

Rows = Sequence[Sequence[str]]
NARROW = 12  # characters of a cell that is not broken, even between words
LEAST = 8  # to which a column of text may shrink


def print_table(columns: Sequence[str], rows: Rows, right: Collection[str] = ()) -> None:
    """Print rows of text under their columns; numbers are aligned to the ``right``."""
    columns, rows = list(map(one_line, columns)), [list(map(one_line, row)) for row in rows]
    if sys.stdout.isatty():
        _draw(columns, rows, right)
    else:
        print(plain_table(columns, rows, right))


def plain_table(columns: Sequence[str], rows: Rows, right: Collection[str] = ()) -> str:
    """Return the table as aligned lines, two spaces between columns."""
    lines = [list(columns), *map(list, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    aligned = [str.rjust if name in right else str.ljust for name in columns]
    return "\n".join("  ".join(a(c, w) for a, c, w in zip(aligned, line, widths)).rstrip() for line in lines)


def _draw(columns: Sequence[str], rows: Rows, right: Collection[str]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    screen = console()
    kept = _unbroken(columns, rows, screen.width)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for name, whole in zip(columns, kept):
        table.add_column(name, justify="right" if name in right else "left", no_wrap=whole, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    screen.print(table)


def _unbroken(columns: Sequence[str], rows: Rows, width: int) -> list[bool]:
    """Return which columns are never broken into lines: those of names and numbers, so that these can be copied."""
    cells = [[name, *(row[i] for row in rows)] for i, name in enumerate(columns)]
    kept = [all(len(cell) <= NARROW or " " not in cell for cell in column) for column in cells]
    least = sum(max(map(len, column)) if whole else LEAST for column, whole in zip(cells, kept))
    return kept if least + 2 * (len(columns) - 1) <= width else [False] * len(columns)


def unmarked(text: str) -> str:
    """Return a docstring's text without its code marks."""
    return text.replace("``", "")


def fitted(text: str) -> str:
    """Return a docstring as it is printed: on a terminal, in lines no longer than its width."""
    text = unmarked(text)
    width = shutil.get_terminal_size().columns
    if not sys.stdout.isatty() or max(map(len, text.splitlines()), default=0) <= width:
        return text
    return "\n".join(_wrapped(line, width) for line in _logical_lines(text))


def _logical_lines(text: str) -> list[str]:
    """Join the lines of a paragraph, and lines that are indented deeper than the line they continue."""
    lines: list[str] = []
    for line in text.splitlines():
        indent, before = _indent(line), lines[-1] if lines else ""
        starts = not line.strip() or not before.strip() or before.endswith(":") or line.lstrip().startswith("- ")
        if starts or indent < _indent(before) or indent == _indent(before) > 0:
            lines.append(line)
        else:
            lines[-1] += " " + line.strip()
    return lines


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _wrapped(line: str, width: int) -> str:
    indent = " " * _indent(line)
    hanging = indent + " " * (4 if indent else 2 * line.startswith("- "))
    return textwrap.fill(line.strip(), width, initial_indent=indent, subsequent_indent=hanging) if line.strip() else ""
