"""``--all-graphs``: the tests of lengths and export for each graph, not only for each structure."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all-graphs", action="store_true", help="also graphs that differ in numbers only")
