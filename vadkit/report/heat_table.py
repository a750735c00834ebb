"""A table of shares whose cells are shaded by their value: what is weak is seen without reading every number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import Markup, escape

DEEPEST = 45  # percent of colour in a cell of 1: the text on it can still be read, light and dark


def heat_table(columns: Sequence[str], rows: Mapping[str, Sequence[float | None]], *, caption: str) -> Markup:
    """Return a table of ``rows`` (name: values from 0 to 1, one per column) as markup; None is an undefined value."""
    head = "".join(f'<th scope="col" class="n">{escape(name)}</th>' for name in columns)
    body = "".join(
        f'<tr><th scope="row" class="name">{escape(name)}</th>{"".join(map(_cell, values))}</tr>'
        for name, values in rows.items()
    )
    return Markup(
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}"><table class="titled heat">'
        f'<caption>{escape(caption)}</caption><thead><tr><th scope="col">variant</th>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _cell(value: float | None) -> str:
    if value is None:
        return '<td class="n">undefined</td>'
    deep = DEEPEST * min(1.0, max(0.0, value))
    return f'<td class="n" style="--heat:{deep:.0f}%">{value:.3f}</td>'
