"""Cards of systems: what is said of a wrong one, and that those that come with vadkit are true."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from vadkit.cli import book_rows, graph_costs, main
from vadkit.problems import VadkitError
from vadkit.systems.card import find_card, read_card, read_cards

CARD: dict[str, Any] = {
    "title": "X",
    "paper": "Y, 2020",
    "graphs": {"x_xd": {"fidelity": "code", "parameters": 5, "unused": 2}},
    "level": "frame",
    "supervision": "video",
    "protocol": "crops averaged",
    "quirks": [{"what": "q", "switch": "losses.mil.args.a=false"}],
    "published": [{"id": "O1", "protocol": "of others"}],
}


def written(folder: Path, card: Any, name: str = "x") -> Path:
    (folder / "systems").mkdir(exist_ok=True)
    path = folder / "systems" / f"{name}.yaml"
    path.write_text(card if isinstance(card, str) else yaml.safe_dump(card, sort_keys=False))
    return path


def changed(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in {**CARD, **values}.items() if value is not None}


def test_a_card_is_read(tmp_path: Path) -> None:
    card = read_card(written(tmp_path, CARD))
    assert (card.name, card.names) == ("x", "x")
    assert card.graphs["x_xd"].ours == 3
    assert card.quirks[0].switch == ("losses.mil.args.a=false",)
    assert (card.published[0].id, card.published[0].protocol) == ("O1", "of others")


WRONG: dict[str, tuple[Any, str]] = {
    "a key that is misspelt": (changed(titel="X"), ":17:1: unknown key 'titel' in a card\n    titel: X\n"),
    "the nearest key": (changed(titel="X"), "did you mean 'title'?"),
    "no title": (changed(title=None), "a card needs 'title': what the system is called"),
    "no graph": (changed(graphs={}), "graphs must be a mapping from graph to its facts, got a mapping"),
    "a fidelity of no kind": (
        changed(graphs={"x": {"fidelity": "exact", "parameters": 1}}),
        ":5:15: graphs.x.fidelity must be one of official, code, paper, reconstruction, ours, got the text 'exact'",
    ),
    "a block without a standing": (changed(blocks=[{"block": "a", "what": "b"}]), "blocks.0 needs 'standing'"),
    "a certain block without a source": (
        changed(blocks=[{"block": "a", "what": "b", "standing": "certain"}]),
        "blocks.0 is certain, but has no 'source'",
    ),
    "two blocks of one name": (
        changed(blocks=[{"block": "a", "what": text, "standing": "guess"} for text in "bc"]),
        "there are two blocks 'a'",
    ),
    "more unused than there are": (
        changed(graphs={"x": {"fidelity": "code", "parameters": 1, "unused": 2}}, quirks=None, published=None),
        "graphs.x: more parameters are unused than there are",
    ),
    "a level of no kind": (changed(level="pixel"), "level must be one of frame, video, event, got the text 'pixel'"),
    "supervision of no kind": (changed(supervision="full"), "supervision must be one of video, glance, none"),
    "a quirk that is text": (changed(quirks=["q"]), "quirks.0 must be a mapping with what, switch, graphs"),
    "a quirk of another graph": (
        changed(quirks=[{"what": "q", "graphs": ["x_dx"]}]),
        "unknown graph 'x_dx' of this card",
    ),
    "a figure without an id": (changed(published=[{"graph": "x_xd"}]), "published.0 needs 'id'"),
    "a figure of another graph": (changed(published=[{"id": "a", "graph": "y"}]), "unknown graph 'y' of this card"),
    "a list": ("- a\n", ":1:1: a card is a mapping of keys to values: title, paper"),
    "nothing": ("", "a card is a mapping of keys to values"),
    "no YAML": ("a: [", "x.yaml:"),
    "a key twice": ("title: a\ntitle: b\n", "x.yaml:2:1: "),
    "too much": ("#" * 70_000, "has 70,000 bytes; a card has at most 65,536"),
}


@pytest.mark.parametrize(("card", "words"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said_at_its_place(tmp_path: Path, card: Any, words: str) -> None:
    with pytest.raises(VadkitError) as error:
        read_card(written(tmp_path, card))
    assert words in str(error.value)


def test_what_no_code_settles_is_stated_block_by_block(tmp_path: Path) -> None:
    block = {"block": "gate", "what": "a sigmoid", "standing": "guess", "switch": "nodes.gate.args.kind=softmax"}
    card = read_card(written(tmp_path, changed(graphs={"x_xd": {"fidelity": "paper"}}, blocks=[block])))
    assert card.graphs["x_xd"].parameters is None and not card.names_file.exists()
    assert card.blocks[0].switch == ("nodes.gate.args.kind=softmax",)


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    with pytest.raises(VadkitError) as error:
        read_card(written(tmp_path, changed(level="a", supervision="b", title=7)))
    assert len(error.value.problems) == 3


def test_a_graph_is_of_one_system(tmp_path: Path) -> None:
    written(tmp_path, CARD)
    written(tmp_path, CARD, "y")
    with pytest.raises(VadkitError, match="graph 'x_xd' is in two cards"):
        read_cards([tmp_path])


def test_two_cards_of_one_name(tmp_path: Path) -> None:
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        written(folder, CARD)
    with pytest.raises(VadkitError, match="there are two cards 'x'"):
        read_cards([tmp_path / "a", tmp_path / "b"])


def test_a_system_that_is_not_there(tmp_path: Path) -> None:
    written(tmp_path, CARD)
    with pytest.raises(VadkitError, match="'x_xd' is a graph, not a system\n  hint: its system is 'x'"):
        find_card([tmp_path], "x_xd")
    with pytest.raises(VadkitError, match="unknown system 'xx'"):
        find_card([tmp_path], "xx")


def test_a_system_is_shown_without_torch_once_its_operations_were_counted(tmp_path: Path) -> None:
    code = "import sys; from vadkit.cli import main; main(['models', 'info', 'ur_dmu']); print('torch' in sys.modules)"
    env = {"XDG_CACHE_HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "VADKIT_PLUGINS": ""}
    command = [sys.executable, "-c", code]
    first, second = (
        subprocess.run(command, capture_output=True, text=True, timeout=300, env=env, check=True).stdout
        for _ in range(2)
    )
    assert first.removesuffix("True\n") == second.removesuffix("False\n")
    assert "--set nodes.attention.args.normalise=row" in second


def test_all_systems_are_listed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    counts = {
        "ur_dmu_xd": graph_costs.Cost(6_492_929, 2e6, "", ["rgb"], "xd_violence"),
        "ur_dmu_ucf": graph_costs.Cost(None, None, "no plugin"),
    }
    other = graph_costs.Cost(1, 1.0)
    monkeypatch.setattr(book_rows, "snippet_costs", lambda graphs: {g: counts.get(g, other) for g in graphs})
    assert main(["models", "list"]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"\nur_dmu +UR-DMU +ur_dmu_xd +code +rgb +6,492,929 +2.0\n", shown)
    assert "\nur_dmu_ucf: no plugin\n" in shown
    assert main(["models", "list", "--json"]) == 0
    entries = {entry["graph"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert entries["ur_dmu_xd"]["flops_per_snippet"] == 2e6
    assert entries["ur_dmu_ucf"]["flops_per_snippet"] is None


def test_cards_are_no_configs(tmp_path: Path) -> None:
    from vadkit.graph.load import load_config
    from vadkit.plugin_manager import configs_in

    written(tmp_path, CARD)
    assert configs_in([tmp_path]) == []
    with pytest.raises(VadkitError, match="it is a system of several graphs: see 'vadkit models info x'"):
        load_config("x", (), [tmp_path])
