"""A name from a file never leaves its folder: whatever a store calls its streams, videos, arrays and packs."""

from __future__ import annotations

import ast
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from manifested import array_of, everything, read_lines, write_lines, write_manifested

from vadkit.cli import main
from vadkit.engine.loggers import Guarded
from vadkit.extract.run import _after
from vadkit.files import open_to_append
from vadkit.problems import VadkitError
from vadkit.store.index import read_store
from vadkit.store.manifest import Array, Line, append_line, read_manifest
from vadkit.store.merge import merge
from vadkit.store.names import Below, is_pack_name, is_path_below, is_plain_name, is_stream_name
from vadkit.store.pack import pack, unpack
from vadkit.store.reader import StoredFeatures

pytestmark = pytest.mark.guards("D3", "5.1")
ROOT = Path(__file__).parents[2]

LEADING_OUT = (
    "../payload", "..", ".", "", "/etc", "//etc", "a/../../b", "rgb/..", "..\\payload", "C:\\x", "C:x", "c:", ".hidden",
    "a\0b", "a\nb", "\x1b[31m", "a\x7f", "\ud800", "x" * 300, "~/..", "rgb/",
)  # fmt: skip
OF_THE_STORE = ("store.json", "Store.JSON", "videos.json", "manifest.jsonl", ".lock", "rgb-float32-0123abcd.npy")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with a store of somebody else's, another one, and files of the user's."""
    write_manifested(tmp_path / "store")
    write_manifested(tmp_path / "other", seed=1)
    for folder in ("payload", "rgb"):
        (tmp_path / folder).mkdir()
        for video in read_store(tmp_path / "store").videos:
            np.save(tmp_path / folder / f"{video.name}.npy", np.ones((3, 16), np.float32))
    (tmp_path / "important.txt").write_text("mine")
    return tmp_path


def verbs(home: Path) -> list[list[str]]:
    store, out = str(home / "store"), str(home / "out" / "new")
    return [
        ["store", "info", store], ["store", "check", store], ["store", "check", store, "--quick"],
        ["store", "pack", store], ["store", "pack", store, "--remove"], ["store", "diff", store, str(home / "other")],
        ["store", "merge", store, str(home / "other"), "--out", out],
    ]  # fmt: skip


def untouched(home: Path, only_refused: bool = False) -> None:
    """Run every verb on the store; what is outside of it and of --out stays, and no own file of it vanishes."""
    outside = {name: text for name, text in everything(home).items() if not name.startswith(("store/", "out/"))}
    for arguments in verbs(home):
        code = main(arguments)
        assert code in ((1, 2) if only_refused else (0, 1, 2)), arguments
        now = {name: text for name, text in everything(home).items() if not name.startswith(("store/", "out/"))}
        assert now == outside, arguments
        assert {"store.json", "videos.json", "manifest.jsonl"} <= set(os.listdir(home / "store")), arguments
        if (home / "out").exists():
            assert not {*os.listdir(home / "out")} - {"new"}
            shutil.rmtree(home / "out")


# -- names -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", LEADING_OUT)
def test_names_that_lead_out(name: str, tmp_path: Path) -> None:
    assert not is_plain_name(name) or name.startswith("~") and "/" not in name
    assert not is_stream_name(name)
    for make in (Below(tmp_path).stream, lambda text: Below(tmp_path).array("rgb", text)):
        with pytest.raises(VadkitError, match="cannot be the name of"):
            make(name)


@pytest.mark.parametrize("name", OF_THE_STORE)
@pytest.mark.guards("D10")
def test_names_of_a_stores_own_files(name: str) -> None:
    assert not is_stream_name(name) and not is_pack_name(name, "flow")


@pytest.mark.parametrize("name", ["rgb", "v=ab__#1_label_A", "a b", "caf\u00e9", "cam 12:30", "x" * 200, "~", "100%"])
def test_names_that_are_names(name: str, tmp_path: Path) -> None:
    assert is_plain_name(name) and is_stream_name(name) and is_path_below(f"{name}/{name}.npy")
    assert Below(tmp_path).array(name, name).parent.parent == tmp_path


def test_a_name_that_is_not_utf_8_is_a_name() -> None:
    """As Python reads it from a disk."""
    assert is_plain_name(os.fsdecode(b"caf\xe9"))


@pytest.mark.parametrize(
    "text", ["../x", "/x", "a/../../x", "a/..", "..", ".", "", "a\\b", "C:/x", "a\0", "\ud800", "a/" + "x" * 256, "/"]
)
def test_paths_that_are_not_below(text: str, tmp_path: Path) -> None:
    assert not is_path_below(text)
    with pytest.raises(VadkitError, match="is not the path of a file below it"):
        Below(tmp_path).file(text)


def test_paths_that_are_below(tmp_path: Path) -> None:
    assert all(map(is_path_below, ("a", "a/b.npy", "./a", "a//b", ".hidden/x.npy", "a..b/..c")))
    assert Below(tmp_path).file("a/b.npy") == tmp_path / "a" / "b.npy"


# -- a store that names something else -------------------------------------------------------------
@pytest.mark.parametrize("name", [*LEADING_OUT, *OF_THE_STORE])
@pytest.mark.parametrize("with_right_hash", [False, True])
def test_a_manifest_with_arrays_elsewhere(home: Path, name: str, with_right_hash: bool) -> None:
    lines = read_lines(home / "store")
    array = {"shape": [3, 16], "bytes": 1, "sha256": "0"}
    if with_right_hash:
        array = array_of(home / "payload" / f"{lines[0]['name']}.npy")
    lines[0]["arrays"][name] = array
    write_lines(home / "store", lines)
    found, notes = read_manifest(home / "store")
    assert len(found) == len(lines) - 1 and "a stream's name" in notes[0]
    if with_right_hash:
        untouched(home)


@pytest.mark.parametrize("name", LEADING_OUT)
def test_a_manifest_with_videos_elsewhere(home: Path, name: str) -> None:
    lines = read_lines(home / "store")
    write_lines(home / "store", [{**lines[0], "name": name}, *lines[1:]])
    found, notes = read_manifest(home / "store")
    assert len(found) == len(lines) - 1 and "a video's name" in notes[0]


def test_a_manifest_with_an_array_that_store_json_does_not_name(home: Path) -> None:
    """A folder of the user's in the store is not the store's."""
    lines = read_lines(home / "store")
    (home / "store" / "mine").mkdir()
    shutil.copy(home / "payload" / f"{lines[0]['name']}.npy", home / "store" / "mine")
    lines[0]["arrays"]["mine"] = array_of(home / "store" / "mine" / f"{lines[0]['name']}.npy")
    write_lines(home / "store", lines)
    with pytest.raises(VadkitError, match="is not finished, or was changed"):
        merge([home / "store", home / "other"], home / "out")
    assert not (home / "out").exists()


def change(path: Path, how: Callable[[Any], Any]) -> None:
    data = json.loads(path.read_text())
    how(data)
    path.write_text(json.dumps(data))


@pytest.mark.parametrize("name", ["../payload", "/tmp", "..", "videos.json", "a\0b", "\ud800", "x" * 300])
def test_a_stream_elsewhere(home: Path, name: str) -> None:
    change(home / "store" / "store.json", lambda head: head["streams"].update({name: head["streams"].pop("rgb")}))
    with pytest.raises(VadkitError, match="is not a plain folder name"):
        read_store(home / "store")
    untouched(home, only_refused=True)


@pytest.mark.parametrize("name", ["../important", "/tmp/x", "..", "a\0b", "\ud800", "x" * 300])
def test_a_video_elsewhere(home: Path, name: str) -> None:
    change(home / "store" / "videos.json", lambda videos: videos[0].update(name=name))
    untouched(home, only_refused=True)


@pytest.mark.parametrize(
    "name",
    [
        "videos.json", "store.json", "manifest.jsonl", "rgb", "../important.txt", "../payload", "/etc/passwd", "x.npy",
        "rgb-float32-0123abcd.json", "rgb-float32-0123abcD.npy", "flow-float32-0123abcd.npy", "", ".lock", "a\0b",
        "rgb-float32-0123abcd.npy/..", "rgb-float64-0123abcd.npy",
    ],
)  # fmt: skip
@pytest.mark.guards("D10")
def test_a_pack_that_is_no_pack(home: Path, name: str) -> None:
    change(home / "store" / "store.json", lambda head: head["streams"]["rgb"].update(packed=name))
    with pytest.raises(VadkitError, match="which is no name of a packed file"):
        read_store(home / "store")
    untouched(home, only_refused=True)


@pytest.mark.parametrize("file", ["../important.txt", "/etc/passwd", "a/../../x", "a\0", "\ud800", "x" * 300])
def test_a_feature_file_elsewhere(home: Path, file: str) -> None:
    change(home / "store" / "videos.json", lambda videos: videos[0].update(files={"rgb": [file]}))
    with pytest.raises(VadkitError, match="which is not a path below another folder"):
        read_store(home / "store")
    untouched(home, only_refused=True)


@pytest.mark.parametrize("key", ["file", "root"])
@pytest.mark.parametrize("text", ["a\0b", "\ud800", "x" * 300, "a\nb"])
def test_what_is_no_path(home: Path, key: str, text: str) -> None:
    if key == "file":
        change(home / "store" / "videos.json", lambda videos: videos[0].update(file=text))
    else:
        change(home / "store" / "store.json", lambda head: head.update(root=text))
    with pytest.raises(VadkitError, match="which is not a path"):
        read_store(home / "store")


def test_an_extraction_deletes_only_what_is_the_stores(home: Path) -> None:
    """A video that is now broken: its arrays go, but not files in other folders that the manifest names."""
    store = home / "store"
    name = read_lines(store)[0]["name"]
    (store / "mine").mkdir()
    shutil.copy(home / "payload" / f"{name}.npy", store / "mine")
    (before, *_) = read_manifest(store)[0].values()
    one = array_of(store / "mine" / f"{name}.npy")
    array = Array(one["shape"], one["bytes"], one["sha256"])
    before = msgspec.structs.replace(before, arrays={**before.arrays, "mine": array})
    _after(store, before, Line(name, "broken", None, "its file is empty"))
    assert (store / "mine" / f"{name}.npy").exists() and not (store / "rgb" / f"{name}.npy").exists()
    for stream in ("../payload", str(home / "payload"), "store.json"):
        hostile = msgspec.structs.replace(before)
        hostile.arrays = {stream: array}
        _after(store, hostile, Line(name, "broken", None, "its file is empty"))
    assert (home / "payload" / f"{name}.npy").exists() and (store / "store.json").exists()


# -- links -----------------------------------------------------------------------------------------
def link(path: Path, target: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    path.symlink_to(target)


def test_a_link_in_place_of_a_folder(home: Path) -> None:
    shutil.rmtree(home / "payload")
    (home / "store" / "rgb").rename(home / "payload")
    link(home / "store" / "rgb", home / "payload")
    store = read_store(home / "store")
    with pytest.raises(VadkitError, match="leads out of"):
        StoredFeatures(store).read(store.videos[0], "rgb")
    untouched(home)


def test_a_link_in_place_of_an_array(home: Path) -> None:
    store = read_store(home / "store")
    name = f"{store.videos[0].name}.npy"
    link(home / "store" / "rgb" / name, home / "payload" / name)
    with pytest.raises(VadkitError, match="leads out of"):
        StoredFeatures(store).read_crop(store.videos[0], "rgb", 0)
    untouched(home)


def test_a_link_in_place_of_a_pack(home: Path) -> None:
    (result, *_) = pack(home / "store")
    shutil.move(result.path, home / "packed.npy")
    link(result.path, home / "packed.npy")
    with pytest.raises(VadkitError, match="leads out of"):
        StoredFeatures(read_store(home / "store"))
    before = (home / "packed.npy").read_bytes()
    with pytest.raises(VadkitError, match="leads out of"):
        unpack(home / "store")
    untouched(home)
    assert (home / "packed.npy").read_bytes() == before


def test_links_inside_and_to_the_whole_store(home: Path) -> None:
    store = read_store(home / "store")
    one = home / "store" / "rgb" / f"{store.videos[0].name}.npy"
    one.rename(home / "store" / "moved.npy")
    one.symlink_to("../moved.npy")
    (home / "linked").symlink_to(home / "store")
    for root in (home / "store", home / "linked"):
        found = read_store(root)
        assert StoredFeatures(found).read(found.videos[0], "rgb").shape[-1] == 16


@pytest.mark.parametrize("options", [["--replace"], ["--merge"], []])
def test_an_import_through_links(tmp_path: Path, options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Folders of published features are often links to other disks: the index says where they really are."""
    for place in ("disk1/a", "disk2/b"):
        (tmp_path / place).mkdir(parents=True)
    (tmp_path / "features").mkdir()
    rng = np.random.default_rng(0)
    for number in range(4):
        np.save(tmp_path / "disk1" / "a" / f"v{number}.npy", rng.random((5, 1024), np.float32))
        np.save(tmp_path / "disk2" / "b" / f"v{number}.npy", rng.random((5, 128), np.float32))
    (tmp_path / "features" / "rgb").symlink_to(tmp_path / "disk1" / "a")
    (tmp_path / "features" / "vggish").symlink_to(tmp_path / "disk2" / "b")
    (tmp_path / "t.csv").write_text("video,label,split\nv0,0,train\nv1,1,train\nv2,0,test\nv3,1,test\n")
    command = ["store", "import", "own", "--root", str(tmp_path / "features"), "--table", str(tmp_path / "t.csv")]
    assert main([*command, "--out", str(tmp_path / "index")]) == 0
    if options:
        assert main([*command, "--out", str(tmp_path / "index"), *options]) == 0
    store = read_store(tmp_path / "index")
    assert store.base.resolve() == tmp_path
    assert (store.base / store.videos[0].files["rgb"][0]).resolve() == tmp_path / "disk1/a/v0.npy"
    assert {StoredFeatures(store).read(video, s).shape for video in store.videos for s in store.dims} == {
        (1, 5, 1024), (1, 5, 128),
    }  # fmt: skip


# -- the source ------------------------------------------------------------------------------------
PLACES = {"root", "out", "folder", "base", "path", "parent", "place", "here", "target", "source", "real", "store"}
EXAMINED = [*(ROOT / "vadkit").glob("store/**/*.py"), *(ROOT / "vadkit").glob("datasets/**/*.py")]
EXAMINED += [*(ROOT / "vadkit").glob("diff/*.py"), ROOT / "vadkit/extract/run.py", ROOT / "vadkit/extract/one_video.py"]
ALLOWED = {  # what else is joined there: constants in a variable, names that a listing of a folder gave, arguments
    "auditing/files.py: folder / entry.name",
    "check/indexes.py: root / name",
    "generating/stand_in.py: self.out / TRUTH[self.wanted.data_set]",
    "generating/stand_in.py: self.out / path",
    "generating/stand_in.py: self.out / stream.path(video, 0)",
    "generating/stand_in.py: self.out / stream.path(video, crop)",
    "importing/index.py: os.path.join(here, file)",
    "importing/index.py: os.path.join(real, file)",
    "importing/index.py: os.path.join(real_folder(os.path.dirname(path)), os.path.basename(path))",
    "importing/index.py: out / name",
    "importing/index.py: path.with_name(f'{path.name}.before-{number}')",
    "importing/scan.py: Path(folder, name)",
    "importing/streams.py: root / folder",
}


def last_name(node: ast.expr) -> str:
    if isinstance(node, ast.BinOp):
        return last_name(node.left)
    if isinstance(node, ast.Call):
        return "path" if ast.unparse(node.func) == "Path" else last_name(node.func)
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def is_constant(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) or (isinstance(node, ast.Name | ast.Attribute) and last_name(node).isupper())


def joins(path: Path) -> Iterator[str]:
    """Yield the expressions of a file that join a path with something that is no constant."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            if last_name(node.left) in PLACES and not is_constant(node.right):
                yield ast.unparse(node)
        elif isinstance(node, ast.Call):
            function, arguments = ast.unparse(node.func), node.args
            joining = function.endswith((".joinpath", "path.join", ".with_name")) or (
                function in ("Path", "PurePosixPath") and len(arguments) > 1
            )
            if joining and not all(map(is_constant, arguments[0 if function.endswith(".with_name") else 1 :])):
                yield ast.unparse(node)


def test_paths_from_names_are_made_in_one_place() -> None:
    """A new path from a file's name belongs into ``vadkit.store.names``; what is no such path is listed here."""
    found = {
        f"{path.parent.name}/{path.name}: {text}"
        for path in EXAMINED
        if path != ROOT / "vadkit/store/names.py"
        for text in joins(path)
    }
    assert len(EXAMINED) > 60 and found == ALLOWED


@pytest.mark.guards("D11", "5.1")
def test_what_is_appended_to_is_never_a_link(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    for target in ("mine.txt", "new.txt"):
        link = tmp_path / f"link to {target}"
        link.symlink_to(tmp_path / target)
        with pytest.raises(OSError, match="it is a link"):
            open_to_append(link)
    assert (tmp_path / "mine.txt").read_text() == "mine" and not (tmp_path / "new.txt").exists()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="it is a named pipe, not a file"):
        open_to_append(tmp_path / "pipe")
    with open_to_append(tmp_path / "own.txt") as file:
        file.write(b"a")
    with open_to_append(tmp_path / "own.txt") as file:
        file.write(b"b")
    assert (tmp_path / "own.txt").read_text() == "ab"


@pytest.mark.guards("D11", "5.1")
def test_a_manifest_and_a_table_of_a_run_that_are_links_are_not_written_to(tmp_path: Path) -> None:
    store, logs = tmp_path / "store", tmp_path / "csv"
    for folder, name in ((store, "manifest.jsonl"), (logs, "intervals.csv")):
        folder.mkdir()
        (folder / name).symlink_to(tmp_path / "elsewhere")
    line = Line("clip", "broken", None, cause="why")
    with pytest.raises(VadkitError, match="manifest.jsonl: it is a link"):
        append_line(store, line)
    with pytest.raises(VadkitError, match="intervals.csv is a link"):
        Guarded("csv", None, logs, None)
    assert not (tmp_path / "elsewhere").exists()
