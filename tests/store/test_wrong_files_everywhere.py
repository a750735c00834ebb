"""Index files with wrong values, through every verb that reads a store: findings or one error, never a traceback.

A sample by default; VADKIT_THOROUGH=1 tries ten times as many.
"""

from __future__ import annotations

import json
import random
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from manifested import read_lines, write_manifested
from wrong_json import DAMAGED, changed, paths, spoiled

from vadkit.cli import main
from vadkit.problems import VadkitError
from vadkit.store.index import read_store
from vadkit.store.manifest import put_in_order, read_manifest
from vadkit.store.pack import pack
from vadkit.store.packed import Packed

pytestmark = pytest.mark.guards("D15", "5.8")
SEED = 8  # of the samples; printed when one fails

ODD = (
    2**53,
    -(2**53),
    2**70,
    1e308,
    -0.0,
    "",
    "\ud800",
    "a\0b",
    "\x1b[2J",
    "x" * 300,
    "../x",
    [[[[]]]],
    {"": {"": None}},
)
FULL = {  # a head that uses every key
    "classes": ["normal", "explosion", "riot", "car accident"], "root": "", "data_set": "ucf_crime",
    "intervals": "half_open", "made_with": {"torch": "2.6"}, "licence": "MIT", "mine": {"a": 1},
}  # fmt: skip
RECIPE = {"backbone": "i3d", "weights": "random", "crops": "ten", "fps": None, "stride": 16, "snippet_frames": 16,
          "sample_rate": 16000, "window": 15360, "mean": [0.5], "more": {"a": None}}  # fmt: skip


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store whose indexes use every key, with packs, and another one to compare it with."""
    folder = tmp_path_factory.mktemp("model")
    store = write_manifested(folder / "store", dims={"rgb": 16, "flow": 12})
    head = json.loads((store / "store.json").read_text())
    for stream in head["streams"].values():
        stream |= {"recipe": RECIPE, "axes": {"train": "crops snippets width", "test": "crops snippets width"}}
    (store / "store.json").write_text(json.dumps({**head, **FULL}))
    videos = json.loads((store / "videos.json").read_text())
    videos[0] |= {"file": "../a.mp4", "tags": {"a": [1]}}
    (store / "videos.json").write_text(json.dumps(videos))
    lines = read_lines(store)
    lines[0] |= {
        "native_fps": 30.0, "duration": 6.6, "size": [240, 320], "has_sound": True, "snippets": 9, "clip_start": 0.0,
        "clip_step": 0.6, "warnings": ["dark"], "mine": 1,
    }  # fmt: skip
    (store / "manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    shutil.copytree(store, folder / "other")
    pack(store, streams=["rgb"])
    return folder


@pytest.fixture
def store(model: Path, tmp_path: Path) -> Path:
    shutil.copytree(model, tmp_path / "all")
    return tmp_path / "all" / "store"


def run_all(store: Path, capsys: pytest.CaptureFixture[str], what: object) -> None:
    other, out = str(store.parent / "other"), str(store.parent / "out")
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[attr-defined]  # printing has tests of its own
    for command in (
        ["info"], ["info", "--json"], ["check"], ["check", "--quick", "--videos", "--json"], ["diff", other],
        ["pack", "--streams", "flow"], ["merge", other, "--out", out],
    ):  # fmt: skip
        try:
            code = main(["store", command[0], str(store), *command[1:]])
        except BaseException as error:
            raise AssertionError(f"seed {SEED}: {command} of a store with {what!r}: {error!r}") from error
        said = capsys.readouterr()
        assert code in (0, 1, 2) and "Traceback" not in said.err and len(said.err) < 20_000
        shutil.rmtree(out, ignore_errors=True)


def sample(plain: Any, count: int) -> list[Any]:
    forms = [*spoiled(plain), *(changed(plain, path, value) for path in paths(plain) for value in ODD)]
    return random.Random(SEED).sample(forms, min(count, len(forms)))


@pytest.mark.parametrize("file", ["store.json", "videos.json", "manifest.jsonl", "pack"])
def test_wrong_values(store: Path, file: str, cases: Callable[[int], int], capsys: pytest.CaptureFixture[str]) -> None:
    path = next(store.glob("rgb-*.json")) if file == "pack" else store / file
    good = path.read_text()
    plain = json.loads(good.splitlines()[0] if file == "manifest.jsonl" else good)
    rest = "".join(line + "\n" for line in good.splitlines()[1:]) if file == "manifest.jsonl" else ""
    tried = sample(plain, cases(25))
    whole = {entry: (store / entry).read_text() for entry in ("store.json", "videos.json", "manifest.jsonl")}
    for wrong in tried:
        for name, text in whole.items():
            (store / name).write_text(text)
        path.write_text(json.dumps(wrong) + "\n" + rest)
        run_all(store, capsys, wrong)
    print(f"{file}: {len(tried)} wrong forms, seed {SEED}")


@pytest.mark.parametrize("file", ["store.json", "videos.json", "manifest.jsonl"])
@pytest.mark.parametrize("damage", DAMAGED)
def test_damaged_files(store: Path, file: str, damage: str, capsys: pytest.CaptureFixture[str]) -> None:
    (store / file).write_bytes(DAMAGED[damage])
    run_all(store, capsys, damage)


@pytest.mark.parametrize("file", ["store.json", "videos.json", "manifest.jsonl", "pack"])
def test_mutated_bytes(store: Path, file: str, cases: Callable[[int], int]) -> None:
    """5,000 of each if thorough: some bytes are changed, taken out, doubled or put in."""
    path = next(store.glob("rgb-*.json")) if file == "pack" else store / file
    good, rng, refused = path.read_bytes(), random.Random(SEED), 0
    packed = path.with_suffix(".npy")
    for _ in range(cases(250)):
        bad = bytearray(good)
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(bad))
            piece = bytes(bad[at : at + rng.randint(1, 20)])
            new = rng.choice(
                [b"", piece * 2, bytes([rng.randrange(256)]), b'"', b"}", b"[", b"9" * 20, b"\\ud800", b"null"]
            )
            bad[at : at + len(piece)] = new
        path.write_bytes(bad)
        try:
            if file == "pack":
                Packed(packed, 16)
            elif file == "manifest.jsonl":
                refused += bool(read_manifest(store)[1])
            else:
                read_store(store)
        except VadkitError as error:
            assert len(str(error)) < 20_000
            refused += 1
        except Exception as error:
            raise AssertionError(f"seed {SEED}: {bytes(bad)!r}") from error
    print(f"{file}: {cases(250)} mutants, {refused} refused, seed {SEED}")
    assert refused > cases(250) // 2


def one(store: Path, how: Callable[[Any], Any], file: str) -> None:
    if file == "manifest.jsonl":
        lines = read_lines(store)
        how(lines[0])
        (store / file).write_text("".join(json.dumps(line) + "\n" for line in lines))
        return
    data = json.loads((store / file).read_text())
    how(data)
    (store / file).write_text(json.dumps(data))


RGB = ("streams", "rgb")
LISTED = [  # those of the attacks, one each
    ("store.json", (*RGB, "recipe"), "text"), ("store.json", (*RGB, "recipe"), ["list"]),
    ("store.json", (*RGB, "recipe"), {"weights": ["x"], "crops": [["x"]]}), ("store.json", ("made_with",), ["torch"]),
    ("store.json", ("snippet_frames",), 2**70), ("store.json", ("made_with",), {"torch": 2}),
    ("videos.json", (0, "num_frames"), 2**70), ("videos.json", (0, "spans"), [[0, 2**70]]),
    ("videos.json", (0, "name"), "\ud800"), ("videos.json", (0, "files"), {"rgb": "a\0b"}),
    ("videos.json", (0, "files"), {"rgb": "x" * 300}), ("videos.json", (0, "fps"), 0),
    ("manifest.jsonl", ("fps",), 0), ("manifest.jsonl", ("duration",), "long"), ("manifest.jsonl", ("clip_step",), "x"),
    ("manifest.jsonl", ("clip_step",), 0), ("manifest.jsonl", ("source",), ...), ("manifest.jsonl", ("size",), ["x"]),
    ("manifest.jsonl", ("source", "bytes"), 2**53), ("manifest.jsonl", ("arrays", "rgb", "bytes"), 2**70),
]  # fmt: skip


@pytest.mark.parametrize(("file", "path", "value"), LISTED)
def test_the_attacks(
    store: Path, file: str, path: tuple[Any, ...], value: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    def set_it(data: Any) -> None:
        for key in path[:-1]:
            data = data[key]
        if value is ...:
            del data[path[-1]]
        else:
            data[path[-1]] = value

    one(store, set_it, file)
    if file == "manifest.jsonl":
        assert len(read_manifest(store)[1]) == 1
    elif value != {"weights": ["x"], "crops": [["x"]]}:
        with pytest.raises(VadkitError):
            read_store(store)
    run_all(store, capsys, value)


@pytest.mark.parametrize("depth", [100, 1000, 100_000])
@pytest.mark.parametrize("file", ["store.json", "videos.json", "manifest.jsonl"])
def test_deep_json(store: Path, file: str, depth: int, capsys: pytest.CaptureFixture[str]) -> None:
    """A value of the user's may be nested, but not so that Python cannot follow."""
    deep = '{"a":' * depth + "1" + "}" * depth
    text = (store / file).read_text()
    for key in ('"tags": {', '"recipe": {', '"name":'):
        if key in text:
            (store / file).write_text(text.replace(key, key.replace("{", f'{{"deep": {deep}, '), 1))
            run_all(store, capsys, f"depth {depth}")
            (store / file).write_text(text)


@pytest.mark.guards("D3")
def test_unknown_keys_of_a_manifest_are_kept(store: Path) -> None:
    lines, _ = read_manifest(store)
    assert [line.unknown for line in lines.values()][0] == {"mine": 1}
    put_in_order(store, lines.values())
    again, notes = read_manifest(store)
    assert again == lines and not notes
    assert sum(line.get("mine", 0) for line in read_lines(store)) == 1
