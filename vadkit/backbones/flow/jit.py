"""How the loops of this package are compiled by numba, and kept for the next process."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from numba import njit
from numba.core import caching

Function = Callable[..., Any]

# Sums may be reordered (else they are not vectorised), but NaN and infinity cannot come up, and no
# operation is replaced by a coarser one.
OPTIONS: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"nnan", "ninf", "nsz", "contract", "reassoc"},
}


numba_cache: Any = caching.FunctionCache  # numba has no types


class Kept(numba_cache):  # type: ignore[misc]
    """numba's cache on disk, made forgiving: a full disk or a broken file costs a compilation, not the run."""

    def load_overload(self, *arguments: Any) -> Any:
        try:
            return super().load_overload(*arguments)
        except Exception:  # whatever comes up when a file that was cut off is read
            with contextlib.suppress(OSError):
                self.flush()
            return None

    def save_overload(self, *arguments: Any) -> None:
        with contextlib.suppress(OSError):
            super().save_overload(*arguments)


def jit(function: Function) -> Function:
    """Compile ``function`` on its first call; the result is kept on disk where there is a place for it."""
    compiled: Any = njit(**OPTIONS)(function)
    with contextlib.suppress(RuntimeError):  # numba's word for: no folder can be written to, as in some containers
        compiled._cache = Kept(function)  # what njit(cache=True) does, with numba's own class
    made: Function = compiled
    return made
