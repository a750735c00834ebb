"""What is freed goes back to the system, so that a process that runs for weeks stays as large as what it holds."""

from __future__ import annotations

import sys

import pytest
from watched import resident

from vadkit.memory import give_back


@pytest.mark.skipif(sys.platform != "linux", reason="only the C library of Linux is asked to give memory back")
def test_what_is_freed_between_what_is_held_is_given_back() -> None:
    blocks = [bytearray(b"x" * 50_000) for _ in range(4000)]  # 200 MB, each too small for pages of its own
    held = blocks[::100]
    full = resident()
    del blocks
    give_back()
    assert resident() < full - 150e6 / 2**20  # MiB
    assert all(block[-1] == ord("x") for block in held)
