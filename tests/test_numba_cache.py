"""Functions that demand a cache on disk work where no folder of numba's own can be written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from vadkit import numba_cache

pytestmark = pytest.mark.guards("F")

DEMANDING = """
from numba import jit

@jit(nopython=True, cache=True)
def double(x):
    return 2 * x
"""
USE = """
import os, sys
{before}
from vadkit.numba_cache import provide_numba_cache
provide_numba_cache()
import demanding
assert demanding.double(4) == 8
print(os.environ.get("NUMBA_CACHE_DIR", ""))
"""


@pytest.mark.parametrize("before", ["", "import numba"])
def test_a_temporary_folder_is_given_and_goes_with_the_process(tmp_path: Path, before: str) -> None:
    (tmp_path / "demanding.py").write_text(DEMANDING)
    (tmp_path / "temporary").mkdir()
    env = {
        **os.environ,
        "NUMBA_CACHE_LOCATOR_CLASSES": "UserProvidedCacheLocator",  # as with read-only packages and no home
        "TMPDIR": str(tmp_path / "temporary"),
        "PYTHONPATH": str(tmp_path),
    }
    env.pop("NUMBA_CACHE_DIR", None)
    command = [sys.executable, "-c", USE.format(before=before)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(tmp_path / "temporary"))
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.parametrize(
    ("packages", "home", "given"),
    [(True, True, False), (True, False, False), (False, True, False), (False, False, True)],
)
def test_it_is_given_only_where_numba_could_not_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packages: bool, home: bool, given: bool
) -> None:
    places = {"packages": packages, "home": home}
    monkeypatch.setattr(numba_cache, "_usual_places", lambda: [tmp_path / name / "__pycache__" for name in places])
    monkeypatch.setattr(os, "access", lambda path, _: places[next(n for n in places if n in str(path))])
    for name in places:
        (tmp_path / name).mkdir()
    monkeypatch.setenv("NUMBA_CACHE_DIR", "")
    monkeypatch.setattr(sys.modules.get("numba", os), "config", type("Config", (), {}), raising=False)
    numba_cache.provide_numba_cache.__wrapped__()
    assert bool(os.environ["NUMBA_CACHE_DIR"]) == given


def test_a_folder_of_the_users_own_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(numba_cache, "_usual_places", list)
    numba_cache.provide_numba_cache.__wrapped__()
    assert os.environ["NUMBA_CACHE_DIR"] == str(tmp_path)
