"""Configs written before update rules and schedules were components are read as what they are now."""

from __future__ import annotations

from pathlib import Path

import pytest

from vadkit.graph.load import load_config
from vadkit.problems import VadkitError

GRAPH = "inputs: {rgb: b t 8}\nnodes: {score: {use: mlp_head, in: rgb}}\noutput: score\n"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("optimizer: {name: adam, lr: 0.1}", {"optimizer": {"use": "adam", "lr": 0.1}}),
        ("optimizer: {name: sgd, momentum: 0.8}", {"optimizer": {"use": "sgd", "args": {"momentum": 0.8}}}),
        (
            "schedule: {name: step, milestones: [2], gamma: 0.5, per: epoch}",
            {"schedule": {"use": "step", "per": "epoch", "args": {"milestones": [2], "gamma": 0.5}}},
        ),
        ("optimizer: {use: sgd, args: {momentum: 0.8}}", {"optimizer": {"use": "sgd", "args": {"momentum": 0.8}}}),
        ("optimizer: {use: sgd, name: adam}", {"optimizer": {"use": "sgd", "name": "adam"}}),
        ("optimizer: sgd", {"optimizer": "sgd"}),
        ("log: [jsonl, tensorboard]", {"log": ["tensorboard"]}),
    ],
)
def test_former_keys(written: str, read: dict[str, object], tmp_path: Path) -> None:
    (tmp_path / "g.yaml").write_text(f"{GRAPH}train: {{{written}}}\n")
    assert load_config(tmp_path / "g.yaml").data["train"] == read


def test_a_former_key_overrides_what_is_extended(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(f"{GRAPH}train: {{optimizer: {{use: adam, lr: 0.1}}}}\n")
    (tmp_path / "g.yaml").write_text("extends: base.yaml\ntrain: {optimizer: {name: sgd}}\n")
    assert load_config(tmp_path / "g.yaml").data["train"]["optimizer"] == {"use": "sgd", "lr": 0.1}


def test_places_stay_those_of_the_file(tmp_path: Path) -> None:
    import vadkit

    (tmp_path / "g.yaml").write_text(f"{GRAPH}train: {{optimizer: {{name: admm}}}}\n")
    with pytest.raises(VadkitError, match=r"g.yaml:4:27: unknown component 'admm'"):
        vadkit.build(str(tmp_path / "g.yaml"))
