"""Each row of the paper's tables, and each system that its text names, is found in ``vadkit models list --json``."""

from __future__ import annotations

import json
from typing import Any

import pytest
from quick_costs import quick_costs

from vadkit.cli import book_rows, main
from vadkit.plugin_manager import configs_in, own_configs

# The names of Tables 3 and 4 and of the text, with the modalities of a row where its name has several.
NAMES: list[tuple[str, str]] = [
    ("Table 3: HL-Net", "rgb+audio"),
    ("Table 3: Pang et al.", "rgb+audio"),
    ("Table 3: ACF", "rgb+audio"),
    ("Table 3: MSAF", "rgb+audio"),
    ("Table 3: CUPL", ""),
    ("Table 3: MACIL-SD (Light)", "rgb+audio"),
    ("Table 3: CMA-LA", "rgb+audio"),
    ("Table 3: MACIL-SD (Full)", "rgb+audio"),
    ("Table 3: MACIL-SD (Light)", "rgb+flow"),
    ("Table 3: MACIL-SD (Full)", "rgb+flow"),
    ("Table 3: MACIL-SD (Light)", "flow+audio"),
    ("Table 3: MACIL-SD (Full)", "flow+audio"),
    ("Table 3: Wu et al.", "flow+audio"),
    ("Table 3: Wu et al.", "rgb+flow+audio"),
    ("Table 3: Xiao et al.", "rgb+flow+audio"),
    ("Table 3: MSBT", "flow+audio"),
    ("Table 3: MSBT", "rgb+flow"),
    ("Table 3: MSBT", "rgb+audio"),
    ("Table 3: MSBT", "rgb+flow+audio"),
    ("Table 3: Shin et al.", "rgb"),
    ("Table 3: proposed", "rgb+flow+audio"),
    *((f"Table 4: {name}", "") for name in (
        "Yu et al.", "Gong et al.", "Majhi et al.", "Park et al., C3D", "Park et al., I3D", "Pu et al.", "Lv et al.",
        "Sun et al., C3D", "Sun et al., I3D", "Wang et al.", "Sharif et al.", "Shin et al.", "proposed",
    )),
    *((f"text: {name}", "") for name in (
        "Sultani et al.", "Tian et al.", "Zhang et al.", "Zhong et al.", "Zhu et al.",
        "Zhou et al. (BatchNorm-WVAD)", "UR-DMU", "Shao et al.", "Joo et al. (CLIP-TSA)", "MGFN",
    )),
]  # fmt: skip
ROWS = [f"Table 1: row {number}, config table1_row{number}" for number in range(1, 8)]


@pytest.fixture(scope="module")
def listed() -> list[dict[str, Any]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(book_rows, "snippet_costs", quick_costs)
        shown: list[str] = []
        patch.setattr("builtins.print", lambda text: shown.append(text))
        assert main(["models", "list", "--json"]) == 0
    entries: list[dict[str, Any]] = json.loads(shown[0])
    return entries


def test_every_name_is_found(listed: list[dict[str, Any]]) -> None:
    def found(name: str, modalities: str) -> bool:
        own = [entry for entry in listed if name in entry["cited_as"]]
        return any(modalities in ("", "+".join(entry["modalities"])) for entry in own)

    assert [pair for pair in [*NAMES, *((row, "") for row in ROWS)] if not found(*pair)] == []


def test_there_are_as_many_as_the_paper_has(listed: list[dict[str, Any]]) -> None:
    assert [sum(name.startswith(part) for name, _ in NAMES) for part in ("Table 3", "Table 4", "text")] == [21, 13, 10]
    systems = {entry["system"] for entry in listed}
    assert len(systems) >= 34
    for entry in listed:
        assert entry["card"] and entry["fidelity"] and entry["graph"]


def test_the_rows_of_table_1_are_configs() -> None:
    configs = {path.stem for path in configs_in([own_configs()])}
    assert {row.rpartition(" ")[2] for row in ROWS} <= configs


def test_a_card_cites_only_names_of_the_paper(listed: list[dict[str, Any]]) -> None:
    assert {name for entry in listed for name in entry["cited_as"]} <= {*(name for name, _ in NAMES), *ROWS}
