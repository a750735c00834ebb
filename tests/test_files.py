from __future__ import annotations

import errno
import os
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_store import write_tiny_store

from vadkit.cli import main
from vadkit.engine.run_folder import claimed
from vadkit.files import (
    PREFIX,
    in_bytes,
    leftovers,
    open_file,
    open_lock,
    read_bytes,
    read_text,
    remove_leftovers,
    replacing,
    sha256,
    write_text_atomic,
)
from vadkit.problems import VadkitError
from vadkit.store.lock import StoreLock


def test_text_is_written_into_a_new_folder(tmp_path: Path) -> None:
    write_text_atomic(tmp_path / "a" / "b.html", "gr\u00fc\u00df dich")
    assert (tmp_path / "a" / "b.html").read_bytes() == b"gr\xc3\xbc\xc3\x9f dich"


def test_the_file_has_the_permissions_of_an_ordinary_one(tmp_path: Path) -> None:
    (tmp_path / "ordinary").write_text("x")
    write_text_atomic(tmp_path / "ours", "x")
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("ordinary", "ours")]
    assert modes[0] == modes[1]


def test_unpaired_surrogates_of_file_names_can_be_written(tmp_path: Path) -> None:
    write_text_atomic(tmp_path / "x", os.fsdecode(b"caf\xe9"))
    assert (tmp_path / "x").read_text() == "caf\\udce9"


def test_a_block_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(tmp_path / "x.txt") as temporary:
        temporary.write_text("ne")
        1 / 0  # noqa: B018
    assert (tmp_path / "x.txt").read_text() == "old"
    assert os.listdir(tmp_path) == ["x.txt"]


def test_the_old_file_stays_until_the_new_one_is_complete(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("old")
    with replacing(tmp_path / "x.txt") as temporary:
        temporary.write_text("new")
        assert (tmp_path / "x.txt").read_text() == "old"
        assert temporary.suffix == ".txt"  # encoders look at it
    assert (tmp_path / "x.txt").read_text() == "new"


def test_a_full_disk_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "x.txt").write_text("old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(VadkitError, match=r"cannot write .*x\.txt: No space left on device"):
        write_text_atomic(tmp_path / "x.txt", "new")
    assert (tmp_path / "x.txt").read_text() == "old"
    assert os.listdir(tmp_path) == ["x.txt"]


def test_a_folder_that_is_a_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(VadkitError, match="cannot write"):
        write_text_atomic(tmp_path / "a" / "b", "x")


# -- what is no regular file -----------------------------------------------------------------------
def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        here = os.open(".", os.O_RDONLY)
        try:  # the path of a socket has at most 107 bytes
            os.chdir(path.parent)
            one.bind(path.name)
        finally:
            os.fchdir(here)
            os.close(here)


NO_FILES = [
    (make_pipe, "it is a named pipe, not a file"),
    (make_socket, "it is a socket, not a file"),
    (lambda path: path.symlink_to("/dev/zero"), "it is a device, not a file"),
    (Path.mkdir, "Is a directory"),
    (lambda path: None, "No such file or directory"),
    (lambda path: path.symlink_to(path), "Too many levels of symbolic links"),
]


@pytest.mark.guards("D21")
@pytest.mark.parametrize(("make", "message"), NO_FILES)
def test_only_regular_files_are_opened(tmp_path: Path, make: Callable[[Path], None], message: str) -> None:
    """A pipe would wait for a writer, a device has no end."""
    make(tmp_path / "x")
    for read in (open_file, read_bytes, read_text, sha256):
        with pytest.raises(OSError, match=message):
            read(tmp_path / "x")


@pytest.mark.guards("D21")
@pytest.mark.parametrize(
    "command",
    [
        ["build", "PIPE"], ["train", "PIPE", "--out", "run"], ["bench", "swap", "--spec", "PIPE"],
        ["store", "check", "STORE", "--labels", "PIPE"], ["store", "diff", "PIPE", "STORE"],
    ],
)  # fmt: skip
def test_a_pipe_in_place_of_a_config_or_labels(
    tmp_path: Path, command: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe.yaml")
    write_tiny_store(tmp_path / "store", train=1, test=1)
    places = {"PIPE": str(tmp_path / "pipe.yaml"), "STORE": str(tmp_path / "store")}
    assert main([places.get(argument, argument) for argument in command]) == 2
    said = capsys.readouterr().err
    assert "pipe.yaml" in said and "Traceback" not in said


def test_a_name_with_a_zero_byte() -> None:
    with pytest.raises(OSError, match="its name holds a zero byte"):
        open_file("a\0b")


def test_text_is_read_whatever_its_line_ends(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\xef\xbb\xbfa\r\nb\rc\n")
    assert read_text(tmp_path / "x") == "a\nb\nc\n"


# -- locks -----------------------------------------------------------------------------------------
@pytest.mark.guards("D11")
@pytest.mark.parametrize("hold", [lambda folder: StoreLock(folder), lambda folder: claimed(folder).__enter__()])
@pytest.mark.parametrize("target", ["important.txt", "gone.txt"])
def test_a_lock_that_is_a_link(tmp_path: Path, hold: Callable[[Path], object], target: str) -> None:
    (tmp_path / "important.txt").write_text("mine")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".lock").symlink_to(tmp_path / target)
    with pytest.raises(VadkitError, match=r"cannot write .*\.lock: it is a link"):
        hold(tmp_path / "run")
    assert (tmp_path / "important.txt").read_text() == "mine" and not (tmp_path / "gone.txt").exists()


@pytest.mark.guards("D11", "D21")
@pytest.mark.parametrize(("make", "message"), [(make_pipe, "it is a named pipe"), (Path.mkdir, "Is a directory")])
def test_a_lock_that_is_no_file(tmp_path: Path, make: Callable[[Path], None], message: str) -> None:
    make(tmp_path / ".lock")
    with pytest.raises(OSError, match=message):
        open_lock(tmp_path / ".lock")


@pytest.mark.guards("D11")
def test_the_content_of_a_lock_stays(tmp_path: Path) -> None:
    (tmp_path / ".lock").write_text("not ours")
    with claimed(tmp_path):
        pass
    assert (tmp_path / ".lock").read_text() == "not ours"


@pytest.mark.guards("D23")
def test_a_folder_whose_name_is_too_long(tmp_path: Path) -> None:
    with pytest.raises(VadkitError, match="cannot write to the folder .*: File name too long"):
        claimed(tmp_path / ("x" * 300)).__enter__()


# -- temporary files -------------------------------------------------------------------------------
KILLED = """
import os, signal, sys
from pathlib import Path
from vadkit.files import replacing
with replacing(Path(sys.argv[1])) as temporary:
    temporary.write_bytes(b"half")
    if sys.argv[2] == "SIGSTOP":
        print("ready", flush=True)
        sys.stdin.read()
    os.kill(os.getpid(), getattr(signal, sys.argv[2]))
"""


@pytest.mark.guards("D8", "5.5")
@pytest.mark.parametrize("how", ["SIGKILL", "SIGTERM"])
def test_what_a_killed_process_leaves_goes_with_the_next_file(tmp_path: Path, how: str) -> None:
    for _ in range(2):
        subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "x.npy"), how], check=False)
    assert len(leftovers(tmp_path)) == len(os.listdir(tmp_path)) == 1  # the second has removed that of the first
    write_text_atomic(tmp_path / "other.txt", "new")
    assert os.listdir(tmp_path) == ["other.txt"]


@pytest.mark.guards("D8")
def test_the_temporary_file_of_a_living_process_stays(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path / "x.npy"), "SIGSTOP"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        with replacing(tmp_path / "mine.txt") as temporary:
            remove_leftovers(tmp_path)
            assert len(os.listdir(tmp_path)) == 2 and not leftovers(tmp_path)
            temporary.write_text("new")
        process.kill()
    remove_leftovers(tmp_path)
    assert os.listdir(tmp_path) == ["mine.txt"]


@pytest.mark.guards("D8")
def test_other_hidden_files_stay(tmp_path: Path) -> None:
    for name in (".vadkit-note", ".vadkit-import", "vadkit-temp-x", ".mine"):
        (tmp_path / name).write_text("mine")
    (tmp_path / f"{PREFIX}link.txt").symlink_to(tmp_path / ".mine")
    remove_leftovers(tmp_path)
    assert len(os.listdir(tmp_path)) == 5


@pytest.mark.guards("D8")
def test_without_locks_only_old_temporary_files_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(*arguments: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", unsupported)
    for name, age in (("new.npy", 60), ("old.npy", 90_000)):
        (tmp_path / f"{PREFIX}{name}").write_text("half")
        os.utime(tmp_path / f"{PREFIX}{name}", (time.time() - age,) * 2)
    write_text_atomic(tmp_path / "x.txt", "new")
    assert sorted(os.listdir(tmp_path)) == [f"{PREFIX}new.npy", "x.txt"]


@pytest.mark.guards("F")
def test_a_file_system_that_refuses_rights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CIFS, OneDrive and others: the rights of a file are not worth a failure."""

    def refused(*arguments: object, **options: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    for name in ("os.chmod", "os.fchmod", "pathlib.Path.chmod"):
        monkeypatch.setattr(name, refused)
    write_text_atomic(tmp_path / "x.txt", "new")
    assert (tmp_path / "x.txt").read_text() == "new"


def test_a_file_system_that_cannot_flush(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(handle: int) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "fsync", unsupported)
    write_text_atomic(tmp_path / "x.txt", "new")
    assert (tmp_path / "x.txt").read_text() == "new"


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (40_128, "40.1 kB"), (2**30, "1.07 GB"), (4 * 10**13, "40 TB")],
)
def test_sizes(count: int, text: str) -> None:
    assert in_bytes(count) == text
