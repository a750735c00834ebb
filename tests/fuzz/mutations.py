"""How files are damaged: their bytes, their structure, and what kind of file they are."""

from __future__ import annotations

import copy
import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

Path_ = tuple[Any, ...]

DEEP: Any = 1
for _ in range(60):
    DEEP = [DEEP]

NUMBERS = (
    0, -1, 1, 2, -0.0, 0.5, 1e-9, 1e300, -1e300, 255, 2**31 - 1, 2**31, 2**53, 2**53 + 1, 2**63, -(2**63), 2**70,
    10**19, 10**310, float("nan"), float("inf"), float("-inf"),
)  # fmt: skip
TEXTS = (
    "", " ", "x", "x" * 300, "x" * 70_000, ".", "..", "../payload", "../../canary", "a/b", "a\\b", "/", "~",
    "videos.json", "store.json", "manifest.jsonl", "rgb", "audio", "CON", "-", "--help", "a\nb", "a\tb", "a\rb",
    "a\0b", "\ud800", "\ufeff", "\u202e", "\u2028", "\x1b[31m", "\x1b]0;x\x07", "\x9b31m", "[/b]", "[red]", "%s{}",
    "{0}", "$HOME", "=1+1", "@SUM(A1)", "<script>", "&amp;", "|", '"', "'", "\ufb01", "e\u0301", "\u00e9", "\u4e0a",
    "1", "1.5", "1e400", "0x10", "true", "null", "NaN", "None", "normal", "FALSE", "http://127.0.0.1:9/x",
    "http:x.npy", "file:x", "concat:a|b", "rgb-float32-00000000.npy",
)  # fmt: skip
TOKENS = (
    b"\0", b"\xff", b"\xef\xbb\xbf", b"\n", b"\r\n", b"\r", b"\t", b" " * 50, b"{", b"}", b"[", b"]", b"[" * 3000,
    b",", b";", b":", b'"', b"'", b"\\", b"\\u0000", b"\\ud800", b"-", b"1", b"9" * 40, b"9" * 5000, b"1e999", b"NaN",
    b"null", b"true", b"\x1b[31m", b"=", b"#", b"%", b"&", b"*", b"!", b"|", b"<", b"\xed\xa0\x80", b"\xe2\x80\xa8",
    b"\x85", b"../", b"/",
)  # fmt: skip


def junk(rng: random.Random, canary: Path | None = None) -> Any:
    """Return a value that nobody expects."""
    kind = rng.randrange(12)
    if kind < 4:
        return rng.choice(NUMBERS)
    if kind < 8:
        paths = (str(canary / "precious.txt"), str(canary), str(canary / "new")) if canary else ()
        return rng.choice((*TEXTS, *paths))
    return copy.deepcopy(
        rng.choice((None, True, False, [], {}, [[]], [None], {"a": None}, {"": 1}, DEEP, [0] * 1000, {"use": "tca"}))
    )


# -- structure -------------------------------------------------------------------------------------
def spots(value: Any, path: Path_ = ()) -> list[tuple[Path_, Any]]:
    """Return every place of a tree as (path to its parent, key)."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [spot for key, child in items for spot in [(path, key), *spots(child, (*path, key))]]


def at(value: Any, path: Path_) -> Any:
    for key in path:
        value = value[key]
    return value


def structure(value: Any, rng: random.Random, canary: Path | None = None) -> Any:
    """Return plain data with one to three places changed."""
    value = copy.deepcopy(value)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        places = spots(value)
        if not places:
            return junk(rng, canary)
        path, key = rng.choice(places)
        _change(value, at(value, path), key, places, rng, canary)
    return value if rng.random() < 0.97 else junk(rng, canary)


def _change(value: Any, parent: Any, key: Any, places: list[Any], rng: random.Random, canary: Path | None) -> None:
    kind, old = rng.randrange(8), parent[key]
    if kind == 0:
        del parent[key]
    elif kind == 1 and isinstance(parent, dict):  # another name, perhaps a strange one
        name = rng.choice((*TEXTS, key[:-1], key + "_", key.upper()))
        parent[name] = parent.pop(key)
    elif kind == 2:  # something from elsewhere
        other, name = rng.choice(places)
        try:
            parent[key] = copy.deepcopy(at(value, other)[name])
        except (KeyError, IndexError, TypeError):  # it is gone by now
            parent[key] = None
    elif kind == 3 and isinstance(old, int | float):
        parent[key] = old * rng.choice((-1, 0, 2, 1000, 10**9, 10**15))
    elif kind == 4:
        parent[key] = rng.choice((str(old)[:50], [old], {"x": old}, [old, old]))
    elif kind == 5 and isinstance(parent, list):
        parent.insert(rng.randrange(len(parent) + 1), copy.deepcopy(old))
    elif kind == 6 and isinstance(parent, dict):
        parent[rng.choice(TEXTS)] = junk(rng, canary)
    else:
        parent[key] = junk(rng, canary)


def as_json(value: Any, rng: random.Random) -> bytes:
    """Return JSON, at times with a key that is written twice."""
    text = json.dumps(value, ensure_ascii=rng.random() < 0.5, indent=rng.choice((None, 1)))
    if rng.random() < 0.05 and '": ' in text:
        start = text.rindex('"', 0, text.index('": '))
        end = text.index('": ') + 3
        text = f"{text[:start]}{text[start:end]}{json.dumps(junk(rng))}, {text[start:]}"
    return text.encode("utf-8", "surrogatepass")


# -- bytes -----------------------------------------------------------------------------------------
def some_bytes(data: bytes, rng: random.Random) -> bytes:
    """Return data with one to three spots changed."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        data = rng.choice(BYTE_CHANGES)(data, rng)
    return data


def _flip(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 4, 30)) if data else 0):
        changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _insert(data: bytes, rng: random.Random) -> bytes:
    i = rng.randrange(len(data) + 1)
    return data[:i] + rng.choice(TOKENS) + data[i:]


def _cut(data: bytes, rng: random.Random) -> bytes:
    i = rng.randrange(len(data) + 1)
    return data[:i] + data[i + rng.randrange(1, 40) :]


def _truncate(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _repeat(data: bytes, rng: random.Random) -> bytes:
    i = rng.randrange(len(data) + 1)
    return data[:i] + data[i : i + rng.randrange(1, 200)] * rng.choice((2, 3, 20)) + data[i:]


def _lines(data: bytes, rng: random.Random) -> bytes:
    lines = data.split(b"\n")
    i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
    kind = rng.randrange(4)
    if kind == 0:
        del lines[i]
    elif kind == 1:
        lines.insert(j, lines[i])
    elif kind == 2:
        lines[i], lines[j] = lines[j], lines[i]
    else:
        lines[i] = b" " * rng.randrange(9) + lines[i].strip()
    return b"\n".join(lines)


def _number(data: bytes, rng: random.Random) -> bytes:
    digits = [i for i, byte in enumerate(data) if chr(byte).isdigit()]
    if not digits:
        return data
    i = rng.choice(digits)
    return data[:i] + str(rng.choice(NUMBERS)).encode() + data[i + 1 :]


def _random(data: bytes, rng: random.Random) -> bytes:
    return rng.randbytes(rng.choice((0, 1, 8, 100, 2000))) if rng.random() < 0.3 else data[::-1]


BYTE_CHANGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _flip, _flip, _insert, _insert, _cut, _truncate, _repeat, _lines, _number, _number, _random,
)  # fmt: skip


# -- kinds of file ---------------------------------------------------------------------------------
def other_kind(path: Path, rng: random.Random, canary: Path) -> str:
    """Put something in place of a file that is no such file, and return what."""
    kind = rng.choice(("nothing", "folder", "pipe", "link out", "link to itself", "dangling link", "empty", "sparse"))
    path.unlink()
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "link out":
        path.symlink_to(canary / "precious.txt")
    elif kind == "link to itself":
        path.symlink_to(path.name)
    elif kind == "dangling link":
        path.symlink_to(canary / "new")
    elif kind != "nothing":
        path.touch()
    if kind == "sparse":
        os.truncate(path, 40 << 30)
    return kind
