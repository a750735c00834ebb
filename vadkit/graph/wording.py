"""How values are written in messages."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from yaml.reader import Reader


def say(value: object) -> str:
    """Return a value in words for a message: "the text 'fast'", "3", "a mapping"."""
    if isinstance(value, str):
        return f"the text '{shorten(value, 40)}'"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return _say_list(list(value))
    return shorten(str(value), 30)


def _say_list(value: list[Any]) -> str:
    if not value:
        return "an empty list"
    short = [shorten(item if isinstance(item, str) else say(item), 20) for item in value[:6]]
    return f"the list [{', '.join(short)}{', ...' if len(value) > 6 else ''}]"


def unlike(one: str, args: Mapping[str, Any], two: str, others: Mapping[str, Any]) -> str | None:
    """Return the first argument in which two nodes of one component differ ("dim is 64 in a and 32 in b"), or None."""
    name = next((name for name, value in args.items() if others.get(name) != value), None)
    if name is None:
        return None
    own, other = (value if isinstance(value, list | tuple) else say(value) for value in (args[name], others.get(name)))
    return f"{name} is {shorten(str(own))} in {one} and {shorten(str(other))} in {two}"


def one_line(text: str) -> str:
    """Return the text without line breaks, tabs and control characters, each character at its place."""
    return str(Reader.NON_PRINTABLE.sub("?", re.sub("[\t\n\r\x85\u2028\u2029]", " ", text)))


def shorten(text: str, width: int = 60) -> str:
    """Return the text in one line of at most ``width`` characters."""
    text = one_line(text)
    return text if len(text) <= width else text[: width - 3] + "..."
