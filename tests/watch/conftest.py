from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from clips import alarm, make_clip
from models import write_model
from unpackaged import TINY_BACKBONES, unpackaged


@pytest.fixture(scope="module", autouse=True)
def tiny_backbones() -> Iterator[None]:
    """Load the plugin of tests/support, as a user loads a module that is not packaged."""
    with unpackaged(TINY_BACKBONES):
        yield


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return 8 s of video that is red and loud from 2 to 4 s."""
    return make_clip(tmp_path_factory.mktemp("clips") / "door.mp4", 8.0, alarm(2, 4))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model that scores red and loud near 1, all else near 0; snippets are 0.5 s."""
    return write_model(tmp_path_factory.mktemp("model") / "model.safetensors", audio=True)
