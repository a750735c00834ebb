"""Every defect and promise of guards.md has a test that is marked with it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parent
LISTED = re.findall(r"^\| ([A-Z]?[\d.]*) \|", (TESTS / "guards.md").read_text(encoding="utf-8"), re.M)


def marked() -> set[str]:
    """Return the arguments of every ``pytest.mark.guards(...)`` below this folder."""
    found = set()
    for path in TESTS.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("mark.guards"):
                found |= {argument.value for argument in node.args if isinstance(argument, ast.Constant)}
    return found


def test_every_number_is_guarded_and_every_guard_is_listed() -> None:
    assert {"F", *(f"D{number}" for number in range(1, 24)), "2.1", "5.8"} <= set(LISTED)
    assert marked() == set(LISTED)
