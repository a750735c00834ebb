"""What a run measures: the graphs, and the points of the grid, the most wanted ones first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from vadkit.plugin_manager import Plugins
from vadkit.systems.card import read_cards

MODES = ("eager", "compiled", "captured")
SNIPPETS = 200  # of a bag, for a graph whose data have no fixed length
LARGEST = 40 << 20  # numbers in the inputs of one batch


@dataclass(frozen=True)
class Point:
    """One batch of one graph; ``snippets`` None is the length that the graph trains with."""

    graph: str
    bags: int
    snippets: int | None
    precision: str
    mode: str


@dataclass(frozen=True)
class Grid:
    """Sizes, precisions and modes, each combined with all others."""

    bags: Sequence[int]
    snippets: Sequence[int | None]
    precisions: Sequence[str]
    modes: Sequence[str]

    def points(self, graphs: Iterable[str]) -> Iterator[Point]:
        """Yield the first sizes of all graphs, then the next ones."""
        graphs = list(graphs)
        for bags, snippets, precision, mode in product(self.bags, self.snippets, self.precisions, self.modes):
            for graph in graphs:
                yield Point(graph, bags, snippets, precision, mode)


def graphs_of(names: Sequence[str], plugins: Plugins, restated: Iterable[str]) -> list[str]:
    """Return the graphs that systems stand for; all systems if there are no names. Another name is a graph's or a file.

    A system stands for its largest graph (the first where no count is published), and for the largest of those with
    a restatement.
    """
    cards, restated = read_cards(plugins.config_folders), set(restated)
    found: list[str] = []
    for name in names or cards:
        if name not in cards:
            found.append(name)
            continue
        by_size = sorted(cards[name].graphs.items(), key=lambda item: -(item[1].parameters or 0))
        found.append(by_size[0][0])
        found += [graph for graph, _ in by_size if graph in restated][:1]
    return list(dict.fromkeys(found))


def length_of(spec: dict[str, Any]) -> int:
    """Return how many snippets of a video a graph trains with."""
    sampler = (spec.get("data") or {}).get("sampler") or {}
    length = (sampler.get("args") or {}).get("length")
    return length if isinstance(length, int) and length > 0 else SNIPPETS
