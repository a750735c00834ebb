"""OpenCV where it can be loaded. Slim containers often lack the libraries of its usual build (libGL.so.1).

Nothing in vadkit imports ``cv2`` when it is itself imported: code that needs it asks ``load_opencv`` for it,
so that everything else works without.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType
from typing import Any

from vadkit.problems import fail

HINT = (
    "install its system libraries (Debian, Ubuntu: apt-get install libgl1 libglib2.0-0), or the build without them: "
    "pip uninstall -y opencv-python && pip install opencv-python-headless"
)


def load_opencv() -> Any:
    """Return the module ``cv2``. Raises VadkitError, with what to install, if it cannot be loaded."""
    found = _attempt()
    if isinstance(found, str):
        fail(f"OpenCV cannot be loaded: {found}", HINT)
    return found


def opencv_or_none() -> Any:
    """Return the module ``cv2``, or None if it cannot be loaded."""
    found = _attempt()
    return None if isinstance(found, str) else found


@cache  # a second attempt of OpenCV's own loader prints sys.path and hides the cause of the first
def _attempt() -> ModuleType | str:
    path = [*sys.path]
    try:
        return importlib.import_module("cv2")
    except ImportError as error:
        sys.path[:] = path  # the loader puts its own folder there
        return " ".join(str(error).split()) or "ImportError"


@contextmanager
def optional_opencv() -> Iterator[None]:
    """Let others import ``cv2`` meanwhile, even if it cannot be loaded; what they use of it fails then.

    For packages that import OpenCV for functions which vadkit never calls.
    """
    if "cv2" in sys.modules or opencv_or_none() is not None:
        yield
        return
    sys.modules["cv2"] = _Missing("cv2")
    try:
        yield
    finally:
        del sys.modules["cv2"]


class _Missing(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(load_opencv(), name)
