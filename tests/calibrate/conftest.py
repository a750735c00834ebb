from __future__ import annotations

from collections.abc import Iterator

import pytest

from vadkit.plugin_manager import EXTRA, reload_plugins


@pytest.fixture(scope="module", autouse=True)
def tiny_backbones() -> Iterator[None]:
    """Load the plugin of tests/support, as a user loads a module that is not packaged."""
    patch = pytest.MonkeyPatch()
    patch.setenv(EXTRA, "vadkit_tiny_backbones")
    reload_plugins()
    yield
    patch.undo()
    reload_plugins()
