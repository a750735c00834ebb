"""Results: what is said of a wrong file, and that those that come with vadkit are where they say.

``python tests/systems/test_results.py`` rewrites the .txt files of wrong_results; read the diff before you commit.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from vadkit.plugin_manager import own_configs
from vadkit.problems import VadkitError
from vadkit.systems.book import Book, Column, Entry, columns, lists, make_book, read_book
from vadkit.systems.card import Card, GraphFacts, Reference
from vadkit.systems.result import Record, Result, Source, read_result, result_files

HERE = Path(__file__).parent
WRONG = sorted((HERE / "wrong_results").glob("*/*.yaml"))
UNKNOWN = dict.fromkeys(("selection", "length", "crops", "smoothing", "decision_period"), "unknown")
SOURCE = Source("a paper", "Table 2, row 9", "own_source")
RECORD = Record("e6082b9", (0, 1), "rendered", "CPU", "36 videos", "results.json", spread=0.4)
DATA_SETS = {"xd": "XD-Violence", "ucf": "UCF-Crime", "sht": "ShanghaiTech"}


def outcome(path: Path) -> str:
    with pytest.raises(VadkitError) as error:
        read_result(path)
    return str(error.value).replace(f"{path.parent}/", "") + "\n"


@pytest.mark.parametrize("path", WRONG, ids=lambda path: path.stem)
def test_what_is_wrong_is_said_at_its_place(path: Path) -> None:
    assert outcome(path) == path.with_suffix(".txt").read_text()


def result(name: str = "O1_xd_ap", **values: Any) -> Result:
    facts: dict[str, Any] = {
        "system": "x", "dataset": "XD-Violence", "modalities": ["rgb"], "metric": "ap", "figure": 81.66,
        "unit": "percent", "level": "frame", "supervision": "video", "protocol": UNKNOWN,
    }  # fmt: skip
    origin = {} if "record" in values else {"source": SOURCE}
    return Result(name, **{**facts, **origin, **values})


def card(*published: Reference) -> Card:
    graphs = {"x_xd": GraphFacts("code"), "x_ucf": GraphFacts("code")}
    return Card("x", Path("x.yaml"), "X", "Y, 2020", graphs, "x", "frame", "video", "crops", published=published)


def test_figures_are_shown_in_percent() -> None:
    measured = result(figure=0.25, unit="fraction", record=Record(*"abcdef", spread=0.01, floors={"chance": 0.2}))
    assert (measured.percent, measured.spread, measured.floors) == (25, 1, {"chance": 20})


PLANTED = {
    "levels": (result(), result("O3_xd_ap", level="video")),
    "published and measured": (result(), result("demo_ap", record=RECORD, graph="x_xd")),
    "metrics": (result(), result("O2_xd_auc", metric="auc")),
    "data sets": (result(), result("O2_ucf_ap", dataset="UCF-Crime")),
}


@pytest.mark.parametrize(("what", "pair"), PLANTED.items(), ids=PLANTED)
def test_a_column_does_not_mix(what: str, pair: tuple[Result, Result]) -> None:
    entries = [Entry(r) for r in pair]
    with pytest.raises(VadkitError, match=f"one column cannot mix {what}: x/O1_xd_ap \\("):
        Column(entries)
    assert len(columns(entries)) == 2
    assert Column(entries[:1]).cell("x", "x_xd") == []


def test_a_list_of_figures_does_not_mix_levels_or_kinds() -> None:
    planted = [*dict.fromkeys(r.name for pair in PLANTED.values() for r in pair)]
    found = lists(Entry(r) for pair in PLANTED.values() for r in pair[1:])
    assert [(kind, level) for kind, level, _ in found] == [
        ("published", "frame"), ("published", "video"), ("measured", "frame")
    ]  # fmt: skip
    assert len(planted) == 1 + sum(len(own) for _, _, own in found)


def test_a_card_says_which_graph_a_published_figure_is_of() -> None:
    results = [result("O1_xd_ap"), result("O1_ucf_auc"), result("O2_xd_ap"), result("O10_xd_ap")]
    references = Reference("O1", protocol="of others"), Reference("O1_ucf_auc", "x_ucf"), Reference("O2", "x_xd")
    found = make_book({"x": card(*references)}, results).entries["x"]
    assert [(e.graph, e.remark) for e in found] == [
        (None, "of others"), ("x_ucf", None), ("x_xd", None), (None, None)
    ]  # fmt: skip


def test_a_reference_to_no_result() -> None:
    for results in ([result("O1_xd_ap")], []):
        with pytest.raises(VadkitError, match="unknown result 'O2' of 'x' in x.yaml"):
            make_book({"x": card(Reference("O2"))}, results)


def test_the_authors_own_figure_comes_first() -> None:
    quoted = result("T1_xd_ap", source=Source("a", "b", "quoted_by_seed"))
    whole = card(Reference("T1", "x_xd"), Reference("O1", "x_xd"))
    column = Column(make_book({"x": whole}, [quoted, result()]).entries["x"])
    assert [entry.result.name for entry in column.cell("x", "x_xd")] == ["O1_xd_ap", "T1_xd_ap"]
    assert column.title == "XD-Violence AP, frame level, published"


# -- the results that come with vadkit -------------------------------------------------------------
@pytest.fixture(scope="module")
def book() -> Book:
    return read_book([own_configs()])


def test_every_figure_has_one_origin(book: Book) -> None:
    kinds = Counter(entry.result.kind for entries in book.entries.values() for entry in entries)
    assert kinds["published"] >= 103
    assert len(result_files([own_configs()])) == kinds.total()


def test_no_column_mixes(book: Book) -> None:
    found = columns(entry for entries in book.entries.values() for entry in entries)
    assert len({column.key for column in found}) == len(found) > 8


def test_a_graph_is_of_the_data_set_of_its_figures(book: Book) -> None:
    for entries in book.entries.values():
        for entry in (e for e in entries if e.graph and e.result.source):
            sets = {DATA_SETS[part] for part in re.split("_", entry.graph or "") if part in DATA_SETS}
            assert sets == {entry.result.dataset}, f"{entry.result.system}/{entry.result.name}: {entry.graph}"


if __name__ == "__main__":
    for wrong in WRONG:
        wrong.with_suffix(".txt").write_text(outcome(wrong))
