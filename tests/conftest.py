"""How many random cases are tried: few by default, many with VADKIT_THOROUGH=1."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from hypothesis import settings

THOROUGH = os.environ.get("VADKIT_THOROUGH", "0") not in ("", "0")

# Machines that test are often busy, so time is no criterion.
settings.register_profile("small", max_examples=25, deadline=None)
settings.register_profile("thorough", max_examples=1000, deadline=None)
settings.load_profile("thorough" if THOROUGH else "small")


@pytest.fixture(scope="session")
def thorough() -> bool:
    """Tell whether time matters less than what is found."""
    return THOROUGH


@pytest.fixture(scope="session")
def cases(thorough: bool) -> Callable[[int], int]:
    """Return how many random cases to try, given what is usual: ten times as many if thorough."""
    return lambda usual: usual * 10 if thorough else usual
