"""How the loops of this package are compiled by numba and cached on disk."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from numba import njit
from numba.core import caching

Function = Callable[..., Any]

# Sums may be reordered (else they are not vectorised); NaN and infinity do not occur; no operation is
# replaced by a less accurate one.
OPTIONS: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"nnan", "ninf", "nsz", "contract", "reassoc"},
}


numba_cache: Any = caching.FunctionCache  # numba has no types


class ForgivingCache(numba_cache):  # type: ignore[misc]
    """numba's cache on disk, in which a full disk or a broken file costs a compilation, not the run."""

    def load_overload(self, *arguments: Any) -> Any:
        try:
            return super().load_overload(*arguments)
        except Exception:  # a truncated file raises anything
            with contextlib.suppress(OSError):
                self.flush()
            return None

    def save_overload(self, *arguments: Any) -> None:
        with contextlib.suppress(OSError):
            super().save_overload(*arguments)


def jit(function: Function) -> Function:
    """Compile ``function`` on its first call; the result is cached on disk if a folder can be written."""
    compiled: Any = njit(**OPTIONS)(function)
    with contextlib.suppress(RuntimeError):  # raised if no folder can be written, as in some containers
        compiled._cache = ForgivingCache(function)  # what njit(cache=True) does, with numba's own class
    result: Function = compiled
    return result
