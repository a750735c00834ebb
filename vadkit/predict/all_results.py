"""The results in one folder, of this call and of earlier ones: summary.json and index.html."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from vadkit import json_file
from vadkit.files import remove_leftovers, write_text_atomic
from vadkit.predict.index_page import index_page
from vadkit.predict.result_files import read_result
from vadkit.predict.video_summary import FAILED, SCORED, Entry, Outcome, entry_of
from vadkit.problems import VadkitError
from vadkit.results_folder import claim, writing

SUMMARY, INDEX = "summary.json", "index.html"
FORMAT = 1


class SummaryJson(msgspec.Struct):
    """summary.json: every video of the folder, highest score first, then those that could not be scored."""

    vadkit_predict: int
    videos: list[Entry]


class AllResults:
    """Entries of the videos of a folder, by their path."""

    def __init__(self, out: Path, inputs: Sequence[Path]) -> None:
        claim([out / SUMMARY, out / INDEX], inputs)
        remove_leftovers(out)
        self.out = out
        self.entries = {entry.path: entry for entry in _earlier(out)}

    @property
    def names(self) -> dict[str, Path]:
        """The videos that have results, by name."""
        return {entry.name: Path(entry.path) for entry in self.entries.values() if entry.name is not None}

    def add(self, outcome: Outcome) -> None:
        """Put the outcome of a video in the place of its earlier one, and of a video that gave its name up."""
        new = outcome.entry
        old = self.entries.get(new.path)
        if new.status == FAILED and old is not None and old.name is not None:
            self.entries[new.path] = msgspec.structs.replace(old, error=new.error)  # its earlier results still hold
            return
        gone = [e.path for e in self.entries.values() if new.name is not None and e.name == new.name]
        for path in gone:
            del self.entries[path]
        self.entries[new.path] = msgspec.structs.replace(new, status=FAILED if new.status == FAILED else SCORED)

    def write(self) -> None:
        """Write summary.json and index.html. Raises VadkitError."""
        entries = in_order(list(self.entries.values()))
        with writing(self.out / SUMMARY, self.out / INDEX):
            json_file.write(self.out / SUMMARY, SummaryJson(FORMAT, entries))
            write_text_atomic(self.out / INDEX, index_page(entries))


def in_order(entries: Sequence[Entry]) -> list[Entry]:
    """Return entries by their highest score, those without one last."""
    return sorted(entries, key=lambda entry: (entry.name is None, -entry.top, entry.path))


def _earlier(out: Path) -> list[Entry]:
    """Return the entries of earlier calls: of summary.json, and of results that are newer than it."""
    known = {entry.name or entry.path: entry for entry in _summarised(out)}
    since = (out / SUMMARY).stat().st_mtime_ns if known else 0
    for page in out.glob("*.html"):
        result = page.with_suffix(".json")
        if page.name == INDEX or not result.is_file():
            continue
        if page.stem in known and result.stat().st_mtime_ns <= since:
            continue
        with contextlib.suppress(LookupError, TypeError, ValueError):  # damaged, so it is computed again
            known[page.stem] = entry_of(page.stem, read_result(result) or {})
    return [entry for entry in known.values() if _still_holds(entry, out)]


def _still_holds(entry: Entry, out: Path) -> bool:
    """Return whether the results exist, or the video that could not be scored does."""
    return os.path.lexists(entry.path) if entry.name is None else (out / f"{entry.name}.json").is_file()


def _summarised(out: Path) -> list[Entry]:
    try:
        return json_file.read(out / SUMMARY, SummaryJson).videos if (out / SUMMARY).is_file() else []
    except VadkitError:  # damaged: the results of each video say the same
        return []


def as_report(outcomes: Sequence[Outcome], out: Path, notes: Sequence[str]) -> dict[str, Any]:
    """Return what this call did, as plain data."""
    entries = [outcome.entry for outcome in outcomes]
    counts = {status: sum(e.status == status for e in entries) for status in ("scored", "skipped", "failed")}
    return {
        "vadkit_predict": FORMAT,
        "out": str(out),
        **counts,
        "notes": list(notes),
        "videos": [msgspec.to_builtins(entry) for entry in entries],
    }
