"""How much memory is free, of the machine, its container and what the process may address; and giving it back."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
from collections.abc import Iterator
from pathlib import Path

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

GROUP = Path("/sys/fs/cgroup")  # as a container sees its own group


def free_memory() -> int | None:
    """Return the bytes that this process can still take without swapping, or None where that cannot be found out."""
    return min(_limits(), default=None)


def give_back() -> None:
    """Give the system what this process has freed and its C library keeps. Elsewhere than on Linux it does nothing.

    Where threads come and go, as decoders of one file after another do, what is kept grows by tens of MiB an hour.
    """
    with contextlib.suppress(OSError, TypeError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)  # glibc's


def address_limit() -> int | None:
    """Return the bytes of addresses that this process may have, or None if that is not limited."""
    if resource is None:
        return None
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return None if limit == resource.RLIM_INFINITY else limit


def gigabytes(count: int) -> str:
    """Return a number of bytes in GB, or in MB if they are few."""
    return f"{count / 1e9:,.1f} GB" if count >= 1e8 else f"{count / 1e6:,.1f} MB"


def _limits() -> Iterator[int]:
    with contextlib.suppress(OSError, TypeError):
        yield int(re.search(r"MemAvailable: *(\d+) kB", Path("/proc/meminfo").read_text())[1]) * 1024  # type: ignore[index]
    with contextlib.suppress(OSError, ValueError):
        used = int((GROUP / "memory.current").read_text()) - _cached()
        yield max(0, int((GROUP / "memory.max").read_text()) - used)  # "max" is no number: no limit
    with contextlib.suppress(OSError, ValueError):
        used = int((GROUP / "memory/memory.usage_in_bytes").read_text())
        yield max(0, int((GROUP / "memory/memory.limit_in_bytes").read_text()) - used)
    if (limit := address_limit()) is not None:
        with contextlib.suppress(OSError, ValueError):
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            yield max(0, limit - pages * os.sysconf("SC_PAGE_SIZE"))


def _cached() -> int:
    """Return the bytes of files that a container's group holds and gives up when memory is needed."""
    found = re.search(r"^inactive_file (\d+)", (GROUP / "memory.stat").read_text(), re.M)
    return int(found[1]) if found else 0
