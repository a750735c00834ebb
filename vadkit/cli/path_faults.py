"""A path that the system refuses, such as one that is too long, ends a command in a line, wherever it is first used."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from vadkit.files import why
from vadkit.problems import fail

REFUSED = (errno.ENAMETOOLONG, errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENOTDIR, errno.EROFS)


@contextmanager
def reported_paths() -> Iterator[None]:
    """Raise VadkitError for an OSError that is about a path."""
    try:
        yield
    except OSError as error:
        if error.errno not in REFUSED or error.filename is None:
            raise
        fail(f"{error.filename}: cannot be used: {why(error)}", hint="choose another path, or change its rights")
