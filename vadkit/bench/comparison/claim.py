"""Several processes, of one machine or of several that share a folder: which of them works on what.

A lock ends with its process, also by kill -9, so that none is left over. Where a system or a file system has no
locks, every claim succeeds: then one process at a time should use the folder.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from vadkit.files import locked, make_folder, open_lock, why
from vadkit.problems import fail

LOCK = ".claim"
WAIT = 0.5  # seconds between two looks at what another process holds


@contextmanager
def claimed(folder: Path) -> Iterator[str | None]:
    """Hold a folder, which is created, while the block runs. Gives None, or who holds it already."""
    make_folder(folder)
    path = folder / LOCK
    try:
        handle = open_lock(path)
    except OSError as error:
        fail(f"cannot write {path}: {why(error)}", hint="choose another --out")
    with os.fdopen(handle, "rb+") as stream:
        if locked(handle) is False:
            yield stream.read(200).decode("utf-8", "replace").strip() or "another process"
            return
        stream.truncate(0)
        stream.write(f"process {os.getpid()} on {socket.gethostname()}".encode())
        stream.flush()
        yield None


@contextmanager
def waiting_for(folder: Path, report: Callable[[str], None], what: str) -> Iterator[None]:
    """Hold a folder as soon as no other process does."""
    said = None
    while True:
        with claimed(folder) as holder:
            if holder is None:
                yield
                return
        if holder != said:
            report(f"waiting for {holder}, which {what}")
            said = holder
        time.sleep(WAIT)
