"""The dry run: what a node really returns reaches the next one, losses are run, and no random number is drawn."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import vadkit
from vadkit import VadkitError
from vadkit.graph import dry_run
from vadkit.graph.compiler import compile_plan
from vadkit.graph.load import load_config
from vadkit.plugin_manager import load_plugins


@pytest.fixture
def chosen(graph: dict[str, Any]) -> dict[str, Any]:
    """A graph with a source, a selector and a loss that takes the rows of one and the indices of the other."""
    graph["nodes"]["bank"] = {"use": "toy_bank"}
    graph["nodes"]["chosen"] = {"use": "toy_chosen", "in": "context", "when": "train"}
    graph["losses"]["at"] = {"use": "toy_at", "in": {"scores": "score", "index": "chosen", "bank": "bank"}}
    return graph


def batch(b: int = 2, t: int = 5) -> dict[str, Tensor]:
    return {"rgb": torch.randn(b, t, 8), "clip": torch.randn(b, t, 4), "labels": torch.tensor([1.0, 0.0])}


def test_a_source_and_a_selector_are_nodes(chosen: dict[str, Any]) -> None:
    model = vadkit.build(chosen)
    step = model.plan.step("chosen")
    assert str(step.outputs["index"]) == "v 2" and model.lookahead == 2
    assert model.spec["losses"]["at"]["args"] == {"k": 2, "rows": 3, "dim": 4}
    values = model.values(batch(), ["chosen", "bank"])
    assert values["chosen"].dtype == torch.int64 and values["bank"].shape == (3, 4)
    assert model.loss(batch())["at"].isfinite()


@pytest.mark.parametrize("t", (1, 2, 5))
def test_a_short_bag_gives_as_many_indices_as_it_has_snippets(chosen: dict[str, Any], t: int) -> None:
    chosen["nodes"]["chosen"]["args"] = {"k": 12}  # more than the dry run's 9 snippets, too
    model = vadkit.build(chosen)
    assert model.values(batch(t=t), ["chosen"])["chosen"].shape == (2, t)
    assert model.loss(batch(t=t))["total"].isfinite()


def test_a_selector_that_is_used_at_test_looks_at_the_whole_video(chosen: dict[str, Any]) -> None:
    del chosen["nodes"]["chosen"]["when"]
    model = vadkit.build(chosen)
    assert model.lookahead == 2  # of the scores, which do not depend on it


def problem(graph: dict[str, Any]) -> str:
    with pytest.raises(VadkitError) as caught:
        vadkit.build(graph)
    (only,) = caught.value.problems
    return only.message


def fresh(graph: dict[str, Any], monkeypatch: pytest.MonkeyPatch, forward: Any, use: str = "toy_chosen") -> str:
    """Return the problem of a graph in which a component has another forward."""
    monkeypatch.setattr(_component(use), "forward", forward)
    return problem(graph)


def test_indices_that_are_numbers_are_reported(chosen: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    message = fresh(chosen, monkeypatch, lambda self, x: x.sum(-1)[:, :2])
    assert message.endswith("(node 'chosen') declares index to be indices (int64) but returned float32")


def test_what_follows_a_faulty_node_is_not_blamed(chosen: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    assert "declares index: v 2 (2 2) but returned 2 9" in fresh(chosen, monkeypatch, lambda self, x: x.sum(-1))


def test_a_part_that_computes_gets_indices_of_snippets(chosen: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Tensor] = []

    def computes(self: Any, scores: Tensor, index: Tensor, bank: Tensor) -> Tensor:
        seen.append(index)
        return scores.gather(1, index).mean() * float(bank.sum())  # a value: not on the meta device

    monkeypatch.setattr(_component("toy_at"), "forward", computes)
    vadkit.build(chosen)
    assert [x.device.type for x in seen] == ["meta", "cpu"] and seen[1].dtype == torch.int64


def test_a_computed_value_is_handed_on(chosen: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Tensor] = []

    def computes(self: Any, x: Tensor) -> Tensor:
        last = torch.tensor([[int(x.shape[1]) - 1, 0]])
        return last.expand(x.shape[0], -1) + int(x.sum() * 0)

    def looks(self: Any, scores: Tensor, index: Tensor, bank: Tensor) -> Tensor:
        seen.append(index)
        return scores.sum() * float(bank.sum())

    monkeypatch.setattr(_component("toy_chosen"), "forward", computes)
    monkeypatch.setattr(_component("toy_at"), "forward", looks)
    vadkit.build(chosen)
    assert seen[-1].tolist() == [[8, 0], [8, 0]]


def test_the_global_generator_is_left_alone(chosen: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(3)
    wanted = vadkit.build(chosen).state_dict()
    # The component is drawn again on the CPU.
    monkeypatch.setattr(_component("toy_linear"), "forward", lambda self, x: self.linear(x + float(x.sum()) * 0))
    torch.manual_seed(3)
    found = vadkit.build(chosen).state_dict()
    assert all(torch.equal(wanted[name], found[name]) for name in wanted)


def test_training_nodes_and_losses_get_a_batch_and_others_what_is_there_at_test(graph: dict[str, Any]) -> None:
    graph["nodes"]["peer"] = {"use": "toy_gate", "in": "clip", "when": "train"}
    graph["nodes"]["side"] = {"use": "toy_head", "in": "peer", "when": "train"}
    graph["losses"]["side"] = {"use": "toy_loss", "in": "side"}
    plan = compile_plan(load_config(graph), load_plugins())
    gate, peer, loss = plan.step("gate"), plan.step("peer"), plan.losses[0]
    values = {str(ref): torch.zeros(2, 9, 4) for step in (gate, peer, loss) for ref in step.refs if not ref.batch}

    def fed(step: Any) -> set[str]:
        return set(dry_run._feed(step, step.component(**step.args), values, lambda x: x))

    assert fed(gate) == {"x", "mask"} and fed(peer) == {"x", "mask", "labels"}
    assert fed(loss) == {"scores", "labels", "mask"}


def test_what_ran_before_on_equal_shapes_is_not_run_again(
    chosen: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    component, seen = _component("toy_linear"), list[int]()
    usual = component.forward

    def counted(self: Any, x: Tensor) -> Any:
        seen.append(x.shape[-1])
        return usual(self, x)

    monkeypatch.setattr(component, "forward", counted)
    runs = []
    for width, dim in ((8, 4), (8, 4), (8, 5), (6, 4)):
        seen.clear()
        chosen["inputs"]["rgb"], chosen["nodes"]["context"]["args"] = f"b t {width}", {"dim": dim}
        vadkit.build(chosen)
        runs.append(seen.copy())
    assert runs == [[8], [], [8], [6]]


def _component(name: str) -> type[Any]:
    component = load_plugins().components.find(name)
    assert component is not None
    return component
