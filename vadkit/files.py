"""Open, read and write files. Only regular files are read; a file is replaced as a whole, and a killed process leaves
nothing for good. Also what to say if that fails.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedRandom, BufferedReader
from pathlib import Path
from typing import NoReturn

from vadkit.problems import fail

try:
    import fcntl
except ImportError:  # a system without it: files are not locked
    fcntl = None  # type: ignore[assignment]

PREFIX = ".vadkit-temp-"  # of temporary files; others of that name are removed
OLD = 24 * 3600.0  # seconds after which a temporary file is left over, on file systems without locks
SELDOM = 50  # a folder is searched for leftovers for at most one part in so many of the time
# Not waiting for a writer: opening a named pipe would do that.
_AT_ONCE = getattr(os, "O_NONBLOCK", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
UNSUPPORTED = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)


# -- what to say -----------------------------------------------------------------------------------
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


def in_bytes(count: int) -> str:
    """Return a size for people: '40 GB', '3.2 MB', '17 bytes'."""
    for unit, size in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:.3g} {unit}" if count < 999.5 * size or unit == "TB" else f"{count // size} {unit}"
    return f"{count} byte{'' if count == 1 else 's'}"


# -- reading ---------------------------------------------------------------------------------------
def open_file(path: Path | str) -> BufferedReader:
    """Open a regular file to read its bytes. Raises OSError at once for a pipe, a socket, a device or a folder."""
    try:
        handle = os.open(path, os.O_RDONLY | _AT_ONCE)
    except OSError as error:
        if error.errno == errno.ENXIO:  # what Linux says of a socket
            raise _not_a_file("a socket", path) from error
        raise
    except ValueError as error:  # a zero byte in the name
        raise OSError(errno.EINVAL, "its name holds a zero byte", str(path)) from error
    try:
        _check_regular(handle, path)
    except OSError:
        os.close(handle)
        raise
    return os.fdopen(handle, "rb")


def read_bytes(path: Path | str) -> bytes:
    """Return the content of a regular file. Raises OSError."""
    with open_file(path) as file:
        return file.read()


def read_text(path: Path | str) -> str:
    """Return the text of a regular file in UTF-8, with or without a byte order mark. Raises OSError, UnicodeError."""
    text = read_bytes(path).decode("utf-8-sig")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def sha256(path: Path | str) -> str:
    """Return the SHA-256 of a file's content in hex. Raises OSError."""
    with open_file(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_regular(handle: int, path: Path | str) -> None:
    mode = os.fstat(handle).st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise _not_a_file(KINDS.get(stat.S_IFMT(mode), "something else"), path)


def _not_a_file(kind: str, path: Path | str) -> OSError:
    return OSError(errno.EINVAL, f"it is {kind}, not a file", str(path))


# -- writing ---------------------------------------------------------------------------------------
def make_folder(path: Path | str) -> None:
    """Create a folder and those above it. Raises VadkitError if it cannot be created or written to."""
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path).close()
    except OSError as error:
        fail(f"cannot write to the folder {path}: {why(error)}", "choose another --out")


def open_lock(path: Path) -> int:
    """Open a file for locks, which is created if there is none, and return its descriptor.

    Raises OSError, also for a link: the file that it leads to is not a lock.
    """
    return _open_own(path, os.O_RDWR | os.O_CREAT)


def open_to_append(path: Path | str) -> BufferedRandom:
    """Open a file to read it and to append to it; it is created if there is none.

    Raises OSError, also for a link, which might lead to a file of somebody else's.
    """
    return os.fdopen(_open_own(path, os.O_RDWR | os.O_CREAT | os.O_APPEND), "ab+")


def _open_own(path: Path | str, flags: int) -> int:
    try:
        handle = os.open(path, flags | _NO_LINK | _AT_ONCE, 0o666)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "it is a link", str(path)) from error
        raise
    try:
        _check_regular(handle, path)
    except OSError:
        os.close(handle)
        raise
    return handle


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Wait until no other process holds this folder, and hold it. Without locks, all are let in."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        if fcntl is not None:
            with contextlib.suppress(OSError):
                fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextmanager
def replacing(path: Path | str, durable: bool = True) -> Iterator[Path]:
    """Give a temporary path next to ``path`` to write to; move it into place if the block ends well.

    If the block raises, the temporary file goes and ``path`` stays as it was. If the process is killed, the next
    one that writes into the folder removes it. A file that cannot be written (no folder, no permission, full disk)
    is a VadkitError. Without ``durable`` it does not wait for the disk: for many files that can be written again,
    and whose size is checked when they are read.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary, handle = _new_temporary(path)
    except OSError as error:
        fail(f"cannot write {path}: {why(error)}")
    try:
        yield temporary
        if durable:
            _flush(temporary)
        os.replace(temporary, path)
    except OSError as error:
        if error.filename not in (None, str(temporary)):  # some other file of the block's: not ours to explain
            raise
        fail(f"cannot write {path}: {error.strerror or error}", "what was there before is unchanged")
    finally:
        temporary.unlink(missing_ok=True)
        os.close(handle)


def write_atomically(path: Path | str, data: bytes) -> None:
    """Replace ``path`` by ``data``, all of it or nothing. Raises VadkitError if it cannot."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def write_text_atomic(path: Path | str, text: str) -> None:
    """Replace ``path`` by ``text`` in UTF-8, all of it or nothing. Raises VadkitError if it cannot."""
    # Unpaired surrogates come from file names that are not UTF-8; they must not stop a report.
    write_atomically(path, text.encode("utf-8", "backslashreplace"))


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        try:
            os.fsync(file.fileno())
        except OSError as error:
            if error.errno not in UNSUPPORTED:
                raise


# -- temporary files -------------------------------------------------------------------------------
def _new_temporary(path: Path) -> tuple[Path, int]:
    """Create a temporary file next to ``path``, and return it with a descriptor that holds a lock on it.

    It has the rights of an ordinary new file: to change them later is refused on some file systems.
    """
    _remove_leftovers_seldom(path.parent)
    while True:
        # The suffix is kept last, because encoders choose the container by it.
        temporary = path.parent / f"{PREFIX}{secrets.token_hex(4)}{path.suffix[:16]}"
        try:
            handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        except FileExistsError:
            continue
        if locked(handle) is not False and temporary.exists():
            return temporary, handle
        os.close(handle)  # another process has just taken it for a leftover


def locked(handle: int) -> bool | None:
    """Lock a file as long as it is open; return whether that was possible, None where there are no locks."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def leftovers(folder: Path) -> list[Path]:
    """Return the temporary files in a folder that no process holds any more."""
    try:
        with os.scandir(folder) as entries:
            found = [Path(entry.path) for entry in entries if entry.name.startswith(PREFIX)]
    except OSError:
        return []
    return [path for path in found if _with_leftover(path, remove=False)]


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files in a folder that no process holds any more."""
    for path in leftovers(folder):
        _with_leftover(path, remove=True)


def _with_leftover(path: Path, remove: bool) -> bool:
    """Return whether a temporary file is left over; if so, remove it if wanted, under a lock."""
    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_RDWR | _NO_LINK | _AT_ONCE)
        try:
            free = locked(handle)
            left = time.time() - os.fstat(handle).st_mtime > OLD if free is None else free
            if left and remove:
                path.unlink(missing_ok=True)
            return left
        finally:
            os.close(handle)
    return False


_next_search: dict[Path, float] = {}


def _remove_leftovers_seldom(folder: Path) -> None:
    """Remove leftovers, unless the folder was searched a moment ago: it may have many files."""
    begun = time.monotonic()
    if begun >= _next_search.get(folder, 0.0):
        remove_leftovers(folder)
        ended = time.monotonic()
        _next_search[folder] = ended + SELDOM * (ended - begun)
