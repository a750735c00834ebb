from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from vadkit.plugin_manager import EXTRA, reload_plugins

PLUGINS = Path(__file__).parent / "plugins"


@pytest.fixture(scope="module", autouse=True)
def tiny_backbones() -> Iterator[None]:
    """Make the plugin of this folder known, as a user does with a module that is not packaged."""
    patch = pytest.MonkeyPatch()
    patch.syspath_prepend(str(PLUGINS))
    patch.syspath_prepend(str(Path(__file__).parent))
    patch.setenv(EXTRA, "vadkit_tiny_backbones")
    reload_plugins()
    yield
    patch.undo()
    reload_plugins()
