"""Read and write JSON files whose content has a declared type.

A type is a ``msgspec.Struct``, or is built of ``list``, ``dict``, ``Annotated[int, msgspec.Meta(ge=1)]`` and the like.
What does not fit is one ``VadkitError``: the file, the path inside of it, what was expected and what was found.
Unknown keys are allowed unless a Struct forbids them.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from vadkit.files import cannot_read, write_atomically
from vadkit.problems import Place, fail

T = TypeVar("T")

LIMIT = 256 << 20  # bytes; the index of the largest published data set takes 5 MB
REWRITE = "write it again: the run that wrote it was probably interrupted"
NAMES = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "object": "a mapping",
    "array": "a list",
}
UNITS = {"object": "entries", "array": "items", "str": "characters"}
BOUNDS = {">=": "at least", ">": "more than", "<=": "at most", "<": "less than"}


# -- reading -------------------------------------------------------------------------------------
def read(path: Path, type: type[T], what: str = "", hint: str | None = None) -> T:
    """Return the content of a JSON file as ``type``. Raises VadkitError.

    Args:
        what: what the file should be, such as "the index of a packed stream"; for a file that is something else.
        hint: what to do about a file that cannot be used.
    """
    return typed(load(path, hint), type, str(path), what, hint)


def load(path: Path, hint: str | None = None) -> Any:
    """Return the content of a JSON file as plain data, for those who change a part and write it back.

    Raises VadkitError for a file that cannot be read, is too large, not UTF-8, empty, cut off or no strict JSON: NaN,
    infinity and a key that is written twice are refused.
    """
    try:
        if (size := path.stat().st_size) > LIMIT:
            fail(f"{path}: is too large: {size} bytes, the limit is {LIMIT}", hint=hint)
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        fail(f"{path}: is not UTF-8 text (byte {error.start})", hint=hint)
    except OSError as error:
        cannot_read(path, error, hint)
    if not text.strip():
        fail(f"{path}: is empty", hint=REWRITE)
    try:
        return _parse(text)
    except json.JSONDecodeError as error:
        _fail_syntax(path, text, error)
    except RecursionError:
        fail(f"{path}: is nested too deeply", hint=hint)
    except ValueError as error:
        fail(f"{path}: is not JSON: {error}", hint=hint)


def from_bytes(data: bytes, type: type[T], where: str) -> T:
    """Return one JSON value, such as a line of a file, as ``type``. Raises VadkitError that begins with ``where``."""
    try:
        plain = _parse(data.decode())
    except (ValueError, RecursionError):  # not UTF-8 is a ValueError, too
        fail(f"{where}: is cut off or damaged")
    return typed(plain, type, where)


def typed(plain: Any, type: type[T], where: str, what: str = "", hint: str | Mapping[Any, str] | None = None) -> T:
    """Return plain data as ``type``. Raises VadkitError that begins with ``where``.

    ``hint`` says what to do, or maps keys of the top level to that.
    """
    try:
        return msgspec.convert(plain, type)
    except msgspec.ValidationError as error:
        text, keys = _split(error)
        found = _found(plain, keys := _resolved(plain, type, keys))
        inside = _path(keys)
        hint = hint.get(keys[0] if keys else "") if isinstance(hint, Mapping) else hint
        if what and not keys:
            fail(f"{where}: is not {what}: it {_wording(text, found)}", hint=hint)
        fail(f"{where}: {inside + ' ' if inside else ''}{_wording(text, found)}", hint=hint)
    except UnicodeEncodeError:  # JSON can write one half of a pair, "\ud800", but nothing else can
        fail(f"{where}: holds text that is not Unicode (one half of a surrogate pair)")
    except RecursionError:
        fail(f"{where}: is nested too deeply")


def _parse(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant, parse_float=_finite)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"it holds {next(key for key in keys if keys.count(key) > 1)!r} twice in one mapping")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"it holds {name}, which is no number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"it holds {text[:20]}, which is too large a number")
    return number


def _fail_syntax(path: Path, text: str, error: json.JSONDecodeError) -> None:
    lines = text.splitlines()
    source = lines[error.lineno - 1] if error.lineno <= len(lines) else ""
    place = Place(str(path), error.lineno, error.colno, source if len(source) <= 200 else "")
    cut = error.pos >= len(text.rstrip()) - 1 or error.msg.startswith("Unterminated")
    message = "the file is cut off here" if cut else f"not JSON: {error.msg[0].lower()}{error.msg[1:]}"
    fail(message, hint=REWRITE if cut else None, place=place)


# -- what does not fit ---------------------------------------------------------------------------
ANY_KEY = ...  # msgspec writes [...] for a key of a mapping


def _split(error: msgspec.ValidationError) -> tuple[str, list[Any]]:
    """Return the text of an error and the keys that lead to where it is."""
    text, _, path = str(error).partition(" - at `")
    tokens = re.findall(r"\.([^.\[\]`]+)|\[(\d+)\]|(\[\.\.\.\])", path)
    return text, [name or (ANY_KEY if some else int(index)) for name, index, some in tokens]


def _resolved(plain: Any, type: Any, keys: Sequence[Any]) -> list[Any]:
    """Return the keys with the real one for each ``ANY_KEY``: the first whose entry alone gives the same error."""
    keys = list(keys)
    while ANY_KEY in keys:
        at = keys.index(ANY_KEY)
        mapping = _found(plain, keys[:at])
        for key in mapping:
            alone = _with(plain, keys[:at], {key: mapping[key]})
            try:
                msgspec.convert(alone, type)
            except msgspec.ValidationError as error:
                if _split(error)[1][at:] == keys[at:]:
                    plain, keys[at] = alone, key
                    break
        else:
            return keys[:at]
    return keys


def _found(plain: Any, keys: Sequence[Any]) -> Any:
    for key in keys:
        plain = plain[key]
    return plain


def _with(plain: Any, keys: Sequence[Any], value: Any) -> Any:
    """Return a copy of ``plain`` with another value at ``keys``."""
    if not keys:
        return value
    copy = plain.copy()
    copy[keys[0]] = _with(plain[keys[0]], keys[1:], value)
    return copy


def _path(keys: Sequence[Any]) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys).removeprefix(".")


def _wording(text: str, found: Any) -> str:
    """Return what msgspec says, for somebody who has not written the code."""
    if match := re.fullmatch(r"Object missing required field `(.*)`", text):
        return f"lacks '{match[1]}'"
    if match := re.fullmatch(r"Object contains unknown field `(.*)`", text):
        return f"has an unknown key '{match[1]}'"
    if match := re.match(r"Expected `([^`]*)`(?: of length (>=|<=)?\s*(\d+)| (>=|<=|>|<) (\S+))?", text):
        names, bound, length, limit, number = match.groups()
        expected = " or ".join(NAMES.get(name, name) for name in names.split(" | ") if name != "null")
        if length is not None:
            expected += (
                f" of {BOUNDS[bound] + ' ' if bound else ''}{length} {UNITS.get(names.split(' | ')[0], 'items')}"
            )
        if number is not None:
            expected = f"{expected} of {BOUNDS[limit]} {number.rstrip(',').removesuffix('.0')}"
        return f"must be {expected}, got {shown(found)}"
    return f"has a value that cannot be used ({text.lower()}): {shown(found)}"


def shown(value: Any) -> str:
    """Return a value as it is quoted in a message: short."""
    try:
        text = json.dumps(value, default=lambda other: type(other).__name__, skipkeys=True)
    except RecursionError:
        return "a value that is nested too deeply"
    return text if len(text) <= 60 else f"{text[:57]}..."


# -- writing -------------------------------------------------------------------------------------
def write(path: Path, value: Any, indent: int | None = 1) -> None:
    """Write a value of a declared type, or plain data, all of it or nothing. Raises VadkitError."""
    write_atomically(path, as_line(value, indent))


def write_rows(path: Path, values: Sequence[Any]) -> None:
    """Write a list with one line for each item."""
    write_atomically(path, b"[\n" + b",\n".join(as_line(value)[:-1] for value in values) + b"\n]\n")


def as_line(value: Any, indent: int | None = None) -> bytes:
    """Return a value as one line of JSON, or several if it is indented. Raises VadkitError for NaN and infinity."""
    try:
        return json.dumps(msgspec.to_builtins(value, enc_hook=_plain), indent=indent, allow_nan=False).encode() + b"\n"
    except ValueError as error:
        fail(f"cannot be written as JSON: {error}")


def _plain(value: Any) -> Any:
    """Return a value of a subclass, such as torch.__version__ or a number of numpy, as what JSON has for it."""
    for base in (str, int, float):
        if isinstance(value, base):
            return base(value)
    raise TypeError(f"{type(value).__name__} is not plain data")
