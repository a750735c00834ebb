"""How a picture is turned and mirrored before it is shown, by its display matrix."""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

import numpy as np


class Orientation(NamedTuple):
    """Swap rows and columns first, then mirror left and right, then top and bottom: all eight ways."""

    swap: bool = False
    mirror: bool = False
    flip: bool = False

    def apply(self, pixels: np.ndarray) -> np.ndarray:
        """Return (height, width, ...) as it is shown."""
        if not any(self):
            return pixels
        shown = pixels.swapaxes(0, 1) if self.swap else pixels
        shown = shown[:, ::-1] if self.mirror else shown
        return np.ascontiguousarray(shown[::-1] if self.flip else shown)


UPRIGHT = Orientation()


def orientation(frame: Any) -> Orientation:
    """Return how a decoded frame is shown. Another angle than a multiple of 90 degrees counts as the nearest one."""
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return UPRIGHT
    # A point (x, y) of the picture is shown at (a x + c y, b x + d y), x to the right and y down.
    a, b, _, c, d, *_ = struct.unpack("=9i", bytes(matrix))
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Orientation(False, a < 0, d < 0)
    return Orientation(True, c < 0, b < 0)


def is_oblique(frame: Any) -> bool:
    """Return whether the display matrix turns by an angle between the quarters."""
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return False
    a, b, _, c, d, *_ = struct.unpack("=9i", bytes(matrix))
    straight, turned = abs(a) + abs(d), abs(b) + abs(c)
    return bool(min(straight, turned) > 0.1 * max(straight, turned))
