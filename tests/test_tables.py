"""Names in CSV and Markdown are text: no formula, no link, no element, no column of their own."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vadkit.tables import csv_text, harmless, markdown_table, markdown_text, original

pytestmark = pytest.mark.guards("D22", "5.4")
FORMULAS = ["=HYPERLINK(1)", "+1+1", "-2+3", "@SUM(A1)", "\tx", "\rx", "'=x", "''@x", "=1", "\nx", "- x", "-x.mp4"]
HARMLESS = ["", "clip", "'quoted'", "a=b", " =x", "it's", "-1", "+2.5", "-1e-05", ".5", "x\ny", "caf\u00e9"]


@pytest.mark.parametrize("cell", [*FORMULAS, *HARMLESS])
def test_a_cell_of_text(cell: str) -> None:
    shown = harmless(cell)
    assert (shown != cell) == (cell in FORMULAS) and original(shown) == cell
    assert not shown.startswith(("=", "@", "\t", "\r", "\n"))


@given(st.text(alphabet="'=+-@\t\r\n1.ex ,\""))
def test_what_is_read_is_what_was_written(cell: str) -> None:
    rows = list(csv.reader(io.StringIO(csv_text(["a", "b"], [[cell, 1]]), newline="")))
    assert original(rows[1][0]) == cell and rows[1][1] == "1"


def test_numbers_stay_numbers() -> None:
    assert csv_text(["a", "b", "c", "d"], [[-1, -0.5, "-0.25", None]]) == "a,b,c,d\n-1,-0.5,-0.25,\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a|b", "a\\|b"),
        ("<script>x</script>", "\\<script\\>x\\</script\\>"),
        ("![x](http://y)", "!\\[x\\](http://y)"),
        ("**a** _b_ `c` ~d~", "\\*\\*a\\*\\* \\_b\\_ \\`c\\` \\~d\\~"),
        ("demo_rgb_flow", "demo_rgb_flow"),
        ("two\nlines\r\n# head", "two lines \\# head"),
        ("&lt;", "\\&lt;"),
        ("0.861 +- 0.012", "0.861 +- 0.012"),
    ],
)
def test_markdown_shows_a_text_as_it_is(text: str, shown: str) -> None:
    assert markdown_text(text) == shown
    assert markdown_table(["name", "n"], [[text, "1"]]) == f"| name | n |\n|---|---:|\n| {shown} | 1 |"


def test_labels_of_names_like_formulas_are_read_as_written(tmp_path: Path) -> None:
    from vadkit.datasets.importing.table import read_table
    from vadkit.extract.labels import read_list

    names = ["=1+1", "+a", "-b", "@c", "plain"]
    table = csv_text(["video", "label"], [[name, 0] for name in names])
    (tmp_path / "table.csv").write_text(table)
    assert [video.name for video in read_table(tmp_path / "table.csv").videos] == names
    listed = csv_text(["file", "name"], [[f"{name}.mp4", name] for name in names])
    (tmp_path / "list.csv").write_text(listed)
    entries, _ = read_list(tmp_path / "list.csv")
    assert [entry["name"] for entry in entries] == names
    assert [Path(entry["file"]).name for entry in entries] == [f"{name}.mp4" for name in names]


def test_a_comparison_of_variants_with_such_names() -> None:
    from vadkit.bench.comparison.table import as_csv, as_markdown

    figures = {"ap": 0.5, "auc": 0.5, "auc_abnormal": None}
    own = {"runs": [{"seed": 0, "state": "finished", "figures": figures}], "figures": [figures]}
    costs = {"parameters": 1, "gflop": 0.1, "train_ms": 1.0, "score_ms": 1.0, "memory_mib": None}
    variants = [{"name": name, **own, **costs} for name in ("=cmd()", "a | b", "<img src=x>", "[x](y)")]
    machine = {
        "device": "CPU, x",
        "threads": 1,
        "system": "L",
        "python": "3",
        "packages": {},
        "commit": "@c",
        "date": "d",
    }
    load = {"rounds": 1, "bags": 2, "snippets": 3}
    results = {"about": "<b>|x", "seeds": [0], "machine": machine, "load": load, "variants": variants, "notice": None}
    rows = list(csv.reader(io.StringIO(as_csv(results))))
    assert [row[0] for row in rows[1:]] == ["'=cmd()", "a | b", "<img src=x>", "[x](y)"] and rows[1][-2] == "'@c"
    lines = as_markdown(results).splitlines()
    assert lines[0] == "# \\<b\\>\\|x"
    assert {line.replace("\\|", "").count("|") for line in lines if line.startswith("|")} == {lines[4].count("|")}
