"""Who may write to a store: each process locks its share of the videos, by a range of bytes of STORE/.lock.

The ranges represent the videos in a fixed order, so that two shares which have a video in common have
bytes in common, and the second process is refused. Byte 0 is held while the manifest is written. A process that holds
everything is alone. The system releases the locks of a process that ends, however it ends.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from vadkit.files import open_lock, why
from vadkit.problems import fail
from vadkit.store.names import LOCK
from vadkit.store.shards import Share

BYTES = 1 << 40  # of the lock file, which is empty, that represent all videos
PATIENCE = 2.0  # seconds; long enough for another process to put the manifest in order
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)
BUSY = (errno.EACCES, errno.EAGAIN)


class StoreLock:
    """Locks of one process on one store, of which a process must not have two.

    ``works`` is False on a file system without locks, where no process is kept out.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.works = True
        try:
            root.mkdir(parents=True, exist_ok=True)
            self._file = open_lock(root / LOCK)
        except OSError as error:
            fail(f"cannot write {root / LOCK}: {why(error)}")

    def take(self, share: Share) -> None:
        """Lock a share. Raises VadkitError if another process holds any of it."""
        start, end = (1 + BYTES * n // share.of for n in (share.number - 1, share.number))
        until = time.monotonic() + PATIENCE
        while not self._try(start, end):
            if time.monotonic() > until:
                what = "" if share.of == 1 else f" some of part {share}"
                fail(
                    f"{self.root}: another process is extracting{what} into this store",
                    hint="wait until it has ended; or share one store: --shard 1/2, --shard 2/2, ...",
                )
            time.sleep(0.05)

    @contextlib.contextmanager
    def alone_with_manifest(self) -> Iterator[None]:
        """Wait for and hold the right to write to the manifest."""
        while not self._try(0, 1):
            time.sleep(0.005)
        try:
            yield
        finally:
            self._unlock(0, 1)

    def give_back(self) -> None:
        self._unlock(0, 1 + BYTES)

    def take_all(self) -> bool:
        """Lock everything, or nothing if any other process holds something."""
        return self._try(0, 1 + BYTES)

    def close(self) -> None:
        os.close(self._file)

    def _try(self, start: int, end: int) -> bool:
        if not self.works:
            return True
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, end - start, start)
        except OSError as error:
            if error.errno in BUSY:
                return False
            if error.errno not in NO_LOCKS:
                fail(f"cannot lock {self.root / LOCK}: {error.strerror or error}")
            self.works = False
        return True

    def _unlock(self, start: int, end: int) -> None:
        if self.works:
            fcntl.lockf(self._file, fcntl.LOCK_UN, end - start, start)
