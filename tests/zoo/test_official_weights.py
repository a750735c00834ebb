"""Weights under official names, as authors save them, become a model of every graph; or what is wrong is said."""

from __future__ import annotations

import math
import zlib
from pathlib import Path

import adapt
import numpy as np
import pytest
import torch
from torch import Tensor

import vadkit
from vadkit.cli import main
from vadkit.plugin_manager import load_plugins, own_configs
from vadkit.systems.card import read_cards
from vadkit.systems.names_table import UNUSED, Names, read_names

CARDS = read_cards([own_configs()])
OWNERS = {graph: card.name for card in CARDS.values() for graph in card.graphs if card.names_file.is_file()}
LARGEST = {OWNERS[graph]: graph for graph in adapt.largest() if graph in OWNERS}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if {"card", "graph"} <= set(metafunc.fixturenames):
        every = metafunc.config.getoption("--all-graphs")
        pairs = [(card, graph) for graph, card in OWNERS.items()] if every else list(LARGEST.items())
        metafunc.parametrize(("card", "graph"), pairs)


def drawn(name: str, shape: tuple[int, ...]) -> Tensor:
    """Return what the rule of the reference cases draws for a weight of this name."""
    rng = np.random.RandomState(zlib.crc32(f"0:{name}".encode()))
    if name.endswith("num_batches_tracked"):
        return torch.zeros(shape, dtype=torch.int64)
    if name.endswith("running_var"):
        return torch.from_numpy(np.asarray(rng.uniform(0.5, 1.5, shape), np.float32))
    scale = 1 / math.sqrt(math.prod(shape[1:])) if len(shape) > 1 else 0.1
    centre = float(len(shape) == 1 and name.endswith("weight"))
    return torch.from_numpy(np.asarray(centre + scale * rng.standard_normal(shape), np.float32))


def official(graph: str, names: Names) -> dict[str, Tensor]:
    """Return the state dict that the authors would save of a small graph, with what they never use."""
    state = {}
    for own, weight in adapt.model(graph).state_dict().items():
        name = names.official(own)
        assert name is not None
        found = names.find(name)
        assert found is not None
        state[name] = drawn(name, tuple(weight.t().shape if found.transposed else weight.shape))
    for row in names.rows:
        plain = row.official.replace("*", "0") + ("weight" if row.official.endswith(".") else "")
        if row.ours == UNUSED:
            state[plain] = drawn(plain, (3, 2))
    return state


def table(card: str) -> tuple[Path, Names]:
    path = CARDS[card].names_file
    return path, read_names(path, load_plugins().components.find)


def test_a_checkpoint_of_the_authors_is_imported(card: str, graph: str, tmp_path: Path) -> None:
    path, names = table(card)
    state = official(graph, names)
    torch.save({f"module.{name}": weight for name, weight in state.items()}, tmp_path / "theirs.pth")
    config = {k: v for k, v in adapt.small(graph).items() if k in ("inputs", "nodes", "losses", "output", "data")}
    model = vadkit.import_weights(config, tmp_path / "theirs.pth", names=path, out=tmp_path / "ours.safetensors")
    for own, weight in vadkit.load(tmp_path / "ours.safetensors").state_dict().items():
        assert torch.equal(weight, model.state_dict()[own])
        name = names.official(own) or ""
        found = names.find(name)
        assert found is not None
        given = state[name].t() if found.transposed else state[name]
        assert torch.equal(weight, given.reshape(weight.shape))

    lost = next(
        name for name in state if names.find(name) is not None and names.find(name) != names.find("no such name")
    )
    state["no such name"] = state.pop(lost)
    torch.save(state, tmp_path / "theirs.pth")
    with pytest.raises(vadkit.VadkitError) as error:
        vadkit.import_weights(config, tmp_path / "theirs.pth", names=path)
    assert "'no such name' is not a weight of this graph" in str(error.value)
    assert f"'{lost}' is missing: it is our" in str(error.value)


@pytest.mark.parametrize("name", LARGEST)
def test_the_command_line_finds_the_table_of_each_system(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the published graph itself: the table comes from its card."""
    torch.save({"no such name": torch.zeros(1)}, tmp_path / "theirs.pth")
    words = ["weights", "import", LARGEST[name], str(tmp_path / "theirs.pth"), "-o", str(tmp_path / "x.safetensors")]
    assert main(words) == 2
    assert "'no such name' is not a weight of this graph" in capsys.readouterr().err
