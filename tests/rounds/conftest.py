"""One thread, and a recipe of three rounds on a small store."""

from __future__ import annotations

import pytest
import torch
from recipes import sample_package, write_recipe
from tiny_store import write_tiny_store


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    return write_tiny_store(tmp_path_factory.mktemp("rounds") / "store", val=2)


@pytest.fixture
def recipe(store, tmp_path):
    """Return the file of the recipe; its graph is next to it."""
    with sample_package():
        yield write_recipe(tmp_path, store)
