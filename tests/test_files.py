from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from vadkit.files import replacing, write_text_atomic
from vadkit.problems import VadkitError


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
