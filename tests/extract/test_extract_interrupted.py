"""Runs that are killed, crowded out or spread: the finished store is the same, byte by byte."""

from __future__ import annotations

import importlib.util
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from test_extract_store import content
from unusual_videos import make_video, white
from vadkit_extraction_toys import Broken, FirstRed, Loud, Trap

from vadkit.extract import workers
from vadkit.extract.run import Resources, VideoEntry, extract_store
from vadkit.problems import VadkitError
from vadkit.store import lock
from vadkit.store.index import read_store
from vadkit.store.lock import StoreLock
from vadkit.store.manifest import read_manifest
from vadkit.store.shards import Share

SUPPORT = Path(__file__).parent.parent / "support"
COUNT = 12  # videos
RUN = """
import json, sys
from vadkit.extract.run import Resources, extract_store
from vadkit.store.shards import Share
from vadkit_extraction_toys import FirstRed, Loud
from vadkit.problems import VadkitError
entries, root, options = json.loads(sys.argv[1])
share = options.pop("share", None)
try:
    delay = options.pop("delay", 0.0)
    backbones = {"rgb": FirstRed(delay=delay), "audio": Loud()}
    extract_store(entries, backbones, root, share=Share(*share) if share else None, resources=Resources(**options))
except VadkitError as error:
    print(error)
    sys.exit(2)
"""


@pytest.fixture(scope="module")
def entries(tmp_path_factory: pytest.TempPathFactory) -> list[VideoEntry]:
    folder = tmp_path_factory.mktemp("videos")
    return [
        {"name": f"clip{n}", "file": str(make_video(folder / f"clip{n}.mkv", 20 + n, video="ffv1", sound=3))}
        for n in range(COUNT)
    ]


@pytest.fixture(scope="module")
def expected(entries: list[VideoEntry], tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return what a run without any trouble writes."""
    root = tmp_path_factory.mktemp("plain") / "store"
    extract_store(entries, {"rgb": FirstRed(), "audio": Loud()}, root, resources=Resources(workers=0))
    return content(root)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a folder as far from the videos as the expected one is, so that paths to them are the same."""
    return tmp_path / "store"


def command(entries: Sequence[VideoEntry], root: Path, **options: Any) -> list[str]:
    return [sys.executable, "-c", RUN, json.dumps([entries, str(root), options])]


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(SUPPORT), os.environ.get("PYTHONPATH", "")]), **more}


@contextmanager
def started(entries: Sequence[VideoEntry], root: Path, **options: Any) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(command(entries, root, **options), env=environment(), stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_for_lines(root: Path, count: int, process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 300
    while len(read_manifest(root)[0]) < count:
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.01)


# -- killed ------------------------------------------------------------------------------------------
def test_killed_at_three_random_moments_and_continued(
    entries: list[VideoEntry], expected: dict[str, bytes], root: Path
) -> None:
    rng = random.Random()
    for number, count in enumerate((2, 0, 0)):
        wait = rng.uniform(0, 0.3)
        with started(entries, root, workers=count, delay=0.04) as process:
            wait_for_lines(root, 3 * number + 1, process)
            time.sleep(wait)
            process.send_signal(signal.SIGKILL)
    assert 7 <= len(read_manifest(root)[0]) <= COUNT
    extract_store(entries, {"rgb": FirstRed(), "audio": Loud()}, root, resources=Resources(workers=0))
    assert content(root) == expected


def test_a_process_that_is_killed_gets_its_video_tried_again(tmp_path: Path) -> None:
    entries = [_entry(tmp_path, name, bright=name == "b") for name in "abc"]
    trap = Trap(what="kill_once", note=str(tmp_path / "note"))
    result = extract_store(entries, {"rgb": trap}, tmp_path / "store", resources=Resources(workers=1))
    assert (tmp_path / "note").exists() and sorted(result.extracted) == ["a", "b", "c"] and not result.failed


def test_a_video_that_kills_two_processes_is_broken(tmp_path: Path) -> None:
    entries = [_entry(tmp_path, name, bright=name == "b") for name in "abc"]
    result = extract_store(entries, {"rgb": Trap(what="kill")}, tmp_path / "store", resources=Resources(workers=1))
    cause = f"{entries[1]['file']}: its process was killed (signal 9), and so was a second one"
    assert sorted(result.extracted) == ["a", "c"] and result.failed["b"].startswith(cause)
    assert [video.name for video in read_store(tmp_path / "store").videos] == ["a", "c"]


def test_a_video_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "TRIES", 1)
    entries = [_entry(tmp_path, name, bright=name == "a") for name in "ab"]
    result = extract_store(
        entries, {"rgb": Trap(what="hang")}, tmp_path / "store", resources=Resources(workers=1, timeout=3)
    )
    assert result.extracted == ["b"] and "took too long" in result.failed["a"]


def test_processes_that_cannot_begin_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "STARTS", 1)
    entries = [_entry(tmp_path, name) for name in "ab"]
    with pytest.raises(VadkitError, match="was killed \\(signal 9\\) before it could begin"):
        extract_store(entries, {"rgb": Trap(what="kill_at_once")}, tmp_path / "store", resources=Resources(workers=1))


def _entry(folder: Path, name: str, bright: bool = False) -> VideoEntry:
    options: dict[str, Any] = {"picture": white} if bright else {}
    return {"name": name, "file": str(make_video(folder / f"{name}.mkv", 20, video="ffv1", **options))}


# -- several at once ---------------------------------------------------------------------------------
@pytest.mark.parametrize("at_once", [False, True])
def test_two_shards_make_one_store(
    entries: list[VideoEntry], expected: dict[str, bytes], root: Path, at_once: bool
) -> None:
    commands = [command(entries, root, workers=0, share=[number, 2]) for number in (1, 2)]
    if at_once:
        processes = [subprocess.Popen(words, env=environment()) for words in commands]
        assert [process.wait(300) for process in processes] == [0, 0]
    else:
        for number in (2, 1):
            share = Share(number, 2)
            result = extract_store(
                entries, {"rgb": FirstRed(), "audio": Loud()}, root, resources=Resources(workers=0), share=share
            )
            assert len(result.extracted) == COUNT // 2
    assert content(root) == expected


def test_a_second_process_on_the_same_videos_is_reported(
    entries: list[VideoEntry], expected: dict[str, bytes], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "PATIENCE", 0)
    with started(entries, root, workers=0, delay=0.15) as process:
        wait_for_lines(root, 1, process)
        for share in (Share(), Share(2, 3)):
            with pytest.raises(VadkitError, match="another process is extracting"):
                extract_store(
                    entries, {"rgb": FirstRed(), "audio": Loud()}, root, resources=Resources(workers=0), share=share
                )
        assert process.wait(300) == 0
    assert content(root) == expected


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Ray's processes find the toys; skip where it is not installed."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed: pip install 'vadkit[ray]'")
    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])


@pytest.mark.usefixtures("ray")
def test_ray_gives_the_same_store(entries: list[VideoEntry], expected: dict[str, bytes], root: Path) -> None:
    extract_store(entries, {"rgb": FirstRed(), "audio": Loud()}, root, resources=Resources("ray", 2))
    assert content(root) == expected


@pytest.mark.usefixtures("ray")
@pytest.mark.parametrize(("what", "how"), [("kill", "was killed"), ("hang", "because it took too long")])
def test_ray_gives_up_a_video_that_ends_its_actors(tmp_path: Path, what: str, how: str) -> None:
    entries = [_entry(tmp_path, name, bright=name == "b") for name in "abc"]
    options: dict[str, Any] = {"timeout": 5} if what == "hang" else {}
    root = tmp_path / "store"
    result = extract_store(entries, {"rgb": Trap(what=what)}, root, resources=Resources("ray", 1, **options))
    assert sorted(result.extracted) == ["a", "c"] and how in result.failed["b"]


@pytest.mark.usefixtures("ray")
def test_ray_reports_what_does_not_work_at_all(tmp_path: Path) -> None:
    entries = [_entry(tmp_path, name) for name in "ab"]
    with pytest.raises(VadkitError, match="the backbone of stream 'rgb' does not work"):
        extract_store(entries, {"rgb": Broken()}, tmp_path / "store", resources=Resources("ray", 1))


def test_without_ray_the_error_says_how_to_get_it(entries: list[VideoEntry], root: Path, monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(VadkitError, match="Ray is not installed"):
        extract_store(entries[:1], {"rgb": FirstRed()}, root, resources=Resources("ray"))


# -- a full disk -------------------------------------------------------------------------------------
def test_a_full_disk_is_reported_and_nothing_is_lost(
    entries: list[VideoEntry], expected: dict[str, bytes], root: Path
) -> None:
    # A limit on the length of files stands for a full disk: the manifest outgrows it first.
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (2500, -1))\n"
    words = command(entries, root, workers=0)
    words[2] = limit + words[2]
    done = subprocess.run(words, env=environment(), capture_output=True, text=True, timeout=300)
    assert done.returncode == 2 and f"cannot write {root}/manifest.jsonl: File too large" in done.stdout
    lines, wrong = read_manifest(root)
    assert 0 < len(lines) < COUNT and not wrong
    result = extract_store(entries, {"rgb": FirstRed(), "audio": Loud()}, root, resources=Resources(workers=0))
    assert len(result.skipped) == len(lines) and content(root) == expected


def test_features_that_cannot_be_written_are_no_fault_of_the_video(entries: list[VideoEntry], root: Path) -> None:
    root.mkdir()
    (root / "rgb").write_text("a file where a folder must be")
    with pytest.raises(VadkitError, match=f"cannot write {root}/rgb/clip0.npy"):
        extract_store(entries, {"rgb": FirstRed()}, root, resources=Resources(workers=0))
    assert read_manifest(root)[0] == {}


# -- shares and locks --------------------------------------------------------------------------------
@pytest.mark.parametrize("of", [1, 2, 3, 7, 20])
@pytest.mark.parametrize("count", [0, 1, 5, 12, 31])
def test_shares_have_each_video_once_and_are_even(of: int, count: int) -> None:
    names = [f"v{n}" for n in range(count)]
    parts = [Share(n, of).pick(names, str) for n in range(1, of + 1)]
    assert sorted(name for part in parts for name in part) == sorted(names)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert all(part == [name for name in names if name in part] for part in parts)


def test_shares_with_a_video_in_common_exclude_each_other(tmp_path: Path) -> None:
    names = [f"v{n}" for n in range(11)]
    mine = Share(2, 3)
    held = StoreLock(tmp_path)
    held.take(mine)
    others = [Share(n, of) for of in (1, 2, 4, 5) for n in range(1, of + 1)]
    common = [share for share in others if set(share.pick(names, str)) & set(mine.pick(names, str))]
    locked = subprocess.run(
        [sys.executable, "-c", TRY, str(tmp_path), json.dumps([[s.number, s.of] for s in others])],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    ).stdout.split()
    held.close()
    assert {str(share) for share in common} <= set(locked) and len(locked) < len(others)


TRY = """
import json, sys
from pathlib import Path
from vadkit.store import lock
from vadkit.store.shards import Share
from vadkit.problems import VadkitError
lock.PATIENCE = 0
for number, of in json.loads(sys.argv[2]):
    mine = lock.StoreLock(Path(sys.argv[1]))
    try:
        mine.take(Share(number, of))
    except VadkitError:
        print(Share(number, of))
    mine.close()
"""
