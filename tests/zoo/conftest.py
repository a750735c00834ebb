"""``--all-graphs``: the tests of lengths, export and import for each graph, not only for one of each system."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all-graphs", action="store_true", help="test each graph of a system, not only the largest")
