"""A folder for numba's cache where it has none: read-only packages and no home, as in containers of another user.

numba keeps compiled functions next to their sources or in the user's cache folder. librosa's functions cannot even be
imported where neither can be written, so numba gets a temporary folder before anything imports it.
"""

from __future__ import annotations

import atexit
import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

FOLDER = "NUMBA_CACHE_DIR"
PLACES = "NUMBA_CACHE_LOCATOR_CLASSES"  # numba's own choice of places
OWN_PLACES = ("InTree", "UserWide")  # those of ``_usual_places``
USERS = ("librosa",)  # packages whose functions demand a cache


@cache
def provide_numba_cache() -> None:
    """Give numba a temporary folder, for this process and those that it starts, if it could not write anywhere."""
    if os.environ.get(FOLDER) or _has_place():
        return
    folder = tempfile.mkdtemp(prefix="vadkit-numba-")
    atexit.register(_remove, folder, os.getpid())
    os.environ[FOLDER] = folder
    if "numba" in sys.modules:
        sys.modules["numba"].config.CACHE_DIR = folder


def _has_place() -> bool:
    chosen = os.environ.get(PLACES)
    if chosen and not any(place in chosen for place in OWN_PLACES):
        return False
    return any(map(_is_writable, _usual_places()))


def _usual_places() -> Iterator[Path]:
    for package in USERS:
        found = importlib.util.find_spec(package)
        if found is not None and found.origin:
            yield Path(found.origin).parent
    home = Path(os.path.expanduser("~"))
    if sys.platform == "win32":
        yield Path(os.environ.get("LOCALAPPDATA") or home)
    elif sys.platform == "darwin":
        yield home / "Library" / "Caches"
    else:
        yield Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")


def _is_writable(folder: Path) -> bool:
    """Return whether files can be put in the folder, which may have to be created first."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


def _remove(folder: str, process: int) -> None:
    if os.getpid() == process:  # not in a process that was forked
        shutil.rmtree(folder, ignore_errors=True)
