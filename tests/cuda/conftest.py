"""Small systems, stores and videos for tests on a GPU, out of the helpers of other folders."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import pytest
import torch
import yaml
from cuda_systems import SYSTEMS
from engine_stub import GRAPH
from tiny_store import write_tiny_store


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small tensors are slower on several threads, and sums on the CPU depend on their number."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def systems(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Return for each system the arguments of ``vadkit train``: a config, and --set for its store and size."""
    folder = tmp_path_factory.mktemp("systems")
    graph = copy.deepcopy(GRAPH)
    (folder / "small.yaml").write_text(yaml.safe_dump(graph))
    found = {}
    for name, (changes, dims) in SYSTEMS.items():
        store = write_tiny_store(folder / f"{name}-store", val=2, dims=dims)
        config = str(folder / "small.yaml") if name == "small" else name
        sets = [f"data.args.root={store}", *changes]
        found[name] = [config, *(word for change in sets for word in ("--set", change))]
    return found
