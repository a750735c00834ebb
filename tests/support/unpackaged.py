"""Plugins that are not packaged, made known for a while as a user does it: by an environment variable."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from vadkit.plugin_manager import EXTRA, reload_plugins

TINY_BACKBONES = "vadkit_tiny_backbones"


@contextmanager
def unpackaged(module: str, folder: Path | None = None) -> Iterator[None]:
    """Load a module, of a ``folder`` if it is not importable without; afterwards nobody knows it any more."""
    with pytest.MonkeyPatch.context() as patch:
        if folder is not None:
            patch.syspath_prepend(str(folder))
        patch.setenv(EXTRA, module)
        reload_plugins()
        yield
    reload_plugins()
