"""The mark ``cuda``: a test that needs a GPU. ``pytest -m cuda`` runs all of them.

Without a GPU they are skipped, and counted. VADKIT_TEST_DEVICE=cpu runs them on the CPU instead, which shows that
the tests themselves are right; another value, such as cuda:1, chooses the GPU.
"""

from __future__ import annotations

import os

import pytest
import torch


def chosen_device() -> str | None:
    """Return the device for tests marked ``cuda``, or None if there is none."""
    return os.environ.get("VADKIT_TEST_DEVICE") or ("cuda" if torch.cuda.is_available() else None)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("cuda") and chosen_device() is None:
        pytest.skip("there is no CUDA device; VADKIT_TEST_DEVICE=cpu runs this test on the CPU")


@pytest.fixture(scope="session")
def device() -> str:
    """Return what tests marked ``cuda`` give to --device."""
    name = chosen_device()
    assert name is not None, "only tests marked 'cuda' may ask for the device"
    return name
