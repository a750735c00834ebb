"""The table of all systems has every system and recipe, and operations are counted as their script says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import yaml
from narrow import NARROW, configs_of, narrowing, shortening
from step_operations import Count
from systems_table import chosen

from vadkit.graph.load import load_config
from vadkit.plugin_manager import own_configs
from vadkit.systems.card import read_cards

SPEC = Path(__file__).parents[2] / "benchmarks" / "specs" / "systems.yaml"
AGAIN = "run python benchmarks/systems_table.py --write"


def test_every_system_and_recipe_has_a_row() -> None:
    rows = yaml.safe_load(SPEC.read_text())["variants"].values()
    recipes = {Path(row["recipe"]).stem.removeprefix(NARROW) for row in rows if "recipe" in row}
    every = {path.stem for path in (own_configs() / "recipes").glob("*.yaml")}
    assert recipes == {name for name in every if not name.startswith("demo_")}, AGAIN  # the demo's are of no system
    graphs = {row["config"] for row in rows if "config" in row} | {g for name in recipes for g in configs_of(name)}
    missing = [card.name for card in read_cards([own_configs()]).values() if not graphs & set(card.graphs)]
    assert not missing, f"{AGAIN}: {missing}"


def test_widths_are_divided_and_bags_cut() -> None:
    config = load_config("lstc_stn_sht", (), [own_configs()]).data
    assert narrowing(config, 1) == []
    assert "inputs.rgb=b t 16 128" in narrowing(config, 16)
    assert shortening(config, 32) == ["data.sampler.args.parts=4"]  # of 7 snippets each
    assert shortening(load_config("pel4vad_xd", (), [own_configs()]).data, 32) == ["data.sampler.args.length=32"]


def test_columns_are_spread_or_repeated() -> None:
    assert chosen(3, 6).tolist() == [0, 2, 4]
    assert chosen(5, 2).tolist() == [0, 1, 0, 1, 0]
    assert np.array_equal(chosen(4, 4), np.arange(4))


def test_operations_are_counted_without_views_and_reads() -> None:
    x = torch.ones(4, 4)
    with Count() as count:
        y = x.t()[0].view(2, 2)  # views
        z = torch.empty(3)  # a buffer
        float((y + y).sum())  # two operations and a read
        z.zero_()
    assert (count.operations, count.reads) == (3, 1)
