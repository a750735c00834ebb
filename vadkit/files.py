"""Read and write files: a reader sees the old one or the whole new one, never a part; and what to say if it fails."""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from vadkit.problems import fail

_MASK = threading.Lock()  # the mask of the process can only be read by changing it


def make_folder(path: Path | str) -> None:
    """Create a folder and those above it. Raises VadkitError if it cannot be created or written to."""
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path).close()
    except OSError as error:
        fail(f"cannot write to the folder {path}: {why(error)}", "choose another --out")


def why(error: OSError) -> str:
    """Return the cause of an error, as the end of a sentence."""
    if isinstance(error, FileExistsError):
        return "it is a file" if error.filename is None else f"{error.filename} is a file"
    if isinstance(error, NotADirectoryError):
        return "a part of the path is a file"
    return error.strerror or str(error)


def cannot_read(path: Path | str, error: OSError, hint: str | None = None) -> NoReturn:
    """Raise VadkitError: the file cannot be read, and why."""
    fail(f"{path}: cannot be read: {unreadable(error)}", hint)


def unreadable(error: OSError) -> str:
    """Return why a file cannot be read, as the end of a sentence."""
    return (error.strerror or str(error)).lower()


def sha256(path: Path | str) -> str:
    """Return the SHA-256 of a file's content in hex. Raises OSError."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def replacing(path: Path | str, durable: bool = True) -> Iterator[Path]:
    """Give a temporary path next to ``path`` to write to; move it into place if the block ends well.

    If the block raises, the temporary file goes and ``path`` stays as it was. A file that cannot be
    written (no folder, no permission, full disk) is a VadkitError. Without ``durable`` it does not wait for the
    disk: for many files that can be written again, and whose size is checked when they are read.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # The suffix is kept last, because encoders choose the container by it.
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".vadkit-", suffix=path.suffix[:16])
        os.close(handle)
    except OSError as error:
        fail(f"cannot write {path}: {why(error)}")
    temporary = Path(name)
    try:
        yield temporary
        _settle(temporary, durable)
        os.replace(temporary, path)
    except OSError as error:
        if error.filename not in (None, name):  # some other file of the block's: not ours to explain
            raise
        fail(f"cannot write {path}: {error.strerror or error}", "what was there before is unchanged")
    finally:
        temporary.unlink(missing_ok=True)


def _settle(path: Path, durable: bool) -> None:
    """Give the file the permissions that ``open`` would have given it; if ``durable``, flush it to the disk."""
    with _MASK:
        mask = os.umask(0)
        os.umask(mask)
    path.chmod(0o666 & ~mask)
    if not durable:
        return
    with path.open("rb") as file:
        os.fsync(file.fileno())


def write_atomically(path: Path | str, data: bytes) -> None:
    """Replace ``path`` by ``data``, all of it or nothing. Raises VadkitError if it cannot."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def write_text_atomic(path: Path | str, text: str) -> None:
    """Replace ``path`` by ``text`` in UTF-8, all of it or nothing. Raises VadkitError if it cannot."""
    # Unpaired surrogates come from file names that are not UTF-8; they must not stop a report.
    write_atomically(path, text.encode("utf-8", "backslashreplace"))
