"""The files of a comparison, all from the contents of results.json."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vadkit.bench.comparison.page import comparison_page
from vadkit.bench.comparison.statistics import Scores
from vadkit.bench.comparison.table import as_csv, as_markdown
from vadkit.files import write_text_atomic
from vadkit.results_folder import writing

TABLES = ("table.csv", "table.md", "index.html")


def write_comparison(results: dict[str, Any], out: Path, scores: Scores | None = None) -> list[Path]:
    """Write table.csv, table.md and index.html to ``out`` and return their paths; the page shows the ``scores``."""
    texts = dict(zip(TABLES, (as_csv(results), as_markdown(results), comparison_page(results, scores)), strict=True))
    with writing(*(out / name for name in texts)):
        for name, text in texts.items():
            write_text_atomic(out / name, text)
    return [out / name for name in texts]
