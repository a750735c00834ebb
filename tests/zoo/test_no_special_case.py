"""The core knows no system: no name of one is in its code. Docstrings and comments may name them."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

import vadkit
from vadkit.plugin_manager import own_configs
from vadkit.systems.card import read_cards

ROOT = Path(vadkit.__file__).parent
PARTS = ("graph", "engine", "evaluate", "predict", "testing", "systems", "rounds")
FILES = sorted([*ROOT.glob("*.py"), *(file for part in PARTS for file in (ROOT / part).rglob("*.py"))])
RULES = {"evaluate/score.py": {"umil", "rtfm"}}  # an annotation of a data set is called after those who wrote it
WORDS = {"seed"}  # a system's name, and what starts random numbers


@cache
def names() -> set[str]:
    """Return the names of systems and of their graphs, and what the systems are called."""
    cards = read_cards([own_configs()]).values()
    plain = {card.name for card in cards} - WORDS
    return plain | {graph for card in cards for graph in card.graphs} | {name.replace("_", "-") for name in plain}


def code(file: Path) -> str:
    """Return the code of a file without docstrings and comments."""
    tree = ast.parse(file.read_text("utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if (
            isinstance(body, list)
            and body
            and isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
        ):
            body[0] = ast.Pass()
    return ast.unparse(tree)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_system_is_named_in_the_code(file: Path) -> None:
    forbidden = names() - RULES.get(file.relative_to(ROOT).as_posix(), set())
    named = "|".join(map(re.escape, sorted(forbidden)))
    pattern = re.compile(rf"(?<![A-Za-z0-9])({named})(?![A-Za-z0-9])", re.IGNORECASE)
    found = [line.strip() for line in code(file).splitlines() if pattern.search(line)]
    assert not found


def test_the_test_finds_a_name(tmp_path: Path) -> None:
    file = tmp_path / "x.py"
    file.write_text('"""UR-DMU."""\nif name == "ur_dmu_xd":  # ur_dmu\n    pass\n')
    assert code(file).count("ur_dmu") == 1
    assert {"ur_dmu", "ur-dmu", "ur_dmu_xd"} <= names()
