"""Whether a config is a published system, was changed from one, or is neither: fidelity is claimed for equals only."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vadkit.graph.load import load_config
from vadkit.graph.source import Source
from vadkit.plugin_manager import configs_in
from vadkit.systems.card import Card

SECTIONS = ("inputs", "nodes", "losses", "output", "data", "train", "eval")


@dataclass(frozen=True)
class Standing:
    """A config's graph of a card, and the sections in which it differs from it."""

    card: Card
    graph: str
    changed: tuple[str, ...] = ()

    @property
    def fidelity(self) -> str | None:
        """The fidelity of the graph; None for a changed one."""
        return None if self.changed else self.card.graphs[self.graph].fidelity

    def __str__(self) -> str:
        if self.changed:
            return f"changed from {self.graph} ({', '.join(self.changed)})"
        return f"{self.card.name}, fidelity: {self.fidelity}"


def standing(source: Source, cards: Mapping[str, Card], folders: Sequence[Path]) -> Standing | None:
    """Return the standing of a config that was read, or None if it has nothing of a published system.

    The path of a store does not matter, nor what a config says about itself.
    """
    owners = {graph: card for card in cards.values() for graph in card.graphs}
    shipped = {os.path.realpath(path): path.stem for path in configs_in(folders) if path.stem in owners}
    named = [shipped[real] for real in map(os.path.realpath, source.files) if real in shipped]
    if not named:
        return None
    graph = named[0]
    original = load_config(graph, (), folders).data
    changed = [key for key in SECTIONS if _plain(source.data.get(key)) != _plain(original.get(key))]
    return Standing(owners[graph], graph, tuple(changed))


def _plain(section: Any) -> Any:
    """Return a section without the path of its store and without keys that say nothing."""
    if not isinstance(section, dict):
        return section
    found = {key: _plain(value) for key, value in section.items() if value is not None}
    if isinstance(found.get("args"), dict):
        found["args"] = {key: value for key, value in found["args"].items() if key != "root"}
    return {key: value for key, value in found.items() if value != {}}
