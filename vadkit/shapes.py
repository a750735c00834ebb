"""Shape patterns such as ``b t dim``: parse them, read sizes from them, compare tensors with them.

Legend: ``b`` bags x crops, ``t`` snippets, ``v`` videos are counts of the batch at hand and are
never sizes of a component. Every other word names a constructor argument or an attribute of the
component. A number stands for itself. The empty pattern is a scalar.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

COUNTS = frozenset({"b", "t", "v"})
Token = str | int


@dataclass(frozen=True)
class Pattern:
    """A parsed shape pattern."""

    tokens: tuple[Token, ...]

    def __str__(self) -> str:
        return " ".join(map(str, self.tokens)) or "scalar"

    @property
    def words(self) -> list[str]:
        """The size words, in order, without the counts."""
        return [t for t in self.tokens if isinstance(t, str) and t not in COUNTS]

    @property
    def width(self) -> int:
        """Numbers in a row of a stream: 32768 for ``b t 16 2048``, 1 for ``b t``."""
        return prod(int(token) for token in self.tokens[2:])

    def fill(self, sizes: Mapping[str, object]) -> Pattern:
        """Return the pattern with known words replaced by their sizes."""
        return Pattern(
            tuple(
                t if isinstance(t, int) or t in COUNTS or not isinstance(sizes.get(t), int) else sizes[t]  # type: ignore[misc]
                for t in self.tokens
            )
        )


@dataclass(frozen=True)
class Port:
    """A named input or output. ``x?`` may stay unwired, ``*x`` takes a list of sources."""

    name: str
    pattern: Pattern
    optional: bool = False
    variadic: bool = False


def parse_pattern(text: str) -> Pattern:
    """Return the pattern written as ``text``. Raises ValueError for anything but words and numbers."""
    tokens: list[Token] = []
    for word in text.split():
        if word.isdigit() and int(word) > 0:
            tokens.append(int(word))
        elif word.isidentifier():
            tokens.append(word)
        else:
            raise ValueError(f"'{word}' is neither a size word nor a whole number above 0")
    return Pattern(tuple(tokens))


def parse_ports(ports: Mapping[str, str]) -> dict[str, Port]:
    """Return name -> Port for a component's ``inputs`` or ``outputs``."""
    parsed = {}
    for written, text in ports.items():
        name = written.removeprefix("*").removesuffix("?")
        parsed[name] = Port(name, parse_pattern(text), written.endswith("?"), written.startswith("*"))
    return parsed


def sizes(pattern: Pattern, counts: Mapping[str, int], below: str | None = None) -> tuple[int, ...]:
    """Return a filled pattern as numbers, given the counts b, t, v.

    ``below`` is the count that the values are below, of a port of indices: the last size is that count at most.
    """
    found = [token if isinstance(token, int) else counts[token] for token in pattern.tokens]
    if below is not None and found:
        found[-1] = min(found[-1], counts[below])
    return tuple(found)
