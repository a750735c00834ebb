"""How the loops of this package are compiled by numba."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from numba import njit

Function = Callable[..., Any]

# Sums may be reordered (else they are not vectorised), but NaN and infinity cannot come up, and no
# operation is replaced by a coarser one.
OPTIONS: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"nnan", "ninf", "nsz", "contract", "reassoc"},
}


def jit(function: Function) -> Function:
    """Compile ``function`` on its first call; the result is kept on disk where there is a place for it."""
    try:
        return cast(Function, njit(cache=True, **OPTIONS)(function))
    except RuntimeError:  # numba's word for: no folder can be written to, as in some containers
        return cast(Function, njit(**OPTIONS)(function))
