"""An interrupt or SIGTERM ends a command in a line, at any time, and nothing is left half written."""

from __future__ import annotations

import importlib
import io
import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from manifested import everything, write_manifested

from vadkit.cli import main
from vadkit.cli.terminate import ended_as_interrupted
from vadkit.store.check.verify import verify
from vadkit.store.index import read_store
from vadkit.store.reader import StoredFeatures

pytestmark = pytest.mark.guards("5.5")

At = tuple[int, str, int]  # a signal, which is sent when a function is called for the n-th time


class Found(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


def run(*arguments: object) -> Found:
    """Run a command in this process."""
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        code = main([*map(str, arguments)])
    return Found(code, out.getvalue(), err.getvalue())


def signalled(at: At, *arguments: object) -> tuple[int, str]:
    """Run a command in a process of its own, which gets a signal. Return its exit code and what it said.

    A fork: a new process would load everything again, for seconds.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(writer, 2)
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.alarm(60)
        code = 99
        try:
            send(*at)
            code = main([*map(str, arguments)])
        except BaseException:  # noqa: BLE001 - a child must never go on as the test run
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    os.close(writer)
    with open(reader) as file:
        said = file.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), said


def send(number: int, name: str, count: int) -> None:
    module, _, attribute = name.rpartition(".")
    owner, calls = importlib.import_module(module), []
    function = getattr(owner, attribute)

    def reached(*arguments: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == count:
            os.kill(os.getpid(), number)
        return function(*arguments, **options)

    setattr(owner, attribute, reached)


def temporaries(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in folder.rglob(".vadkit*")]


# -- interrupts while the program is loaded --------------------------------------------------------
def test_an_interrupt_while_the_program_is_loaded() -> None:
    """At the import of the first module after the handler is set, and at that of a verb's."""
    for name in ("argparse", "vadkit.cli.list"):
        script = (
            "import os, runpy, signal, sys\n"
            "class Finder:\n"
            "    def find_spec(self, name, path=None, target=None):\n"
            f"        if name == {name!r}: os.kill(os.getpid(), signal.SIGINT)\n"
            "sys.meta_path.insert(0, Finder())\n"
            "sys.argv = ['vadkit', 'list']\n"
            "runpy.run_module('vadkit', run_name='__main__')\n"
        )
        found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
        assert (found.returncode, found.stderr) == (130, "interrupted\n")


# -- pack ------------------------------------------------------------------------------------------
PLACES = [
    ("vadkit.store.pack.check_finite", 1), ("vadkit.store.pack.check_finite", 3), ("vadkit.files._flush", 1),
    ("os.replace", 1), ("os.replace", 2), ("vadkit.store.pack._set_packed", 1), ("vadkit.store.pack._delete_others", 1),
]  # fmt: skip


@pytest.mark.guards("D8")
@pytest.mark.parametrize(("name", "count"), PLACES)
def test_a_killed_pack_goes_on(tmp_path: Path, name: str, count: int) -> None:
    store = write_manifested(tmp_path / "store")
    before = {video.name: StoredFeatures(read_store(store)).read(video, "rgb") for video in read_store(store).videos}
    assert signalled((signal.SIGKILL, name, count), "store", "pack", store)[0] == -signal.SIGKILL
    assert verify(store).is_sound
    found = run("store", "pack", store)
    assert found.returncode == 0, found.stderr
    assert temporaries(store) == [] and len(list(store.glob("*-float32-*.npy"))) == 2
    after = StoredFeatures(read_store(store))
    assert all(np.array_equal(after.read(video, "rgb"), before[video.name]) for video in read_store(store).videos)
    assert run("store", "pack", store, "--remove").returncode == 0
    assert not list(store.glob("*-float32-*"))


@pytest.mark.guards("D8")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_pack_that_is_asked_to_end_leaves_nothing(tmp_path: Path, number: int) -> None:
    store = write_manifested(tmp_path / "store")
    before = everything(store)
    code, said = signalled((number, "vadkit.store.pack.check_finite", 2), "store", "pack", store)
    assert (code, said.strip().splitlines()[-1]) == (130, "interrupted")
    assert everything(store) == before


def test_three_packs_at_once(tmp_path: Path) -> None:
    store = write_manifested(tmp_path / "store", train=8)
    dtypes = ("float32", "float16", "float32")
    command = [sys.executable, "-m", "vadkit", "store", "pack", str(store), "--dtype"]
    processes = [subprocess.Popen([*command, dtype], stderr=subprocess.PIPE, text=True) for dtype in dtypes]
    for process in processes:
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said
    assert verify(store).is_sound and temporaries(store) == []
    packed = [stream["packed"] for stream in json.loads((store / "store.json").read_text())["streams"].values()]
    assert sorted(path.name for path in store.glob("*.npy")) == sorted(packed)


def test_what_another_pack_has_left_goes(tmp_path: Path) -> None:
    """A process that was killed between store.json and the deletion of the pack before."""
    store = write_manifested(tmp_path / "store")
    for suffix in ("npy", "json"):
        (store / f"rgb-float16-0123abcd.{suffix}").write_text("left")
        (store / f"mine-float16-0123abcd.{suffix}").write_text("of the user")
    assert run("store", "pack", store).returncode == 0
    assert not list(store.glob("rgb-float16-*")) and len(list(store.glob("mine-*"))) == 2


# -- merge -----------------------------------------------------------------------------------------
@pytest.mark.guards("D18")
@pytest.mark.parametrize("link", [[], ["--link"]])
@pytest.mark.parametrize(
    ("name", "count"),
    [("vadkit.store.merge._bring", 1), ("vadkit.store.merge._bring", 5), ("shutil.copyfile", 2), ("os.link", 2),
     ("vadkit.store.merge.put_in_order", 1), ("vadkit.store.merge.write_head", 1), ("os.replace", 4)],
)  # fmt: skip
def test_a_killed_merge_goes_on(tmp_path: Path, link: list[str], name: str, count: int) -> None:
    if (name == "os.link") != bool(link) and name in ("os.link", "shutil.copyfile"):
        count, name = 3, "vadkit.store.merge._bring"
    parts = two_parts(tmp_path)
    command = ["store", "merge", *parts, "--out", tmp_path / "out", *link]
    code, said = signalled((signal.SIGKILL, name, count), *command)
    assert code == -signal.SIGKILL, said
    found = run(*command)
    assert found.returncode == 0, found.stderr
    assert run("store", "merge", *parts, "--out", tmp_path / "whole", *link).returncode == 0
    assert everything(tmp_path / "out") == everything(tmp_path / "whole") and verify(tmp_path / "out").is_sound


def two_parts(tmp_path: Path) -> list[Path]:
    """Return two stores without a video in common."""
    parts = [write_manifested(tmp_path / "a"), write_manifested(tmp_path / "b", seed=1)]
    renamed(parts[1], lambda name: f"other {name}")
    return parts


def renamed(store: Path, how: Callable[[str], str]) -> None:
    for path in store.glob("*/*.npy"):
        path.rename(path.with_stem(how(path.stem)))
    videos = json.loads((store / "videos.json").read_text())
    (store / "videos.json").write_text(json.dumps([{**video, "name": how(video["name"])} for video in videos]))
    lines = [json.loads(line) for line in (store / "manifest.jsonl").read_text().splitlines()]
    changed = [json.dumps({**line, "name": how(line["name"])}) + "\n" for line in lines]
    (store / "manifest.jsonl").write_text("".join(changed))


@pytest.mark.guards("D18")
def test_an_unfinished_merge_of_other_stores(tmp_path: Path) -> None:
    parts = two_parts(tmp_path)
    signalled((signal.SIGKILL, "vadkit.store.merge._bring", 2), "store", "merge", *parts, "--out", tmp_path / "out")
    third = write_manifested(tmp_path / "c", seed=2)
    before = everything(tmp_path / "out")
    found = run("store", "merge", parts[0], third, "--out", tmp_path / "out")
    assert found.returncode == 2 and "holds an unfinished merge of other stores" in found.stderr
    assert everything(tmp_path / "out") == before


# -- import ----------------------------------------------------------------------------------------
def features(tmp_path: Path) -> list[object]:
    (tmp_path / "features").mkdir()
    for number in range(4):
        np.save(tmp_path / "features" / f"v{number}.npy", np.ones((5 + number, 1024), np.float32))
    (tmp_path / "t.csv").write_text("video,label,split\nv0,0,train\nv1,1,train\nv2,0,test\nv3,1,test\n")
    own = ["store", "import", "own", "--root", tmp_path / "features", "--table", tmp_path / "t.csv"]
    return [*own, "--out", tmp_path / "index"]


@pytest.mark.guards("D18")
@pytest.mark.parametrize("how", [[], ["--merge"], ["--replace"]])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_killed_import_goes_on(tmp_path: Path, how: list[str], count: int) -> None:
    """Before the first file, between both, and after them."""
    command = features(tmp_path)
    if how:
        assert run(*command).returncode == 0
    assert signalled((signal.SIGKILL, "os.replace", count), *command, *how)[0] == -signal.SIGKILL
    found = run(*command, *how)
    assert found.returncode == 0, found.stderr
    assert temporaries(tmp_path) == [] and len(read_store(tmp_path / "index").videos) == 4


@pytest.mark.guards("4")
def test_an_import_keeps_what_was_changed_by_hand(tmp_path: Path) -> None:
    command = features(tmp_path)
    assert run(*command).returncode == 0
    path = tmp_path / "index" / "videos.json"
    assert run(*command, "--replace").returncode == 0
    assert not list(path.parent.glob("*.before-*"))  # nothing was changed
    for number in (1, 2):
        path.write_text(path.read_text().replace('"train"', '"val"'))
        edited = path.read_text()
        found = run(*command, "--replace")
        assert found.returncode == 0 and f"what it said before is in videos.json.before-{number}" in found.stdout
        assert (path.parent / f"videos.json.before-{number}").read_text() == edited != path.read_text()


def test_a_signal_that_the_caller_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with ended_as_interrupted():
            assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        run("list")
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL  # for a program that calls ``main``
    finally:
        signal.signal(signal.SIGTERM, before)
