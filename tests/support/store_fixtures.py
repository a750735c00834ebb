"""A tiny feature store, and a way to spoil it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny_store import write_tiny_store
from vadkit_feature_store import FeatureStore


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return write_tiny_store(tmp_path / "store")


@pytest.fixture
def dataset(store: Path) -> FeatureStore:
    return FeatureStore(root=str(store))


@pytest.fixture
def edit(store: Path) -> Callable[..., None]:
    """Change a JSON file of the store: ``edit(lambda videos: ..., "videos.json")``."""

    def change(how: Callable[[Any], Any], file: str = "videos.json") -> None:
        path = store / file
        data = json.loads(path.read_text())
        result = how(data)
        path.write_text(json.dumps(data if result is None else result))

    return change
