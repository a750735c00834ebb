"""A table of names: what each weight in the authors' files is called in our graph. Its format is ``FORMAT``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from vadkit.graph.wording import one_line, shorten
from vadkit.problems import Place, Problem, VadkitError, did_you_mean
from vadkit.systems.text import bounded_text

FORMAT = """
A line is "OFFICIAL OURS"; the first line that covers a name decides, and # begins a comment. A name that ends in a dot
covers everything below it, "." is the top, and * is one number, as often on the right as on the left.

    OFFICIAL  OURS                    the weight OFFICIAL is our OURS, up to axes of size 1
    OFFICIAL  OURS transposed         it is our OURS with its two axes exchanged
    OFFICIAL  OURS optional           it is our OURS; in a graph without that, the authors never use it
    OFFICIAL  NODE: COMPONENT         a whole node: the component lists the names below both sides (authors_names)
    OFFICIAL  -                       the authors never use it
    OFFICIAL  =OTHER                  the same tensor as OTHER of theirs, which has a line of its own
    @FILE     PREFIX                  names in a file called FILE begin with PREFIX
"""
UNUSED, TRANSPOSED, OPTIONAL = "-", "transposed", "optional"
REMARKS = (TRANSPOSED, OPTIONAL)
LINES = 2000  # many times those of the largest system
BYTES = 256 * 1024


@dataclass(frozen=True)
class Name:
    """What a table says of an official name: our name, or another official name that holds the same numbers."""

    ours: str | None = None  # None with no alias: never used
    transposed: bool = False
    alias: str | None = None
    optional: bool = False


@dataclass(frozen=True)
class Row:
    """One pair of names; both end in a dot or neither."""

    official: str
    ours: str
    remark: str = ""

    @cached_property
    def forward(self) -> re.Pattern[str]:
        return _pattern(self.official)

    @cached_property
    def back(self) -> re.Pattern[str]:
        return _pattern(self.ours)


def _pattern(name: str) -> re.Pattern[str]:
    below = "(.+)" if name.endswith(".") or not name else ""
    return re.compile(re.escape(name).replace(r"\*", r"(\d+)") + below)


def _filled(name: str, parts: Iterable[str]) -> str:
    for part in parts:
        name = name.replace("*", part, 1) if "*" in name else name + part
    return name


@dataclass
class Names:
    """A table that translates official names into ours, and back."""

    rows: list[Row]
    files: dict[str, str] = field(default_factory=dict)  # name of a file -> prefix of its names

    def find(self, official: str) -> Name | None:
        """Return what the table says of an official name, or None if it has no line for it."""
        for row in self.rows:
            match = row.forward.fullmatch(official)
            if match is None:
                continue
            if row.ours == UNUSED:
                return Name()
            found = _filled(row.ours, match.groups())
            if found.startswith("="):
                return Name(alias=found[1:])
            return Name(found, row.remark == TRANSPOSED, optional=row.remark == OPTIONAL)
        return None

    def official(self, ours: str) -> str | None:
        """Return the official name of one of our weights, or None if the table has none."""
        for row in self.rows:
            match = None if row.ours == UNUSED or row.ours.startswith("=") else row.back.fullmatch(ours)
            if match is not None:
                name = _filled(row.official, match.groups())
                found = self.find(name)
                if found is not None and found.ours == ours:
                    return name
        return None

    def below(self, prefix: str) -> Names:
        """Return the table of one part: what its names begin with is cut off on the official side."""
        own = [row for row in self.rows if row.official.startswith(prefix)]
        return Names([replace(row, official=row.official[len(prefix) :]) for row in own], self.files)


Find = Callable[[str], type | None]


def read_names(path: Path, find: Find, known: Iterable[str] = ()) -> Names:
    """Return the table in a file. ``find`` returns the component of a name, ``known`` are all such names.

    Raises VadkitError with every line that is wrong.
    """
    text = bounded_text(path, BYTES, "a table of names")
    return parse_names(text, str(path), find, known)


def parse_names(text: str, file: str, find: Find, known: Iterable[str] = ()) -> Names:
    """Return the table of a text; ``file`` is its name in messages. Raises VadkitError with every wrong line."""
    reader = _Reader(file, find, list(known))
    lines = text.split("\n")
    if len(lines) > LINES:
        raise VadkitError([Problem(f"a table of names has at most {LINES:,} lines", Place(file, 1, 1))])
    for number, line in enumerate(lines, 1):
        reader.read(number, line)
    reader.check_aliases()
    if reader.problems:
        raise VadkitError(reader.problems)
    return Names(reader.rows, reader.files)


class _Reader:
    """Reads the lines of one table, and collects what is wrong with them."""

    def __init__(self, file: str, find: Find, known: list[str]) -> None:
        self.file, self.find, self.known = file, find, known
        self.rows: list[Row] = []
        self.files: dict[str, str] = {}
        self.problems: list[Problem] = []
        self.aliases: list[tuple[Row, Place]] = []
        self.seen: set[str] = set()
        self.number, self.line = 0, ""

    def read(self, number: int, line: str) -> None:
        self.number, self.line = number, line
        columns = list(re.finditer(r"\S+", line.split("#")[0]))
        if not columns:
            return
        words = [match.group() for match in columns]
        if not 2 <= len(words) <= 3:
            self._wrong("a line has two or three columns: OFFICIAL OURS, or OFFICIAL NODE: COMPONENT", columns[0])
        elif words[0].startswith("@"):
            self._file(words, columns)
        elif words[1].endswith(":") or len(words) == 3 and words[2] not in REMARKS:
            self._node(words, columns)
        else:
            self._pair(words, columns)

    def _file(self, words: list[str], columns: list[re.Match[str]]) -> None:
        if len(words) > 2 or not words[0][1:] or not words[1].endswith("."):
            self._wrong("a line of a file is @FILE PREFIX, and the prefix ends in a dot", columns[0])
        elif words[0][1:] in self.files:
            self._wrong(f"file {shorten(words[0][1:])} has two lines", columns[0])
        else:
            self.files[words[0][1:]] = words[1]

    def _pair(self, words: list[str], columns: list[re.Match[str]]) -> None:
        official, ours = words[0], words[1]
        below = [name.endswith(".") for name in (official, ours)]
        row = Row("" if official == "." else official, ours, words[2] if len(words) == 3 else "")
        if official in self.seen:
            self._wrong(f"'{shorten(official)}' has two lines; the first one decides", columns[0])
        elif ours != UNUSED and below[0] != below[1]:
            self._wrong("both names end in a dot, or neither does", columns[1])
        elif ours != UNUSED and ours.count("*") != official.count("*"):
            self._wrong("both names have the same number of *", columns[1])
        elif len(words) == 3 and (ours == UNUSED or ours.startswith("=")):
            self._wrong(f"only a weight of ours is {words[2]}", columns[2])
        elif ours == "=":
            self._wrong("= is followed by an official name", columns[1])
        else:
            self.rows.append(row)
        if ours.startswith("="):
            self.aliases.append((row, self._place(columns[1])))
        self.seen.add(official)

    def _node(self, words: list[str], columns: list[re.Match[str]]) -> None:
        if len(words) == 2 or not words[1].endswith(":"):
            hint = f"remarks after a name are {' and '.join(REMARKS)}" if len(words) == 3 else None
            self._wrong("a whole node is OFFICIAL NODE: COMPONENT", columns[-1], hint)
            return
        component = self.find(words[2])
        if component is None:
            self._wrong(f"there is no component '{shorten(words[2])}'", columns[2], did_you_mean(words[2], self.known))
            return
        names = getattr(component, "authors_names", {})
        if not names:
            self._wrong(
                f"component '{shorten(words[2])}' has no authors_names", columns[2], "write a line for each weight"
            )
        elif several := [own for own, theirs in names.items() if not isinstance(theirs, str)]:
            said = f"component '{words[2]}' has several official names for '{several[0]}'"
            self._wrong(said, columns[2], "write a line for each weight")
        else:
            self.rows += _of_node(words[0].removeprefix("."), words[1].removesuffix(":"), names)

    def check_aliases(self) -> None:
        """An alias leads to names of ours, at once."""
        named = [row for row in self.rows if row.ours != UNUSED and not row.ours.startswith("=")]
        for row, place in self.aliases:
            other = row.ours[1:]
            below = (own.official.startswith(other) for own in named if other.endswith("."))
            above = (other.startswith(own.official) for own in named if own.official.endswith("."))
            if not any((*below, *above, other in [own.official for own in named])):
                self.problems.append(Problem(f"'{shorten(other)}' has no line that gives a name of ours", place))

    def _wrong(self, message: str, column: re.Match[str], hint: str | None = None) -> None:
        self.problems.append(Problem(message, self._place(column), hint))

    def _place(self, column: re.Match[str]) -> Place:
        return Place(self.file, self.number, column.start() + 1, one_line(self.line), len(column.group()))


def _of_node(official: str, node: str, names: dict[str, str]) -> Iterator[Row]:
    for own, theirs in names.items():
        yield Row(f"{official}{theirs}", f"{node}.{own}")  # one tensor
        yield Row(f"{official}{theirs}.", f"{node}.{own}.")  # or all tensors below
