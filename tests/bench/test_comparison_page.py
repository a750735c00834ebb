"""The page of a comparison: variants side by side, equal decimals, error bars, names as text."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

import pytest
from page_checks import check_fits, check_print, check_without_scripts

from vadkit.bench.comparison.page import comparison_page
from vadkit.bench.comparison.provenance import provenance
from vadkit.bench.comparison.table import as_markdown

pytestmark = pytest.mark.guards("3")
EVIL = "<b>bold</b> [red]markup[/red] & a name that is long enough to be cut on any screen, variant"
NOTICE = "The features are made up: figures mean nothing."
MEASURED = "feature_store, split test: 8 videos (4 abnormal), 155 snippets, 2464 frames"


def results(names: list[str], seeds: int = 3, notice: str | None = NOTICE) -> dict[str, Any]:
    """Return a comparison in which variant i has AP 0.1 i + 0.01 per seed."""
    variants = [
        {
            "name": name, "parameters": 81_000 * (i + 1), "gflop": None if i else 1.25, "train_ms": 10.0 + i,
            "score_ms": 2.0, "memory_mib": None,
            "figures": [
                {"ap": 0.1 * i + 0.01 * seed, "auc": 0.5, "auc_abnormal": None, "ap_abnormal": 0.4}
                for seed in range(seeds)
            ],
        }
        for i, name in enumerate(names)
    ]  # fmt: skip
    machine = {"device": "CPU, 2 cores", "threads": 1, "system": "Linux", "python": "3", "packages": {}, "commit": "0f",
               "date": "2025-01-01"}  # fmt: skip
    load = {"rounds": 5, "bags": 2, "snippets": 20}
    return {"about": "a comparison", "measured_on": MEASURED, "notice": notice, "seeds": list(range(seeds)),
            "machine": machine, "load": load, "variants": variants}  # fmt: skip


def texts(page: str, kind: str) -> list[str]:
    return [html.unescape(text) for text in re.findall(rf'<text class="{kind}"[^>]*>(.*?)</text>', page)]


def test_variants_are_side_by_side_in_each_figure() -> None:
    page = comparison_page(results(["tca", "mlp", "gl_mhsa"]))
    assert texts(page, "group") == ["AP", "AUC", "AUC, abnormal videos"]
    assert texts(page, "name") == ["tca", "mlp", "gl_mhsa"] * 3
    bars = re.findall(r'<rect x="0.00%" width="([\d.]+)%"[^>]* fill="(.*?)"/>', page)
    assert [float(width) for width, _ in bars] == pytest.approx([1, 11, 21, 50, 50, 50])
    assert [colour for _, colour in bars] == ["var(--s0)", "var(--s1)", "var(--s2)"] * 2  # a variant keeps its colour


def test_values_have_equal_decimals_and_error_bars() -> None:
    page = comparison_page(results(["tca", "mlp"]))
    assert texts(page, "value") == [
        "0.010 \u00b1 0.010", "0.110 \u00b1 0.010", "0.500 \u00b1 0.000", "0.500 \u00b1 0.000", "no value", "no value",
    ]  # fmt: skip
    assert page.count('class="whisker"') >= 2 * 3
    cells = re.findall(r'<td class="n">(0\.\d+[^<]*)</td>', page)
    assert {len(cell.split()[0]) for cell in cells if "\u00b1" in cell} == {5}


def test_names_with_markup_stay_text() -> None:
    names = [f"{EVIL} {i}" for i in (1, 2)]
    page = comparison_page(results(names))
    assert "<b>bold" not in page and all(html.escape(name) in page for name in names)
    assert len(set(texts(page, "name"))) == 2  # although both are cut


def test_what_was_measured_and_the_notice_are_in_the_caption_and_the_tables() -> None:
    found = results(["tca", "mlp"])
    (caption,) = re.findall(r"<caption>(.*?)</caption>", comparison_page(found))
    assert caption == f"Mean and standard deviation over 3 seeds, {MEASURED}. {NOTICE}"
    assert comparison_page(found).index('id="notice"') < comparison_page(found).index("<h2>")
    assert NOTICE in as_markdown(found)
    plain = results(["tca"], notice=None)
    assert 'id="notice"' not in comparison_page(plain) and NOTICE not in as_markdown(plain)


def test_the_page_fits_a_phone_and_paper_and_needs_no_script(tmp_path: Path) -> None:
    path = tmp_path / "index.html"
    path.write_text(comparison_page(results([f"{EVIL} {i}" for i in range(7)])), "utf-8")
    check_fits(path)
    check_without_scripts(path, charts=2)
    check_print(path)


def test_provenance_is_what_the_runs_state(tmp_path: Path) -> None:
    counts = {"ap": 0.5, "videos": 8, "abnormal_videos": 4, "snippets": 155, "frames": 2464}
    run = {"figures": counts, "protocol": {"data_set": "feature_store", "split": "test"}}
    other = {**run, "note": "the features are made up"}
    contents = [run, other, other, {"figures": 7}, {"figures": {}}]
    files = [tmp_path / f"{i}.json" for i in range(len(contents))]
    for file, content in zip(files, contents):
        file.write_text(json.dumps(content))
    measured, notice = provenance([*files, tmp_path / "none.json"])
    assert measured == MEASURED
    assert notice == "The features are made up."
    assert provenance([files[0]]) == (MEASURED, None) and provenance([]) == ("data unknown", None)
