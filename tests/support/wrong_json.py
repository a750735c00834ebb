"""Every wrong form of a JSON file: each value replaced by others, each key left out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from vadkit.problems import VadkitError

WRONG = ("text", 1.5, True, None, [], {}, [[]], [None], {"a": None}, -1, 0, 10**9 + 1, 10**30, 1e300)


DEEP = "[" * 400 + "]" * 400
DAMAGED = {
    "empty": b"",
    "cut off": b'{"a": [1, 2',
    "not JSON": b"hello",
    "not UTF-8": b'{"a": "\xff"}',
    "NaN": b'{"a": NaN}',
    "too large a number": b'{"a": 1e999}',
    "a huge number": b'{"a": 1' + b"0" * 5000 + b"}",
    "a list": b"[]",
    "nested deeply": b'{"a": ' + DEEP.encode() + b"}",
    "nested too deeply": b'{"a": ' + b"[" * 100_000,
}


def paths(plain: Any, *above: Any) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value, from the outside in."""
    yield above
    items = plain.items() if isinstance(plain, dict) else enumerate(plain) if isinstance(plain, list) else ()
    for key, value in items:
        yield from paths(value, *above, key)


def changed(plain: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    copy = plain.copy()
    copy[path[0]] = changed(copy[path[0]], path[1:], value)
    return copy


def without(plain: dict[str, Any], path: tuple[Any, ...]) -> Any:
    copy = json.loads(json.dumps(plain))
    holder = copy
    for key in path[:-1]:
        holder = holder[key]
    del holder[path[-1]]
    return copy


def spoiled(plain: Any) -> Iterator[Any]:
    for path in paths(plain):
        yield from (changed(plain, path, value) for value in WRONG)
        if path:
            yield without(plain, path)


def refusals(file: Path, plain: Any, read: Callable[[], object]) -> list[str]:
    """Write every spoiled form of the file and read it. Return the messages; anything but a VadkitError is raised."""
    messages = []
    for wrong in spoiled(plain):
        file.write_text(json.dumps(wrong))
        try:
            read()
        except VadkitError as error:
            for problem in error.problems:
                text = problem.message
                assert str(file.with_suffix("")) in text and "\n" not in text and len(text) < len(str(file)) + 250, text
            messages.append(str(error))
    return messages
