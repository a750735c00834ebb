"""Print a table: drawn by rich on a terminal, plain aligned columns everywhere else.

The plain form neither wraps nor cuts, so that ``vadkit list | grep tca`` finds whole lines.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

Rows = Sequence[Sequence[str]]


def print_table(columns: Sequence[str], rows: Rows) -> None:
    """Print rows of text under their columns."""
    if sys.stdout.isatty():
        _draw(columns, rows)
    else:
        print(plain_table(columns, rows))


def plain_table(columns: Sequence[str], rows: Rows) -> str:
    """Return the table as aligned lines, two spaces between columns."""
    lines = [list(columns), *map(list, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def _draw(columns: Sequence[str], rows: Rows) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)
