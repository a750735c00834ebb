"""The update of a graph, with its own ``train`` section, can be recorded and replayed, and then trains alike.

A few graphs, or each with ``--all-graphs``: on the stand-in for CUDA graphs of tests/support; and on tensors without
values that claim to be on a GPU, which shows what is copied between host and device in the forward pass and the losses.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import adapt
import pytest
import torch
from graph_stand_in import Graphs, graphs_on_cpu
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.func import functional_call

from vadkit.engine.host_waits import Watch
from vadkit.engine.session import Session
from vadkit.graph.module import VadModel
from vadkit.graph.schema import with_defaults
from vadkit.plugin_manager import own_configs

GRAPHS = sorted(path.stem for path in (own_configs() / "graphs").rglob("*.yaml"))
# Each component is captured and watched by itself: see tests/testing and its contract test.
FEW = ("seed_xd_three_stream", "ur_dmu_xd", "vadclip_ucf", "macil_sd_full_xd", "bn_wvad_xd", "umil_ucf")
STEPS = 3  # as it is, recorded and replayed, and a replay more


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "graph" in metafunc.fixturenames:
        every = metafunc.config.getoption("--all-graphs")
        metafunc.parametrize("graph", GRAPHS if every else FEW)


class Drawn:
    """Batches that differ by step, in epochs of two."""

    def __init__(self, model: VadModel) -> None:
        self.given = adapt.batch(model, [0, 0, 1, 1], 8)
        self.streams = list(model.input_sizes)

    def __len__(self) -> int:
        return 2

    def batch(self, step: int) -> dict[str, Any]:
        draw = torch.Generator().manual_seed(step)
        streams = {name: torch.rand(self.given[name].shape, generator=draw) for name in self.streams}
        return {**self.given, **streams, "epoch": step // 2}


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Graphs]:
    with graphs_on_cpu(monkeypatch) as graphs:
        yield graphs


def trained(graph: str, capture: str) -> dict[str, Tensor]:
    model = copy.deepcopy(adapt.model(graph))
    train = {**(adapt.small(graph).get("train") or {}), "steps": STEPS, "epochs": None, "warm_start": None}
    own = with_defaults({"inputs": {}, "train": {**train, "accumulate": 1, "select": "last", "capture": capture}})
    Session(model, Drawn(model), own["train"], torch.device("cpu")).run()
    return model.state_dict()


def test_an_update_can_be_captured(graph: str, graphs: Graphs) -> None:
    torch.set_num_threads(1)
    usual = trained(graph, "off")
    captured = trained(graph, "on")
    assert (
        sum(recorded.replays for recorded in graphs.recorded) >= 1
    )  # more where no weight of a loss follows the epoch
    assert [name for name, x in usual.items() if not torch.equal(x, captured[name])] == []


def test_nothing_moves_between_host_and_device(graph: str) -> None:
    model = adapt.model(graph).train()
    watch, losses = watched(model)
    assert watch.found is None, watch.found
    assert {x.device.type for x in losses.values()} == {"cuda"}


@pytest.mark.parametrize("moves", [lambda x: x + torch.tensor([0.5], device=x.device), lambda x: x.cpu().to(x.device)])
def test_what_moves_is_found(moves: Callable[[Tensor], Tensor]) -> None:
    model = copy.deepcopy(adapt.model("rtfm_sht"))
    name, node = next(iter(model.named_children()))
    node.register_forward_pre_hook(
        lambda node, args, kw: (args, {k: moves(x) for k, x in kw.items()}), with_kwargs=True
    )
    watch, _ = watched(model)
    assert str(watch.found) == f"node '{name}' waits for the host (aten._to_copy)"


def watched(model: VadModel) -> tuple[Watch, dict[str, Tensor]]:
    """Compute the losses on a GPU without values."""
    with FakeTensorMode(allow_non_fake_inputs=False):

        def there(x: Tensor) -> Tensor:
            return torch.empty(x.shape, dtype=x.dtype, device="cuda").requires_grad_(x.requires_grad)

        state = {name: there(x) for name, x in [*model.named_parameters(), *model.named_buffers()]}
        given = {n: there(x) if isinstance(x, Tensor) else x for n, x in Drawn(model).batch(0).items()}
        with Watch(model, "cuda") as watch:
            losses = functional_call(Losses(model), {f"model.{name}": x for name, x in state.items()}, (given,))
    return watch, losses


class Losses(torch.nn.Module):
    def __init__(self, model: VadModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: dict[str, Any]) -> dict[str, Tensor]:
        return self.model.loss(batch)
