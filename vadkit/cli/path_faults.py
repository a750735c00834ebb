"""A path that the system refuses, such as one that is too long, ends a command in a line, wherever it is first used."""

from __future__ import annotations

import errno
import os

from vadkit.files import why

# Errors that the path, the disk or the rights of the user cause, and no line of this program.
REFUSED = {errno.ENAMETOOLONG, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EPERM, errno.EROFS,
           errno.EIO, errno.ELOOP, errno.EMFILE, errno.ENFILE, errno.ESTALE, errno.ENOTDIR}  # fmt: skip
HINT = "choose another path, free some space, or change its rights"


def refused_path(error: Exception) -> str | None:
    """Return what to say about an error of a path that the system refuses; None for another error."""
    if not isinstance(error, OSError) or error.errno not in REFUSED or error.filename is None:
        return None
    return f"{os.fsdecode(error.filename)}: cannot be used: {why(error)}\n  hint: {HINT}"
