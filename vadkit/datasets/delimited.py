"""Lists and tables as people write them: the one reader of text with cells.

It takes commas, semicolons, tabs or bars between cells, quoted cells, any line ends, a byte order mark, empty rows,
``# comments`` and the first line ``sep=;`` of spreadsheets. What it cannot read for certain is refused with its line.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from vadkit.files import cannot_read
from vadkit.problems import Place, Problem, VadkitError, did_you_mean, fail
from vadkit.tables import original

SEPARATORS = ",;\t|"
LIMIT = 64 << 20  # bytes; a list of a million videos takes less
SAVE = "save it as CSV in UTF-8"
# How files begin that are no text, although they are called so.
NO_TEXT = {
    b"\xff\xfe": "is UTF-16 text",
    b"\xfe\xff": "is UTF-16 text",
    b"PK\x03\x04": "is a workbook or an archive, not text",
    b"\xd0\xcf\x11\xe0": "is an old workbook, not text",
    b"\x1f\x8b": "is compressed",
    b"%PDF": "is a PDF file, not text",
    b"{\\rtf": "is a rich text document",
}


@dataclass(frozen=True)
class Line:
    """A line of a text file that holds something: its text without spaces around it, and its place."""

    text: str
    place: Place


@dataclass(frozen=True)
class Row:
    """A row of a table: cells by column, without spaces around them, and its place."""

    cells: dict[str, str]
    place: Place

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column, "")


def read_text(path: Path) -> str:
    """Return the text of a list or table, without a byte order mark.

    Raises VadkitError for what is no regular file, is too large, or is no UTF-8 text; it says what it is instead.
    """
    try:
        if path.exists() and not path.is_file():
            fail(f"{path}: is {'a folder' if path.is_dir() else 'no regular file'}, not a text file")
        if (size := path.stat().st_size) > LIMIT:
            fail(f"{path}: is too large for a list: {size} bytes, the limit is {LIMIT}")
        data = path.read_bytes()
    except OSError as error:
        cannot_read(path, error)
    for start, what in NO_TEXT.items():
        if data.startswith(start):
            fail(f"{path}: {what}", hint=SAVE)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        fail(f"{path}: is not UTF-8 text (byte {error.start}, line {line})", hint=SAVE)
    if "\0" in text:
        fail(f"{path}: is not text (line {text[: text.index(chr(0))].count(chr(10)) + 1} holds a zero byte)", hint=SAVE)
    return text


def read_lines(path: Path) -> list[Line]:
    """Return the lines of a file that are neither empty nor comments. Raises VadkitError as ``read_text`` does."""
    return [line for line in _all_lines(path) if not is_comment(line.text)]


def is_comment(text: str) -> bool:
    """Return whether a line is a comment: ``#`` with a space after it. A file's name may begin with ``#``."""
    return text == "#" or text.startswith(("# ", "##", "#\t"))


def _all_lines(path: Path) -> list[Line]:
    # Not splitlines(), which also splits at characters that names may hold.
    texts = read_text(path).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return [
        Line(text.strip(), Place(str(path), number, 1, text, max(1, len(text))))
        for number, text in enumerate(texts, 1)
        if text.strip()
    ]


def separator_of(text: str) -> str:
    """Return what is between the cells of a line: the separator that is most frequent outside of quotes."""
    outside = "".join(text.split('"')[::2])
    return max(SEPARATORS, key=outside.count)


def cells_of(line: Line, separator: str) -> list[str]:
    """Return the cells of a line, unquoted. Raises VadkitError with its place for quotes that do not match."""
    try:
        row = next(csv.reader([line.place.source], delimiter=separator, strict=True, skipinitialspace=True), [])
    except csv.Error as error:
        cause = "a quote is opened and not closed in this line" if "end of data" in str(error) else _cause(error)
        hint = 'a quoted cell begins and ends with ", and a " inside of it is written twice'
        fail(cause, hint, line.place)
    return [original(cell.strip()) for cell in row]


def _cause(error: csv.Error) -> str:
    if "field limit" in str(error):
        return f"a cell is longer than {csv.field_size_limit()} characters"
    return "text follows the end of a quoted cell" if "expected after" in str(error) else f"cannot be read: {error}"


def read_rows(path: Path, known: Mapping[str, str]) -> tuple[list[str], Iterator[Row | Problem]]:
    """Return the columns of a table and its rows; instead of a row that cannot be read, what is wrong with it.

    Args:
        path: its first line names columns.
        known: our name of each column that it may have, by the user's in lower case.

    Raises VadkitError for a file that cannot be read, has no rows or no usable columns.
    """
    lines = _all_lines(path)
    if not lines:
        fail(f"{path}: is empty", hint="its first line names columns: video,label,...")
    separator = None
    if lines[0].text.lower().startswith("sep=") and len(lines[0].text) == 5:
        separator, lines = lines[0].text[4], lines[1:]
    while lines and is_comment(lines[0].text) and not _is_head(lines[0], known):
        lines = lines[1:]
    if not lines:
        fail(f"{path}: has no line that names columns", hint="for example: video,label")
    separator = separator or separator_of(lines[0].text)
    columns = _columns(lines[0], separator, known)
    return columns, _rows(lines[1:], separator, columns)


def head_of(path: Path) -> list[str]:
    """Return the cells of the first line of a table or list, in lower case. Raises VadkitError for a damaged line."""
    lines = _all_lines(path)
    if lines and lines[0].text.lower().startswith("sep=") and len(lines[0].text) == 5:
        lines = lines[1:]
    return [_bare(cell) for cell in cells_of(lines[0], separator_of(lines[0].text))] if lines else []


def _bare(name: str) -> str:
    return name.lstrip("#").strip().lower()


def _is_head(line: Line, known: Mapping[str, str]) -> bool:
    """Return whether a line that begins with ``#`` names columns, as some programs write it."""
    names = [_bare(cell) for cell in line.text.split(separator_of(line.text))]
    return len(names) > 1 and all(name in known for name in names)


def _columns(head: Line, separator: str, known: Mapping[str, str]) -> list[str]:
    columns: list[str] = []
    problems = []
    for name in map(_bare, cells_of(head, separator)):
        column = known.get(name)
        if column is None and name:  # a column without a name must be empty
            hint = (
                did_you_mean(name, known) or f"the first line names columns: {', '.join(dict.fromkeys(known.values()))}"
            )
            problems.append(Problem(f"there is no column '{name}'", head.place, hint=hint))
        elif column and column in columns:
            problems.append(Problem(f"there are two columns for {column}; the second is '{name}'", head.place))
        columns.append(column or "")
    if problems:
        raise VadkitError(problems)
    return columns


def _rows(lines: Collection[Line], separator: str, columns: list[str]) -> Iterator[Row | Problem]:
    for line in lines:
        if is_comment(line.text):
            continue
        try:
            cells = cells_of(line, separator)
        except VadkitError as error:
            yield error.problems[0]
            continue
        surplus = [cell for column, cell in zip([*columns, *[""] * len(cells)], cells) if not column and cell]
        if surplus:
            yield Problem(
                f"the line has {len(cells)} cells, but the first line names {sum(map(bool, columns))} columns",
                line.place,
                hint=f"quote a cell that holds a '{separator}'".replace("\t", "tab"),
            )
        elif any(cells):
            yield Row({column: cell for column, cell in zip(columns, cells) if column}, line.place)
