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


# What a test of this name counts in the summary.
COUNTED = {
    "test_a_graph_trains_evaluates_and_is_saved": "graphs",
    "test_a_recipe_trains_evaluates_and_is_saved": "recipes",
}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    passed = terminalreporter.stats.get("passed", ())
    names = [report.nodeid.rpartition("::")[2].partition("[")[0] for report in passed]
    counts = {what: names.count(name) for name, what in COUNTED.items()}
    if any(counts.values()):
        said = " and ".join(f"{count} {what}" for what, count in counts.items())
        terminalreporter.write_line(f"{said}: trained, evaluated, saved and loaded to equal scores")
