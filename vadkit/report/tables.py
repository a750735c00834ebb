"""Tables as HTML."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from vadkit.report.markup import Html, escape
from vadkit.report.ticks import short

Cell = object  # a string (escaped), Html (kept), a number (floats to three decimals) or None (a dash)


def table(
    rows: Sequence[Mapping[str, Cell]] | Sequence[Sequence[Cell]],
    columns: Sequence[str] | None = None,
    *,
    caption: str = "",
) -> Html:
    """Return ``rows`` as a table that scrolls sideways where it is too wide.

    Args:
        rows: mappings by column name, or sequences in the order of ``columns``.
        columns: names in order; by default those of the first mapping, then any that others add.
        caption: plain text above the table.

    A column is set to the right if all its filled cells are numbers or begin like one.
    """
    names = list(columns) if columns is not None else _names(rows)
    body = [[row.get(n) for n in names] if isinstance(row, Mapping) else list(row) for row in rows]
    for row in body:
        if len(row) != len(names):
            raise ValueError(f"a row has {len(row)} cells, the table has {len(names)} columns")
    right = [' class="n"' if _numeric([row[i] for row in body]) else "" for i in range(len(names))]
    head = "".join(f'<th scope="col"{r}>{escape(n)}</th>' for n, r in zip(names, right))
    lines = ("".join(f"<td{r}>{_text(c)}</td>" for c, r in zip(row, right)) for row in body)
    label = f' role="region" aria-label="{escape(caption)}"' if caption else ""
    return Html(
        f'<div class="scroll" tabindex="0"{label}><table>'
        + (f"<caption>{escape(caption)}</caption>" if caption else "")
        + f"<thead><tr>{head}</tr></thead><tbody>"
        + "\n".join(f"<tr>{line}</tr>" for line in lines)
        + "</tbody></table></div>"
    )


def _names(rows: Sequence[Mapping[str, Cell]] | Sequence[Sequence[Cell]]) -> list[str]:
    names: dict[str, None] = {}
    for row in rows:
        if not isinstance(row, Mapping):
            raise ValueError("rows that are not mappings need columns=")
        names |= dict.fromkeys(row)
    return list(names)


def _numeric(cells: Sequence[Cell]) -> bool:
    filled = [re.sub("<[^>]*>", "", c) if isinstance(c, Html) else c for c in cells if c not in (None, "")]
    return bool(filled) and all(
        isinstance(c, int | float) or (isinstance(c, str) and c.lstrip("+-(. ")[:1].isdigit()) for c in filled
    )


def _text(cell: Cell) -> Html:
    if cell is None:
        return Html("&ndash;")
    if isinstance(cell, int) and not isinstance(cell, bool):
        return escape(f"{cell:,}")
    if isinstance(cell, float):
        return escape(f"{cell:.3f}" if 0.001 <= abs(cell) < 100 or cell == 0 else short(cell))
    return escape(cell)
