"""Published figures: the rows of ``data/published_results.csv``, to which cards refer by id. None is measured here."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from vadkit.problems import VadkitError, fail, unknown
from vadkit.systems.card import Card, Figure
from vadkit.systems.text import bounded_text

FILE = Path("data") / "published_results.csv"  # in a folder of configs
COLUMNS = ("id", "origin", "dataset", "metric", "value", "unit", "modality", "features", "status", "note")
BYTES = 4 << 20


@dataclass(frozen=True)
class Published:
    """One figure: where it was published, and what it is."""

    figure: Figure
    origin: str
    dataset: str
    metric: str
    value: float
    unit: str
    modality: str
    features: str
    status: str
    note: str


def figures_of(card: Card) -> list[Published]:
    """Return the figures that a card refers to. Raises VadkitError for an id that has no row."""
    if not card.published:
        return []
    path = card.file.parent.parent / FILE
    rows = _rows(path)
    found = []
    for figure in card.published:
        own = [row for row in rows if row["id"] == figure.id]
        if not own:
            ids = [row["id"] for row in rows]
            raise VadkitError(
                [unknown(figure.id, ids, "figure", f"in {card.file}", otherwise=f"the ids are in {path}")]
            )
        found += [_published(figure, row) for row in own]
    return found


def _published(figure: Figure, row: dict[str, str]) -> Published:
    facts = {key: row[key] for key in COLUMNS if key not in ("id", "value")}
    return Published(figure, value=float(row["value"]), **facts)


@cache
def _rows(path: Path) -> list[dict[str, str]]:
    rows = list(csv.DictReader(bounded_text(path, BYTES, "a table of published figures").splitlines()))
    for number, row in enumerate(rows, 2):
        missing = [key for key in COLUMNS if row.get(key) is None]
        if missing:
            fail(f"{path}:{number}: the column '{missing[0]}' is missing")
        try:
            float(row["value"])
        except ValueError:
            fail(f"{path}:{number}: the value '{row['value']}' is not a number")
    return rows
