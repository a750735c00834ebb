"""``--all-graphs``: the tests of lengths, export and import for each graph, not only for one of each system, and
those of recipes for each recipe.

``--store DIR``: every graph trains on the features of a store, such as those of the demo.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--store", type=Path, help="features to train on, such as vadkit-demo/features")
    parser.addoption("--all-graphs", action="store_true", help="test each graph of a system, not only the largest")
