"""Strict YAML: plain data with the place of every key and value, and every problem of a file at once.

PyYAML scans and parses; building values from its events is ours, because its own loaders follow
YAML 1.1 (``1e-4`` is text, ``on`` is true), let the last of two equal keys win and know tags that
run code. Here: YAML 1.2 scalars, text keys, each key once, no tags, no anchors, one document.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

import yaml
from yaml.reader import Reader

from vadkit import files
from vadkit.graph.wording import one_line, say, shorten
from vadkit.problems import Note, Place, Problem, fail

DEPTH = 50  # a config is five or six levels deep; the limit keeps recursion safe
LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")  # what PyYAML counts as one
INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
WORDS = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
}
NO_COLON = "could not find expected ':'"
UNPRINTABLE = re.compile("[\x00\ud800-\udfff]")  # would break file names and output later on
ALIKE = re.compile(r"[\n\r ->@-~]*")  # what libyaml and PyYAML read alike: printable ASCII but "?"

Scalar = str | int | float | bool | None
Locate = Callable[[Any, Any], Place]  # two marks, for which PyYAML's stubs have three types


@dataclass
class Tree:
    """A value with its place and, inside a mapping, the place of its key."""

    value: Scalar | list[Tree] | dict[str, Tree]
    place: Place
    key_place: Place | None = None

    def plain(self) -> Any:
        """Return the value as plain data."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain() for child in self.value]
        return self.value


@dataclass
class Reading:
    """The outcome of reading. ``tree`` is None if the text is empty or cannot be parsed."""

    tree: Tree | None
    problems: list[Problem] = field(default_factory=list)


def read_text(text: str, file: str) -> Reading:
    """Read the text of a file; ``file`` is its name in places.

    libyaml parses where PyYAML has it, four times as fast. It takes tabs that PyYAML refuses, and has other words for
    what is wrong, so a text with a problem is read again.
    """
    lines = [one_line(line) for line in LINE_BREAK.split(text)]

    def locate(start: yaml.Mark, end: yaml.Mark) -> Place:
        line = lines[start.line] if start.line < len(lines) else ""
        width = end.column - start.column if end.line == start.line else len(line) - start.column
        return Place(file, start.line + 1, start.column + 1, line, max(1, width))

    if yaml.__with_libyaml__ and ALIKE.fullmatch(text):
        reading = _read(text, locate, yaml.CSafeLoader)
        if not reading.problems:
            return reading
    return _read(text, locate)


def read_file(path: Path) -> Reading:
    """Read a file of YAML. Raises VadkitError if it cannot be read, or is not UTF-8."""
    try:
        return read_text(files.read_text(path), str(path))
    except OSError as error:
        files.cannot_read(path, error)
    except UnicodeDecodeError as error:
        fail(f"{path}: is not UTF-8 text (byte {error.start})")


def read_value(value: str, text: str, line: int, offset: int) -> Reading:
    """Read the ``value`` that begins at ``offset`` of the override ``text``, the ``line``th given."""

    shown = one_line(text)

    def locate(start: yaml.Mark, end: yaml.Mark) -> Place:
        column = offset + start.column if start.line == 0 else offset
        width = end.column - start.column if end.line == start.line == 0 else 1
        return Place("--set", line, column + 1, shown, max(1, width))

    return _read(value, locate)


def _read(text: str, locate: Locate, loader: Any = yaml.SafeLoader) -> Reading:
    strange = Reader.NON_PRINTABLE.search(text)
    if strange:
        mark = _mark(text, strange.start())
        said = f"the character U+{ord(strange.group()):04X} is not allowed in YAML"
        return Reading(None, [Problem(said, locate(mark, mark))])
    builder = _Builder(text, locate, loader)
    tree = builder.document()
    return Reading(tree, builder.problems)


def _mark(text: str, index: int) -> yaml.Mark:
    breaks = [found.end() for found in LINE_BREAK.finditer(text, 0, index)]
    column = index - (breaks[-1] if breaks else 0)
    return yaml.Mark("", index, len(breaks), column, None, 0)


class _TooDeep(Exception):
    pass


class _Builder:
    """Turns PyYAML's events into a Tree and collects problems."""

    def __init__(self, text: str, locate: Locate, loader: Any) -> None:
        self.events: Iterator[Any] = yaml.parse(text, Loader=loader)  # events only: nothing is constructed
        self.locate = locate
        self.problems: list[Problem] = []
        self.last = self.end = yaml.Mark("", 0, 0, 0, None, 0)

    def document(self) -> Tree | None:
        """Return the tree of the only document."""
        try:
            return self._document()
        except yaml.MarkedYAMLError as error:
            self.problems.append(self._parser_problem(error))
        except _TooDeep:
            pass
        except (yaml.YAMLError, ValueError, OverflowError) as error:  # e.g. an escape beyond Unicode
            self._problem(self.locate(self.last, self.last), f"this is not YAML: {error}")
        return None

    def _document(self) -> Tree | None:
        tree = None
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                if tree is not None:
                    place = self.locate(event.start_mark, event.end_mark)
                    self._problem(place, "a second document starts here; a config is one document")
                    break
                tree = self._value(self._next(), ())
        return tree

    def _next(self) -> Any:
        event = next(self.events)
        self.last, self.end = event.start_mark, event.end_mark
        return event

    def _problem(self, place: Place, message: str, hint: str | None = None) -> None:
        self.problems.append(Problem(message, place, hint))

    def _value(self, event: Any, path: tuple[str | int, ...]) -> Tree:
        place = self.locate(event.start_mark, event.end_mark)
        self._refuse_extras(event, place)
        if len(path) > DEPTH:
            self._problem(place, f"values are nested more than {DEPTH} deep")
            raise _TooDeep
        if isinstance(event, yaml.ScalarEvent | yaml.AliasEvent):
            return Tree(self._scalar(event, place), place)
        value = self._mapping(path) if isinstance(event, yaml.MappingStartEvent) else self._sequence(path)
        if event.flow_style and self.end.line == event.start_mark.line:
            place = self.locate(event.start_mark, self.end)
        return Tree(value, place)

    def _refuse_extras(self, event: Any, place: Place) -> None:
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            mark = "*" if isinstance(event, yaml.AliasEvent) else "&"
            hint = "repeat the value, or put the shared part into a file and extend it"
            said = f"anchors and aliases ({mark}{shorten(event.anchor)}) are not allowed"
            self._problem(place, said, hint if place.file != "--set" else "quote text that begins with it")
        if getattr(event, "tag", None):
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            hint = "quote values meant as text; other types are inferred from how they are written"
            self._problem(place, f"tags are not allowed: {shorten(tag)}", hint)

    def _scalar(self, event: Any, place: Place) -> Scalar:
        if isinstance(event, yaml.AliasEvent):
            return None
        strange = UNPRINTABLE.search(event.value)
        if strange:
            self._problem(place, f"text must not contain the character U+{ord(strange.group()):04X}")
        try:
            return resolve(event.value) if event.implicit[0] else str(event.value)
        except ValueError as error:
            self._problem(place, str(error))
            return None

    def _sequence(self, path: tuple[str | int, ...]) -> list[Tree]:
        items: list[Tree] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            items.append(self._value(event, (*path, len(items))))
        return items

    def _mapping(self, path: tuple[str | int, ...]) -> dict[str, Tree]:
        mapping: dict[str, Tree] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key, place = self._key(event, path)
            value = self._value(event := self._next(), (*path, str(key)))
            value.key_place = place
            if event.start_mark.index == event.end_mark.index and not getattr(event, "flow_style", False):
                value.place = place  # it is empty, or begins on the next line
            if key in mapping:
                first = mapping[key].key_place
                name = ".".join(map(str, (*path, key)))
                said = f"{name} is written twice; first at line {first.line if first else '?'}"
                self._problem(place, said)
            elif isinstance(key, str):
                self._glued(key, value, place)
                mapping[key] = value
        return mapping

    def _glued(self, key: str, value: Tree, place: Place) -> None:
        """In ``{use:tca}`` the colon does not end the key."""
        if value.value is None and re.fullmatch(r"\w+:\S+", key):
            name, rest = key.split(":", 1)
            self._problem(place, f"'{shorten(key)}' is a key without a value", f"write a space: {name}: {rest}")

    def _key(self, event: Any, path: tuple[str | int, ...]) -> tuple[str | None, Place]:
        if not isinstance(event, yaml.ScalarEvent):
            tree = self._value(event, (*path, "?"))
            what = "an alias" if isinstance(event, yaml.AliasEvent) else say(tree.plain())
            if not isinstance(event, yaml.AliasEvent):
                self._problem(tree.place, f"a key must be text, not {what}")
            return None, tree.place
        tree = self._value(event, path)
        if tree.value == "<<" and event.implicit[0]:
            hint = "'extends' merges whole files; inside a file, repeat the values"
            self._problem(tree.place, "merge keys (<<) are not allowed", hint)
            return None, tree.place
        if tree.value == "":
            self._problem(tree.place, "a key must not be empty")
            return None, tree.place
        if isinstance(tree.value, str):
            return tree.value, tree.place
        written = shorten(event.value) or "nothing"
        quoted = f'quote it if it is meant as text: "{written}"' if event.value else None
        self._problem(tree.place, f"a key must be text, and {written} is {_what(tree.value)}", quoted)
        return None, tree.place

    def _parser_problem(self, error: yaml.MarkedYAMLError) -> Problem:
        said = error.problem or error.context or "it cannot be parsed"
        marks = [error.problem_mark or self.last, error.context_mark]
        if said == NO_COLON and error.context_mark:  # it is noticed on the next line
            marks = [error.context_mark, None]
        place = self.locate(marks[0], marks[0])
        notes: tuple[Note, ...] = ()
        if error.context and marks[1]:
            notes = (Note(error.context, self.locate(marks[1], marks[1])),)
        return Problem(f"this is not YAML: {said}", place, _slip(said, place), notes)


def _what(value: object) -> str:
    if value is None:
        return "null"
    return "a truth value" if isinstance(value, bool) else "a number"


def _slip(said: str, place: Place) -> str | None:
    """Return the hint for the most common slips."""
    line = place.source
    if said == "mapping values are not allowed here":
        pair = re.match(r"\s*(?:- )?([\w.-]+): +([^\s\"'].*: .*|.*:)$", line)
        if pair and line.find(":") < place.column - 1:
            return f"""quote text that contains ': ', as in {pair[1]}: "{pair[2]}\""""
        if line.find(":") < place.column - 1:
            return "quote text that contains ': '"
        return "the line above already has a value, so nothing can be nested under it"
    if "'\\t'" in said:
        return "indent with spaces; YAML does not allow tabs there"
    if said.startswith("found character"):
        return "quote text that begins with this character"
    if said.startswith("expected ',' or "):
        return "a comma or a closing bracket is missing before this"
    if said == "found unexpected end of stream":
        return "a quote is not closed"
    if said.startswith("expected <block end>") or said.startswith("expected '<document start>'"):
        return "this line is indented differently from its neighbours, or a quote was closed too early"
    if said == NO_COLON:
        return "in a mapping each line reads 'key: value', with a space after the colon"
    return None


def resolve(text: str) -> Scalar:
    """Return what a plain scalar means in YAML 1.2's core schema.

    Raises ValueError for numbers that are not finite or do not fit 64 bits.
    """
    if text in WORDS:
        return WORDS[text]
    if INTEGER.fullmatch(text):
        # int() refuses thousands of digits, and longer ones do not fit anyway
        number = int(text, _base(text)) if len(text) < 70 else 2**63
        if not in_64_bits(number):
            raise ValueError(f"the number {shorten(text, 30)} does not fit 64 bits")
        return number
    if NOT_FINITE.fullmatch(text):
        raise ValueError(f"numbers must be finite, and {text} is not")
    if FLOAT.fullmatch(text):
        if not isfinite(value := float(text)):
            raise ValueError(f"the number {shorten(text, 30)} is too large")
        return value
    return text


def in_64_bits(number: int) -> bool:
    """Return whether a whole number fits 64 bits."""
    return -(2**63) <= number < 2**63


def _text_node(dumper: Any, text: str) -> Any:
    """Quote text that this reader, unlike PyYAML's, would read as a number."""
    try:
        plain = isinstance(resolve(text), str)
    except ValueError:
        plain = False
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


_Dumper: Any = type("_Dumper", (yaml.SafeDumper,), {})
_Dumper.add_representer(str, _text_node)


def write_text(data: dict[str, Any]) -> str:
    """Return plain data as YAML that ``read_text`` reads back unchanged."""
    return str(yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True))


def _base(text: str) -> int:
    return {"0o": 8, "0x": 16}.get(text[:2], 10)
