"""Fidelity is claimed for a graph that equals the published one, and for no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from vadkit.cli import main
from vadkit.graph.load import load_config
from vadkit.plugin_manager import own_configs
from vadkit.systems.card import read_cards
from vadkit.systems.standing import standing

FOLDERS = [own_configs()]


def said(config: str, *sets: str) -> str | None:
    found = standing(load_config(config, sets, FOLDERS), read_cards(FOLDERS), FOLDERS)
    return None if found is None else str(found)


@pytest.mark.parametrize(
    ("sets", "words"),
    [
        ((), "ur_dmu, fidelity: code"),
        (("data.args.root=STORE", "about=mine"), "ur_dmu, fidelity: code"),
        (("nodes.attention.args.depth=1",), "changed from ur_dmu_xd (nodes)"),
        (("losses.mil.args.normal_k=one", "train.steps=5"), "changed from ur_dmu_xd (losses, train)"),
        (("eval.metric=auc",), "changed from ur_dmu_xd (eval)"),
        (("inputs.rgb=b t 8",), "changed from ur_dmu_xd (inputs)"),
    ],
)
def test_a_change_takes_the_claim_away(sets: tuple[str, ...], words: str) -> None:
    assert said("ur_dmu_xd", *sets) == words


def test_a_graph_that_extends_another_has_its_own_claim() -> None:
    assert said("ur_dmu_ucf") == "ur_dmu, fidelity: code"


def test_a_file_that_extends_a_graph(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("extends: ur_dmu_xd\ndata: {args: {root: STORE}}\n")
    assert said(str(file)) == "ur_dmu, fidelity: code"
    file.write_text("extends: ur_dmu_xd\nnodes: {score: {args: {hidden: [64]}}}\n")
    assert said(str(file)) == "changed from ur_dmu_xd (nodes)"


def test_a_graph_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("inputs: {rgb: b t 8}\nnodes: {score: {use: mlp_head, in: rgb}}\noutput: score\n")
    assert said(str(file)) is None


def test_the_command_line_says_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "ur_dmu_xd", "--set", "nodes.attention.args.depth=1"]) == 0
    assert capsys.readouterr().out.endswith("system changed from ur_dmu_xd (nodes)\n")
    assert main(["info", "ur_dmu_xd"]) == 0
    assert "\nsystem: ur_dmu, fidelity: code\n" in capsys.readouterr().out
