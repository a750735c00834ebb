from __future__ import annotations

from collections.abc import Iterator

import pytest
from unpackaged import TINY_BACKBONES, unpackaged


@pytest.fixture(scope="module", autouse=True)
def tiny_backbones() -> Iterator[None]:
    """Load the plugin of tests/support, as a user loads a module that is not packaged."""
    with unpackaged(TINY_BACKBONES):
        yield
