"""The page of the results book, from files alone: columns that do not mix, filters, sorting, cards, any screen."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from chromium import Chromium
from page_checks import check_fits, check_print, check_without_scripts
from quick_costs import quick_costs

from vadkit.cli import book_rows, main
from vadkit.cli.book_page import book_page
from vadkit.systems.book import make_book
from vadkit.systems.card import Block, Card, GraphFacts, Quirk, Reference
from vadkit.systems.result import Record, Result, Source

EVIL = "<b>bold</b> & <script>alert(1)</script>"
GRAPHS = {"hl_net_xd": "official", "ur_dmu_xd": "code", "ur_dmu_ucf": "code", "bn_wvad_xd": "code"}
PROTOCOL = {"selection": "last", "length": "native", "crops": "mean", "smoothing": "none", "decision_period": "unknown"}
VISIBLE = """[...document.querySelectorAll('.book tbody tr')].filter(r => !r.hidden)
    .map(r => r.cells[0].innerText.split('\\n')[0])"""
HEADS = """[...document.querySelectorAll('.book thead tr:nth-child(2) th')].filter(h => !h.hidden && h.dataset.kind)
    .map(h => [h.dataset.kind, h.innerText.replace(/\\s+/g, ' ').trim()].join(': '))"""


def card(name: str, *graphs: str, level: str = "frame") -> Card:
    block = Block("gate", f"a sigmoid {EVIL}", "guess", switch=("nodes.gate.args.kind=softmax",))
    return Card(
        name, Path(f"{name}.yaml"), f"System {name}", EVIL, {g: GraphFacts(GRAPHS[g]) for g in graphs}, name, level,
        "video", "crops averaged", blocks=[block], quirks=[Quirk("an odd sum", ("losses.a.args.b=true",))],
        published=[Reference(f"{graph}_p", graph) for graph in graphs],
    )  # fmt: skip


def published(system: str, graph: str, figure: float, level: str = "frame", dataset: str = "XD-Violence") -> Result:
    facts = (dataset, ["rgb"], "ap", figure, "percent", level, "video", PROTOCOL)
    return Result(f"{graph}_p", system, *facts, source=Source("A paper", "Table 1", "own_source"))


def measured(system: str, graph: str, figure: float, changed: tuple[str, ...] = ("data",)) -> Result:
    runs = Record("0123", (0, 1), "i3d", "CPU", "9 videos", "r.json", spread=0.01, changed=changed,
                  floors={"label_only": 0.3})  # fmt: skip
    facts = ("Demo", ["rgb"], "ap", figure, "fraction", "frame", "video", PROTOCOL)
    return Result(f"{graph}_m{figure}", system, *facts, record=runs, graph=graph)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cards = [card("hl_net", "hl_net_xd"), card("ur_dmu", "ur_dmu_xd", "ur_dmu_ucf"),
             card("bn_wvad", "bn_wvad_xd", level="video")]  # fmt: skip
    results = [
        published("hl_net", "hl_net_xd", 78.6), published("ur_dmu", "ur_dmu_xd", 81.7),
        published("ur_dmu", "ur_dmu_ucf", 86.9, dataset="UCF-Crime"), published("bn_wvad", "bn_wvad_xd", 91, "video"),
        published("later", "later", 80.0), measured("hl_net", "hl_net_xd", 0.5),
        *(measured("ur_dmu", "ur_dmu_xd", figure, ("nodes",)) for figure in (0.6, 0.7)),
    ]  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(book_rows, "snippet_costs", quick_costs)
        text = book_page(make_book({c.name: c for c in cards}, results))
    path = tmp_path_factory.mktemp("book") / "book.html"
    path.write_text(text)
    return path


def test_what_a_file_says_is_text(page: Path) -> None:
    text = page.read_text()
    assert EVIL not in text and "&lt;b&gt;bold&lt;/b&gt;" in text
    assert not re.search(r"(src|href)=\"(?!#|data:)", text)
    assert "label only 30.00" in text and "2 variants" in text and "50.00 \u00b1 1.00" in text
    assert "r.json, commit 0123, seeds 0, 1, CPU" in text and "Table 1 of: A paper" in text


def test_sorting_and_filters(page: Path) -> None:
    with Chromium(1280, 900) as browser:
        browser.open(page)
        assert browser.requests == [] or all(url.startswith("file:") for url in browser.requests)
        assert browser.run(HEADS) == [
            "published: UCF-Crime AP frame level", "published: XD-Violence AP frame level",
            "published: XD-Violence AP video level", "measured: Demo AP frame level",
        ]  # fmt: skip
        browser.run("document.querySelectorAll('.book button')[7].click()")  # the second published column
        assert browser.run(VISIBLE)[:3] == ["ur_dmu_xd", "no graph here", "hl_net_xd"]
        browser.run("document.querySelectorAll('.book button')[7].click()")
        assert browser.run(VISIBLE)[:3] == ["hl_net_xd", "no graph here", "ur_dmu_xd"]
        choose(browser, "dataset", "UCF-Crime")
        assert browser.run(VISIBLE) == ["ur_dmu_ucf"]
        assert browser.run(HEADS) == ["published: UCF-Crime AP frame level"]
        choose(browser, "dataset", "")
        choose(browser, "level", "video")
        assert browser.run(VISIBLE) == ["bn_wvad_xd"]
        assert browser.run(HEADS) == ["published: XD-Violence AP video level"]
        choose(browser, "level", "")
        choose(browser, "fidelity", "official")
        choose(browser, "modality", "audio")
        assert browser.run(VISIBLE) == ["hl_net_xd"]
        assert browser.errors == []


def choose(browser: Chromium, menu: str, choice: str) -> None:
    browser.run(
        f"(m => {{ m.value = '{choice}'; m.dispatchEvent(new Event('change')) }})(document.getElementById('{menu}'))"
    )


def test_a_card_is_one_click_away(page: Path) -> None:
    with Chromium(390, 900) as browser:
        browser.open(page)
        shown = "document.getElementById('system-ur_dmu').open"
        assert browser.run(shown) is False
        browser.run("document.querySelector('a[href=\"#system-ur_dmu\"]').click()")
        assert browser.run(f"new Promise(done => setTimeout(() => done({shown}), 100))") is True
        text = browser.run("document.getElementById('system-ur_dmu').innerText")
        assert "--set nodes.gate.args.kind=softmax" in text and "an odd sum" in text and "own source" in text


def test_the_page_on_paper(page: Path) -> None:
    check_print(page)


def test_the_book_that_comes_with_vadkit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(book_rows, "snippet_costs", quick_costs)
    out = tmp_path / "models.html"
    assert main(["models", "page", "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"wrote {out}\n"
    text = out.read_text()
    assert text.count("<details") >= 20 and text.count('<figure class="chart"') >= 4
    check_fits(out)
    check_without_scripts(out, charts=4)
    assert main(["models", "page", "--out", str(tmp_path / "models.txt")]) == 2
    assert "--out must be a file that ends in .html" in capsys.readouterr().err
    out.write_text("mine")
    assert main(["models", "page", "--out", str(out)]) == 2
    assert out.read_text() == "mine"
