"""The page of a comparison: variants side by side, equal decimals, error bars, names as text."""

from __future__ import annotations

import csv
import html
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chromium import Chromium
from page_checks import check_fits, check_print, check_without_scripts
from planted_runs import planted_results

from vadkit.bench.comparison.page import comparison_page
from vadkit.bench.comparison.provenance import provenance
from vadkit.bench.comparison.resampling import FIGURES
from vadkit.bench.comparison.scores import RunScores
from vadkit.bench.comparison.summary import summarised
from vadkit.bench.comparison.table import as_csv, as_markdown, rows

pytestmark = pytest.mark.guards("3")
EVIL = "<b>bold</b> [red]markup[/red] & a name that is long enough to be cut on any screen, variant"
NOTICE = "The features are made up: figures mean nothing."
MEASURED = "feature_store, split test: 8 videos (4 abnormal), 155 snippets, 2464 frames"
COSTS = {"gflop": 1.25, "score_ms": 2.0, "score_rate": 2000.0, "memory_mib": None, "energy_joule_per_step": None}


def results(names: list[str], seeds: int = 3, notice: str | None = NOTICE) -> dict[str, Any]:
    """Return a comparison in which variant i has AP 0.1 i + 0.01 per seed."""
    variants = []
    for i, name in enumerate(names):
        figures = [
            {"ap": 0.1 * i + 0.01 * seed, "auc": 0.5, "auc_abnormal": None, "ap_abnormal": 0.4, "far": 0.1}
            for seed in range(seeds)
        ]
        runs = [
            {"seed": seed, "folder": f"{i}", "state": "finished", "why": None, "figures": own}
            for seed, own in enumerate(figures)
        ]
        costs = {**COSTS, "parameters": 81_000 * (i + 1), "train_ms": 10.0 + i, "note": None}
        variants.append({"name": name, "runs": runs, "figures": figures, **costs})
    machine = {"device": "CPU, 2 cores", "threads": 1, "system": "Linux", "python": "3", "packages": {}, "commit": "0f",
               "date": "2025-01-01"}  # fmt: skip
    load = {"rounds": 5, "bags": 2, "snippets": 20}
    return {"about": "a comparison", "measured_on": MEASURED, "notice": notice, "seeds": list(range(seeds)),
            "base": names[0], "machine": machine, "load": load, "variants": variants}  # fmt: skip


def planted(names: dict[str, float], seeds: int = 3) -> tuple[dict[str, Any], dict[Any, RunScores]]:
    """Return a whole comparison of planted runs, with its statistics, and their scores."""
    _, scores = planted_results(names, seeds, 0)
    found = results(list(names), seeds, notice=None)
    for variant in found["variants"]:
        for run in variant["runs"]:
            run["figures"] = {key: scores[variant["name"], run["seed"]].figures[key] for key in FIGURES}
        variant["figures"] = [run["figures"] for run in variant["runs"]]
    return summarised(found, scores), scores


def texts(page: str, kind: str) -> list[str]:
    return [html.unescape(text) for text in re.findall(rf'<text class="{kind}"[^>]*>(.*?)</text>', page)]


def test_variants_are_side_by_side_in_each_figure() -> None:
    page = comparison_page(results(["tca", "mlp", "gl_mhsa"]))
    assert texts(page, "group") == ["AP", "AUC", "AP, abnormal videos", "AUC, abnormal videos"]
    assert texts(page, "name") == ["tca", "mlp", "gl_mhsa"] * 4
    bars = re.findall(r'<rect x="0.00%" width="([\d.]+)%"[^>]* fill="(.*?)"/>', page)
    assert [float(width) for width, _ in bars] == pytest.approx([1, 11, 21, 50, 50, 50, 40, 40, 40])
    assert [colour for _, colour in bars] == ["var(--s0)", "var(--s1)", "var(--s2)"] * 3  # a variant keeps its colour


def test_values_have_equal_decimals_and_error_bars() -> None:
    page = comparison_page(results(["tca", "mlp"]))
    assert texts(page, "value") == [
        "0.010 \u00b1 0.010", "0.110 \u00b1 0.010", "0.500 \u00b1 0.000", "0.500 \u00b1 0.000",
        "0.400 \u00b1 0.000", "0.400 \u00b1 0.000", "no value", "no value",
    ]  # fmt: skip
    assert page.count('class="whisker"') >= 2 * 3
    cells = re.findall(r'<td class="n">(0\.\d+[^<]*)</td>', page)
    assert {len(cell.split()[0]) for cell in cells if "\u00b1" in cell} == {5}


def test_names_with_markup_stay_text() -> None:
    names = [f"{EVIL} {i}" for i in (1, 2)]
    page = comparison_page(*planted(dict.fromkeys(names, 1.5)))
    assert "<b>bold" not in page and all(html.escape(name) in page for name in names)
    assert len(set(texts(page, "name"))) == 2  # although both are cut


def test_a_difference_is_marked_and_worded_as_the_statistics_say() -> None:
    found, scores = planted({"base": 1.5, "good": 5.0, "same": 1.5}, 5)
    page = comparison_page(found, scores)
    section = page[page.index('id="differences"') : page.index('id="figures"')]
    values = texts(section, "value")
    for key, row in zip(FIGURES, range(0, len(values), 2), strict=True):
        for entry, value in zip(found["differences"], values[row : row + 2], strict=True):
            part = entry["figures"][key]
            word = "" if part["verdict"] == "no difference shown" else f" {part['verdict']}"
            assert value == f"{part['mean']:+.3f}{word}"
    marks = re.findall(r'class="mark"[^>]* fill="(.*?)"', section)
    shown = [e["figures"][key]["verdict"] != "no difference shown" for key in FIGURES for e in found["differences"]]
    assert [mark == "var(--s0)" for mark in marks] == shown and len(set(shown)) == 2
    assert found["differences"][0]["figures"]["ap"]["verdict"] == "better"


def test_the_tables_hold_the_differences() -> None:
    found, _ = planted({"base": 1.5, "good": 5.0}, 5)
    part = found["differences"][0]["figures"]["ap"]
    (_, line) = csv.DictReader(as_csv(found).splitlines())
    assert float(line["ap_difference"]) == part["mean"] and float(line["ap_low"]) == part["low"]
    assert line["ap_verdict"] == "better" and float(line["ap_p_holm"]) == part["p_holm"]
    assert line["finished"] == "5" and line["failed"] == "0"
    row = f"| AP | good | 5 | {part['mean']:+.3f} | {part['low']:+.3f} to {part['high']:+.3f} |"
    assert row in as_markdown(found)


def test_failed_runs_are_named_and_in_no_mean() -> None:
    found, scores = planted({"base": 1.5, "good": 5.0})
    run = found["variants"][1]["runs"][2]
    run |= {"state": "failed", "why": "the loss ended in NaN", "figures": None}
    found["variants"][1]["figures"].pop()
    del scores["good", 2]
    found = summarised(found, scores)
    page, table = comparison_page(found, scores), as_markdown(found)
    for text in (page, table):
        assert "good: 2 of 3 seeds, 1 failed (2): the loss ended in NaN" in text
        assert "good: seed 2 has no pair, good failed: the loss ended in NaN" in text
    assert rows(found)[1]["runs"] == "2 of 3" and found["differences"][0]["seeds"] == [0, 1]
    lines = list(csv.DictReader(as_csv(found).splitlines()))
    assert (lines[1]["finished"], lines[1]["failed"], lines[1]["ap_seed2"]) == ("2", "1", "")


def test_costs_that_are_unknown_have_no_column_and_no_chart() -> None:
    found = results(["tca", "mlp"])
    assert "energy, J/step" not in rows(found)[0] and "peak memory, MiB" not in rows(found)[0]
    page = comparison_page(found)
    assert "AP against train step, ms" in page and "AP against GFLOP" not in page  # which is equal for both
    for variant in found["variants"]:
        variant |= dict.fromkeys(("train_ms", "score_ms", "score_rate"))
    found["load"] = None
    assert list(rows(found)[0])[-2:] == ["parameters", "GFLOP"]
    assert "train step" not in comparison_page(found)


def test_types_of_anomaly_have_the_mean_of_their_figures() -> None:
    found, scores = planted({"base": 1.5, "good": 5.0})
    page = comparison_page(found, scores)
    section = page[page.index('id="classes"') : page.index('id="scores"')]
    cells = [float(cell) for cell in re.findall(r">(\d\.\d{3})</td>", section)]
    means = [
        np.mean([scores[name, seed].figures["per_class"][kind]["ap"] for seed in range(3)])
        for name in ("base", "good")
        for kind in ("fight", "fire")
    ]
    assert cells == pytest.approx(means, abs=6e-4)


def test_menus_choose_the_video_and_the_two_variants(tmp_path: Path) -> None:
    found, scores = planted({"base": 1.5, "same": 1.5, "good": 5.0})
    path = tmp_path / "index.html"
    path.write_text(comparison_page(found, scores), "utf-8")
    shown = """[...document.querySelectorAll('#curves > div')].filter(e => e.clientHeight).map(e => [
        e.querySelector('figcaption').textContent,
        [...e.querySelectorAll('.legend li')].filter(e => e.clientWidth).map(e => e.textContent).join(),
        [...e.querySelectorAll('path.curve')].filter(e => e.getBoundingClientRect().width).length])"""
    choose = "((id, i) => {{ const e = document.getElementById(id); e.value = i; e.dispatchEvent(new Event('change'));"
    choose = choose.replace("{{", "{") + "})"
    with Chromium(390, 900) as browser:
        browser.open(path)
        titles = browser.run("[...document.querySelectorAll('#video option')].map(e => e.textContent)")
        assert len(titles) == 24 and browser.run(shown) == [[titles[0], "base,good", 2]]  # good: of the highest AP
        browser.run(f"{choose}('video', 7)")
        browser.run(f"{choose}('one', 1)")
        assert browser.run(shown) == [[titles[7], "same,good", 2]]
        browser.run("document.getElementById('two').focus()")
        browser.press("ArrowUp")
        assert browser.run(shown) == [[titles[7], "same", 1]]  # both the same
        assert browser.errors == [] and browser.requests == [path.as_uri()]


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
    page = comparison_page(*planted({f"{EVIL} {i}": 1.5 for i in range(7)}))
    path.write_text(page, "utf-8")
    check_fits(path)
    check_without_scripts(path, charts=5)
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
