"""``pytest tests/reference --cases DIR`` runs every reference case of a folder; a table ends the run."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import released

HERE = Path(__file__).parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--cases", type=Path, help="folder of reference cases (NAME.json with NAME.npz)")


def pytest_configure(config: pytest.Config) -> None:
    cases, given = config.getoption("--cases", None), config.getoption("--checkpoints", None)
    released.FOLDERS[:0] = [*([given] if given else []), *([cases.resolve().parent / "checkpoints"] if cases else [])]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With a folder given, run its cases and nothing else."""
    if config.getoption("--cases", None) is None:
        return
    others = [item for item in items if item.path.parent == HERE and item.path.name != "test_reference_cases.py"]
    items[:] = [item for item in items if item not in others]
    config.hook.pytest_deselected(items=others)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    rows: dict[str, list[tuple[str, dict[str, Any]]]] = defaultdict(list)
    for outcome in ("passed", "failed", "skipped"):
        for report in terminalreporter.stats.get(outcome, []):
            properties = dict(getattr(report, "user_properties", []))
            if "system" in properties:
                rows[properties["system"]].append((outcome, properties))
    if not rows:
        return
    terminalreporter.section("reference cases")
    head = ("system", "passed", "failed", "skipped", "worst / tolerance", "worst absolute", "where")
    terminalreporter.write_line("{:<14} {:>6} {:>6} {:>7}   {:<18} {:<15} {}".format(*head))
    for system in sorted(rows):
        terminalreporter.write_line(_row(system, rows[system]))


def _row(system: str, cases: list[tuple[str, dict[str, Any]]]) -> str:
    count = {o: sum(outcome == o for outcome, _ in cases) for o in ("passed", "failed", "skipped")}
    ran = [properties for _, properties in cases if "share" in properties]
    worst = max(ran, key=lambda properties: properties["share"], default=None)
    share = f"{worst['share']:.3g}" if worst else "-"
    absolute = f"{max(properties['absolute'] for properties in ran):.3g}" if ran else "-"
    where = worst["where"] if worst else ""
    counts = f"{count['passed']:>6} {count['failed']:>6} {count['skipped']:>7}"
    return f"{system:<14} {counts}   {share:<18} {absolute:<15} {where}"
