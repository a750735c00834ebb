"""A training run as tables for a spreadsheet or pandas: train.csv and evaluation.csv."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from vadkit import Logger, hookimpl

FIXED = {"train": ("step", "epoch"), "evaluation": ("step", "split")}
GROUPS = {"train": ("losses", "lr", "weights"), "evaluation": ("figures",)}
PREFIXES = {"lr": "lr.", "weights": "weight."}


class CsvLog(Logger):
    """Write a table of the intervals (losses, learning rates, changing weights) and one of the evaluations (figures).

    A column that first appears later leaves the rows before it empty.
    """

    name = "csv"

    def open(self, folder: Path, keep: int | None) -> None:
        self.tables = {kind: Table(folder / f"{kind}.csv", keep) for kind in FIXED}

    def write(self, record: dict[str, Any]) -> None:
        kind = record["kind"]
        if kind not in FIXED or record.get("final"):
            return
        row = {name: record[name] for name in FIXED[kind]}
        for group in GROUPS[kind]:
            found = record.get(group, {}).items()
            row |= {PREFIXES.get(group, "") + name: value for name, value in found if isinstance(value, (int, float))}
        self.tables[kind].add(row)


class Table:
    """A CSV file that grows row by row, and is rewritten where a row brings a new column.

    Args:
        file: its path.
        keep: rows of later steps are dropped from an existing file; None drops all.
    """

    def __init__(self, file: Path, keep: int | None) -> None:
        self.file = file
        self.rows = [] if keep is None or not file.exists() else [row for row in _read(file) if _step(row) <= keep]
        self.columns = list(self.rows[0]) if self.rows else []
        self._rewrite()

    def add(self, row: dict[str, Any]) -> None:
        self.rows.append(row)
        new = [name for name in row if name not in self.columns]
        self.columns += new
        if new:
            self._rewrite()
            return
        with self.file.open("a", newline="", encoding="utf-8") as stream:
            csv.DictWriter(stream, self.columns).writerow(row)

    def _rewrite(self) -> None:
        with self.file.open("w", newline="", encoding="utf-8") as stream:
            table = csv.DictWriter(stream, self.columns)
            if self.columns:
                table.writeheader()
            table.writerows(self.rows)


def _read(file: Path) -> list[dict[str, Any]]:
    with file.open(newline="", encoding="utf-8", errors="replace") as stream:
        return list(csv.DictReader(stream))


def _step(row: dict[str, Any]) -> float:
    """Return the step of a row, or infinity for a row that a kill has cut off."""
    try:
        return int(row["step"])
    except (KeyError, TypeError, ValueError):
        return float("inf")


@hookimpl
def vadkit_components() -> list[type]:
    return [CsvLog]
