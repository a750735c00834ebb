"""Whose is a file that a command is about to write? What vadkit did not write is never replaced.

A folder of results has a record, ``.written-by-vadkit``, with a JSON line ``[name, state]`` for each file that vadkit
writes there: "writing" before it is written, so that a kill in between does no harm, then its size and SHA-256. The
last line of a name counts. A file that is not in the record, or has changed since, is the user's.
"""

from __future__ import annotations

import itertools
import json
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vadkit.files import open_to_append, sha256, why
from vadkit.problems import Problem, VadkitError, fail

RECORD = ".written-by-vadkit"
WRITING, ABSENT = "writing", "absent"
MOVE = "move it away, or choose another place for the results"
LIMIT = 64 << 20  # bytes of a record; a line takes about 150

Test = Callable[[Path], bool]


def claim(paths: Iterable[Path], inputs: Iterable[Path | str] = (), ours: Test | None = None) -> None:
    """Raise VadkitError, with every reason, unless each of ``paths`` is free or was written by vadkit.

    Args:
        paths: the files that the command will write.
        inputs: the files that it reads, none of which may be replaced.
        ours: whether a file that the record does not know bears a mark of vadkit.
    """
    read = {_identity(Path(file)): Path(file) for file in inputs} if inputs else {}
    records: dict[Path, dict[str, str]] = {}
    problems = []
    for path in paths:
        if not os.path.lexists(path):
            continue
        if path.parent not in records:
            records[path.parent] = _read(path.parent)
        reason = _reason(path, records[path.parent], read, ours)
        if reason:
            problems.append(Problem(f"{path} {reason}", hint=MOVE))
    if problems:
        raise VadkitError(problems)


@contextmanager
def writing(*paths: Path, inputs: Iterable[Path | str] = (), ours: Test | None = None) -> Iterator[None]:
    """Claim files, and record them as written by vadkit once the block has written them."""
    claim(paths, inputs, ours)
    with recording(*paths):
        yield


@contextmanager
def recording(*paths: Path) -> Iterator[None]:
    """Record files, which are claimed already, as written by vadkit once the block has written them."""
    record(paths, WRITING)
    try:
        yield
    finally:
        with suppress(VadkitError, OSError):  # without its last line, a file counts as being written
            record(paths)


def record(paths: Iterable[Path], state: str | None = None) -> None:
    """Record files as they are now, or in the given state. Raises VadkitError if the record cannot be written."""
    lines: dict[Path, str] = {}
    for path in paths:
        line = json.dumps([path.name, state or _state(path)])
        lines[path.parent] = lines.get(path.parent, "") + line + "\n"
    for folder, text in lines.items():
        _append(folder / RECORD, text.encode("ascii"))


def own(paths: Iterable[Path], report: Callable[[str], None]) -> None:
    """Claim files that vadkit reads again, such as caches: damaged ones may be replaced; what is no file is renamed."""
    paths = list(paths)
    for path in paths:
        if path.parent.is_dir() and os.path.lexists(path) and not _is_file(path):
            set_aside(path, report)
    claim(path for path in paths if not is_recorded(path))
    record(paths, WRITING)


def set_aside(path: Path, report: Callable[[str], None]) -> None:
    """Give what is at ``path`` a free name next to it, and report that. Raises VadkitError."""
    free = _free_name(path)
    try:
        path.rename(free)
    except OSError as error:
        fail(f"{path} was not written by vadkit, and cannot be renamed: {why(error)}", hint=MOVE)
    report(f"{path} is not as vadkit wrote it; it is now {free.name}")


def _free_name(path: Path) -> Path:
    return next(free for n in itertools.count(1) if not os.path.lexists(free := Path(f"{path}.{n}")))


def is_recorded(path: Path) -> bool:
    """Return whether a file is, or was before it changed, one that vadkit wrote, as its folder's record says."""
    return _is_file(path) and _read(path.parent).get(path.name, ABSENT) != ABSENT


def _reason(path: Path, known: dict[str, str], read: dict[object, Path], ours: Test | None) -> str | None:
    """Return why an existing file must not be replaced, as the end of a sentence, or None."""
    if _identity(path) in read:
        return "is an input of this command, and would be replaced"
    if path.is_dir():
        return "is a folder"
    state = known.get(path.name)
    if _is_ours(path, state) or (state is None and _is_file(path) and ours is not None and ours(path)):
        return None
    if state not in (None, ABSENT) and path.suffix == ".json" and _is_file(path) and not _holds_mapping(path):
        return None  # a damaged result is written again
    if state in (None, ABSENT):
        return "exists and was not written by vadkit"
    return "has been changed since vadkit wrote it"


def _is_ours(path: Path, state: str | None) -> bool:
    if state is None or state == ABSENT or not _is_file(path):
        return False
    return state == WRITING or state == _state(path, state)


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def _state(path: Path, expected: str = "") -> str:
    """Return size and SHA-256 of a file; of one whose size differs from the expected one, the size alone."""
    try:
        size = str(path.stat().st_size)
        return size if expected and expected.partition(" ")[0] != size else f"{size} {sha256(path)}"
    except FileNotFoundError:
        return ABSENT


def _holds_mapping(path: Path) -> bool:
    try:
        return path.stat().st_size <= LIMIT and isinstance(json.loads(path.read_bytes()), dict)
    except (OSError, ValueError, RecursionError):
        return False


def _identity(path: Path) -> object:
    """Return what is equal for two paths of one file."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return os.path.abspath(path)
    return found.st_dev, found.st_ino


def _read(folder: Path) -> dict[str, str]:
    """Return the state of each name in a folder's record; lines that are none of ours say nothing."""
    path, known = folder / RECORD, {}
    if not _is_file(path) or path.stat().st_size > LIMIT:
        return {}
    try:
        lines = path.read_bytes().splitlines()
    except OSError:
        return {}
    for line in lines:
        with suppress(ValueError, RecursionError):  # not JSON, not UTF-8, or cut off by a kill
            match json.loads(line):
                case [str(name), str(state)]:
                    known[name] = state
    return known


def _append(path: Path, text: bytes) -> None:
    """Append whole lines; a line that a kill cut off is ended first."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(path) and not _is_file(path):
            path.rename(_free_name(path))  # a link, a folder: not written to, and no reason to stop
        with open_to_append(path) as file:
            torn = file.seek(0, os.SEEK_END) and os.pread(file.fileno(), 1, file.tell() - 1) != b"\n"
            file.write(b"\n" * bool(torn) + text)
    except OSError as error:
        fail(f"cannot write {path}: {why(error)}")
