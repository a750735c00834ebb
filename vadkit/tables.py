"""Tables as CSV and Markdown, in which names are text and nothing else.

A spreadsheet takes a cell that begins with =, +, -, @, a tab or a line break for a formula and may run it, so such a
text gets an apostrophe in front; what reads tables takes it away again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

FORMULA = re.compile(r"'*[=+\-@\t\r\n]")
ESCAPED = re.compile(r"'+[=+\-@\t\r\n]")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
# What starts a link, an image, an element, code or emphasis; an underscore inside a word does not.
MARKDOWN = re.compile(r"[\\|`*<>&\[\]#~]|(?<![^\W_])_|_(?![^\W_])")


def csv_text(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table as CSV. Numbers, also those written as text, stay as they are; None is an empty cell."""
    return "".join(",".join(map(_cell, row)) + "\n" for row in (header, *rows))


def _cell(value: Any) -> str:
    """Return a cell in quotes if it needs them; Python's writer leaves a lone carriage return without."""
    text = harmless(value) if isinstance(value, str) else "" if value is None else str(value)
    return '"' + text.replace('"', '""') + '"' if re.search('[",\r\n]', text) else text


def harmless(cell: str) -> str:
    """Return a text as a spreadsheet takes it for text."""
    return f"'{cell}" if FORMULA.match(cell) and not NUMBER.fullmatch(cell) else cell


def original(cell: str) -> str:
    """Return the text that ``harmless`` was given."""
    return cell[1:] if ESCAPED.match(cell) else cell


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table as Markdown, its columns but the first aligned to the right."""
    lines = ["| " + " | ".join(map(markdown_text, row)) + " |" for row in (header, *rows)]
    lines.insert(1, "|---" + "|---:" * (len(header) - 1) + "|")
    return "\n".join(lines)


def markdown_text(text: str) -> str:
    """Return a text as Markdown that shows it as it is, in one line."""
    return MARKDOWN.sub(r"\\\g<0>", " ".join(text.split()))
