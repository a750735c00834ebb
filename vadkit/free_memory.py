"""How much memory this process can still take, so that what does not fit is refused before it is tried."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def free_memory() -> int | None:
    """Return the free bytes of the machine, or of the container if that has fewer; None where it is unknown."""
    found = []
    with suppress(OSError, ValueError, StopIteration, IndexError):
        lines = Path("/proc/meminfo").read_text().splitlines()
        found.append(1024 * int(next(line for line in lines if line.startswith("MemAvailable:")).split()[1]))
    with suppress(OSError, ValueError):  # "max" where the container has no limit
        group = Path("/sys/fs/cgroup")
        limit = int((group / "memory.max").read_text())
        reclaimable = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        used = int((group / "memory.current").read_text()) - int(reclaimable.get("inactive_file", 0))
        found.append(max(0, limit - used))
    return min(found, default=None)
