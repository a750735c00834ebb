"""What the cards of all systems state is true of their graphs: counts, quirks and their switches, names."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from vadkit.graph.compiler import compile_plan
from vadkit.graph.cost import parameters
from vadkit.graph.load import load_config
from vadkit.graph.module import without_weights
from vadkit.graph.plan import Plan
from vadkit.plugin_manager import load_plugins, own_configs
from vadkit.systems.book import read_book
from vadkit.systems.card import read_cards
from vadkit.systems.names_table import Names, read_names

FORMULAS = Path(__file__).parents[1] / "formulas"
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
    return read_names(CARDS[card].names_file, components.find, components.names())


COUNTED = [graph for graph, card in GRAPHS.items() if card.graphs[graph].parameters is not None]
CHECKED = [graph for graph, card in GRAPHS.items() if card.names_file.is_file()]
ALTERNATIVES = [
    (card.name, graph, block.block)
    for card in CARDS.values()
    for block in card.blocks
    for graph in (block.graphs or list(card.graphs)[:1])
    if block.switch
]


@pytest.mark.parametrize("graph", COUNTED)
def test_parameters_are_those_of_the_authors_but_for_unused_ones(graph: str) -> None:
    facts = GRAPHS[graph].graphs[graph]
    assert parameters(without_weights(plan(graph, facts.set))) + facts.unused == facts.parameters


@pytest.mark.parametrize("card", CARDS)
def test_only_what_was_compared_with_code_is_called_equal_to_it(card: str) -> None:
    """Whoever claims it has a table of the authors' names and their count; whoever does not, says block by block."""
    for graph, facts in CARDS[card].graphs.items():
        if facts.fidelity in ("official", "code"):
            assert graph in COUNTED and graph in CHECKED
        else:
            assert CARDS[card].blocks or CARDS[card].guesses


@pytest.mark.parametrize("graph", CHECKED)
def test_each_weight_has_an_official_name(graph: str) -> None:
    table = names(GRAPHS[graph].name)
    nameless = [own for own in plan(graph).weights.tensors if table.official(own) is None]
    assert not nameless, f"no line of the table gives {nameless}"


@pytest.mark.parametrize(("card", "graph", "quirk"), SWITCHES)
def test_each_quirk_can_be_switched_off(card: str, graph: str, quirk: int) -> None:
    assert plan(graph, CARDS[card].quirks[quirk].switch).spec != plan(graph).spec


@pytest.mark.parametrize(("card", "graph", "block"), ALTERNATIVES)
def test_each_alternative_builds(card: str, graph: str, block: str) -> None:
    found = next(item for item in CARDS[card].blocks if item.block == block)
    assert plan(graph, found.switch).spec != plan(graph).spec


def test_a_published_figure_is_of_a_graph_or_the_card_says_why_not() -> None:
    """A graph ends, or goes on after, with the short name of its data set, as does the name of a result."""
    book = read_book([own_configs()])
    loose = [
        entry.result.name
        for card in CARDS.values()
        for entry in book.entries.get(card.name, ())
        if entry.result.kind == "published" and entry.graph is None and "graph" not in (entry.remark or "")
        if any(f"_{part}_" in f"{graph}_" for graph in card.graphs for part in entry.result.name.split("_")[1:-1])
    ]
    assert not loose, f"give the graph, or the reason, in the card's 'published': {loose}"


def test_each_certain_block_is_tested_against_a_second_formula() -> None:
    certain = {(card.name, b.block) for card in CARDS.values() for b in card.blocks if b.standing == "certain"}
    files = sorted(FORMULAS.glob("test_*.py"))
    tested = {mark for file in files for mark in formulas_tested(ast.parse(file.read_text("utf-8")))}
    assert certain <= tested, f"no test in tests/formulas of {sorted(certain - tested)}"
    assert tested <= {(card.name, block.block) for card in CARDS.values() for block in card.blocks}


def formulas_tested(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield system and block of each test that is marked ``formula(system, block)``."""
    for function in ast.walk(tree):
        for mark in function.decorator_list if isinstance(function, ast.FunctionDef) else ():
            if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.formula":
                system, *blocks = (ast.literal_eval(argument) for argument in mark.args)
                yield from ((system, block) for block in blocks)


@pytest.mark.parametrize("folder", sorted((own_configs() / "graphs").iterdir()), ids=lambda folder: folder.name)
def test_each_graph_of_a_system_is_on_its_card(folder: Path) -> None:
    assert folder.name in CARDS, f"{folder.name} has no card"
    assert {path.stem for path in folder.glob("*.yaml")} == set(CARDS[folder.name].graphs)
