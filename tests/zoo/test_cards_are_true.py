"""What the cards of all systems state is true of their graphs: counts, quirks and their switches, names."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from vadkit.graph.compiler import compile_plan
from vadkit.graph.cost import parameters
from vadkit.graph.load import load_config
from vadkit.graph.module import without_weights
from vadkit.graph.plan import Plan
from vadkit.plugin_manager import load_plugins, own_configs
from vadkit.systems.card import read_cards
from vadkit.systems.names_table import Names, read_names

CARDS = read_cards([own_configs()])
GRAPHS = {graph: card for card in CARDS.values() for graph in card.graphs}
SWITCHES = [
    (card.name, graph, number)
    for card in CARDS.values()
    for number, quirk in enumerate(card.quirks)
    for graph in (quirk.graphs or list(card.graphs)[:1])
    if quirk.switch
]


@cache
def plan(graph: str, sets: tuple[str, ...] = ()) -> Plan:
    plugins = load_plugins()
    return compile_plan(load_config(graph, sets, [own_configs()]), plugins)


@cache
def names(card: str) -> Names:
    components = load_plugins().components
    return read_names(own_configs() / "names" / f"{CARDS[card].names}.txt", components.find, components.names())


@pytest.mark.parametrize("graph", GRAPHS)
def test_parameters_are_those_of_the_authors_but_for_unused_ones(graph: str) -> None:
    facts = GRAPHS[graph].graphs[graph]
    assert parameters(without_weights(plan(graph, facts.set))) + facts.unused == facts.parameters


@pytest.mark.parametrize("graph", GRAPHS)
def test_each_weight_has_an_official_name(graph: str) -> None:
    table = names(GRAPHS[graph].name)
    nameless = [own for own in plan(graph).weights.tensors if table.official(own) is None]
    assert not nameless, f"no line of the table gives {nameless}"


@pytest.mark.parametrize(("card", "graph", "quirk"), SWITCHES)
def test_each_quirk_can_be_switched_off(card: str, graph: str, quirk: int) -> None:
    assert plan(graph, CARDS[card].quirks[quirk].switch).spec != plan(graph).spec


@pytest.mark.parametrize("folder", sorted((own_configs() / "graphs").iterdir()), ids=lambda folder: folder.name)
def test_each_graph_of_a_system_is_on_its_card(folder: Path) -> None:
    assert folder.name in CARDS, f"{folder.name} has no card"
    assert {path.stem for path in folder.glob("*.yaml")} == set(CARDS[folder.name].graphs)
