"""JSON of a declared type: what does not fit is one clear line, never a traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import pytest

from vadkit import json_file
from vadkit.problems import VadkitError

Count = Annotated[int, msgspec.Meta(ge=1, le=1000)]


class Stream(msgspec.Struct):
    dim: Count
    recipe: dict[str, Any] = {}
    packed: str | None = None


class Head(msgspec.Struct):
    streams: Annotated[dict[str, Stream], msgspec.Meta(min_length=1)]
    spans: list[tuple[int, int]] = []
    fps: float | None = None


class Strict(msgspec.Struct, forbid_unknown_fields=True):
    name: str


def problem(path: Path, content: bytes | str, kind: Any = Head) -> str:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(VadkitError) as caught:
        json_file.read(path, kind, "the head of a store", "write it again")
    assert len(caught.value.problems) == 1 and str(path) in str(caught.value)
    return caught.value.problems[0].message.removeprefix(f"{path}: ")


RGB = '{"streams": {"pose": {"dim": 3}, "rgb": %s}}'
FULL = '{"streams": {"rgb": {"dim": 3}}, %s}'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (RGB % '{"dim": "x"}', 'streams.rgb.dim must be a whole number, got "x"'),
        (RGB % '{"dim": 0}', "streams.rgb.dim must be a whole number of at least 1, got 0"),
        (RGB % '{"dim": -5}', "streams.rgb.dim must be a whole number of at least 1, got -5"),
        (RGB % '{"dim": 1001}', "streams.rgb.dim must be a whole number of at most 1000, got 1001"),
        (RGB % '{"dim": 1.5}', "streams.rgb.dim must be a whole number, got 1.5"),
        (RGB % '{"dim": true}', "streams.rgb.dim must be a whole number, got true"),
        (RGB % '{"dim": null}', "streams.rgb.dim must be a whole number, got null"),
        (RGB % '{"dim": 1, "packed": []}', "streams.rgb.packed must be text, got []"),
        (RGB % "{}", "streams.rgb lacks 'dim'"),
        (RGB % "[]", "streams.rgb must be a mapping, got []"),
        (RGB % '{"dim": 1, "recipe": 7}', "streams.rgb.recipe must be a mapping, got 7"),
        ('{"streams": {}}', "streams must be a mapping of at least 1 entries, got {}"),
        ('{"streams": 4}', "streams must be a mapping, got 4"),
        ("{}", "is not the head of a store: it lacks 'streams'"),
        ("[1]", "is not the head of a store: it must be a mapping, got [1]"),
        (FULL % '"spans": [[1, 2], [3]]', "spans[1] must be a list of 2 items, got [3]"),
        (FULL % '"spans": [[1, 2], [3, 4.5]]', "spans[1][1] must be a whole number, got 4.5"),
        (FULL % '"fps": NaN', "is not JSON: it holds NaN, which is no number"),
        (FULL % '"fps": -Infinity', "is not JSON: it holds -Infinity, which is no number"),
        (FULL % '"fps": 1e999', "is not JSON: it holds 1e999, which is too large a number"),
        (FULL % '"fps": 1, "fps": 2', "is not JSON: it holds 'fps' twice in one mapping"),
        (b'{"streams": "\xff"}', "is not UTF-8 text (byte 13)"),
        ("", "is empty"),
        ('{"a": ' + "[" * 100_000, "is nested too deeply"),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path: Path, content: bytes | str, message: str) -> None:
    assert problem(tmp_path / "head.json", content) == message


@pytest.mark.parametrize("number", ["1" + "0" * 30, "1" + "0" * 5000, "-1" + "0" * 30])
def test_huge_numbers(tmp_path: Path, number: str) -> None:
    assert problem(tmp_path / "head.json", RGB % f'{{"dim": {number}}}')


def test_long_values_are_shortened(tmp_path: Path) -> None:
    assert len(problem(tmp_path / "head.json", RGB % f'{{"dim": "{"x" * 5000}"}}')) < 150


def test_a_syntax_error_has_its_place(tmp_path: Path) -> None:
    path = tmp_path / "head.json"
    path.write_text('{\n "streams": 1,,\n}')
    with pytest.raises(VadkitError, match=r"head.json:2:15: not JSON: .*\n.*\n.*\^"):
        json_file.read(path, Head)
    path.write_text('{\n "streams": {')
    with pytest.raises(VadkitError, match=r"head.json:2:14: the file is cut off here"):
        json_file.read(path, Head)


def test_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path, cause in ((tmp_path / "none.json", "no such file"), (tmp_path, "is a directory")):
        with pytest.raises(VadkitError, match=f"cannot be read: {cause}"):
            json_file.read(path, Head)
    (tmp_path / "large.json").write_text("[1, 2, 3, 4]")
    monkeypatch.setattr(json_file, "LIMIT", 10)
    with pytest.raises(VadkitError, match="is too large: 12 bytes, the limit is 10"):
        json_file.read(tmp_path / "large.json", list[int])


def test_unknown_keys(tmp_path: Path) -> None:
    path = tmp_path / "head.json"
    path.write_text(FULL % '"mine": 1')
    assert json_file.read(path, Head).streams["rgb"].dim == 3
    assert problem(path, '{"name": "a", "nmae": "b"}', Strict) == (
        "is not the head of a store: it has an unknown key 'nmae'"
    )


def test_names_that_are_not_utf8_survive(tmp_path: Path) -> None:
    """Python gives such a file name unpaired surrogates."""
    json_file.write(tmp_path / "x.json", {"name": "a\udcff"})
    assert json_file.read(tmp_path / "x.json", Strict) == Strict("a\udcff")


def test_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    json_file.write(path, Stream(2))
    assert path.read_text() == '{\n "dim": 2,\n "recipe": {},\n "packed": null\n}\n'
    json_file.write_rows(path, [{"a": 1.5}, {"b": "\u00e9"}])
    assert path.read_text() == '[\n{"a": 1.5},\n{"b": "\\u00e9"}\n]\n'
    assert json_file.as_line([1, 2]) == b"[1, 2]\n"
    with pytest.raises(VadkitError, match="cannot be written as JSON"):
        json_file.write(path, {"a": float("nan")})
    assert path.read_text().startswith("[\n"), "the old content is kept"


def test_a_line(tmp_path: Path) -> None:
    assert json_file.from_bytes(b'{"dim": 4}', Stream, "line 1").dim == 4
    for data in (b'{"dim": 4', b"\xff", b"", b"[" * 100_000):
        with pytest.raises(VadkitError, match="^line 3: is cut off or damaged$"):
            json_file.from_bytes(data, Stream, "line 3")
    with pytest.raises(VadkitError, match="^line 3: dim must be a whole number, got null$"):
        json_file.from_bytes(b'{"dim": null}', Stream, "line 3")


def test_it_imports_nothing_heavy() -> None:
    code = "import sys, vadkit.json_file; print([m for m in ('torch', 'numpy') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"
