"""The compiler: sizes, order, sharing, ranges, and what it refuses (exact messages are in tests/wrong)."""

import json
import os

import pytest
import torch

import vadkit
from vadkit import VadkitError


def problems(config, **kwargs):
    with pytest.raises(VadkitError) as caught:
        vadkit.build(config, **kwargs)
    return [problem.message for problem in caught.value.problems]


def test_sizes_are_inferred_from_what_arrives(graph):
    model = vadkit.build(graph)
    assert model.context.linear.weight.shape == (6, 8)
    assert model.fused.dims == [6, 4]
    assert model.score.linear.weight.shape == (1, 10)
    assert model.input_sizes == {"rgb": 8, "clip": 4}


def test_swap_needs_no_number(graph):
    model = vadkit.build(graph, set=["nodes.context.use=toy_gate"])
    assert model.score.linear.weight.shape == (1, 12)  # 8 kept by the gate, plus 4


def test_resolved_spec_builds_the_same_graph(graph):
    model = vadkit.build(graph)
    assert model.spec["nodes"]["score"]["args"] == {"dim": 10}
    again = vadkit.build(model.spec)
    assert again.spec == model.spec
    assert {k: v.shape for k, v in again.state_dict().items()} == {k: v.shape for k, v in model.state_dict().items()}


def test_nodes_may_be_written_in_any_order(graph):
    graph["nodes"] = dict(reversed(graph["nodes"].items()))
    assert [step.name for step in vadkit.build(graph).plan.steps][-1] == "score"


def test_lookahead_adds_up_along_the_longest_path(graph):
    graph["nodes"]["twice"] = {"use": "toy_sum", "in": ["gate", "gate"]}
    graph["nodes"]["fused"]["in"] = ["context", "twice"]
    assert vadkit.build(graph).lookahead == 3  # gate 2 + sum 1


def test_shared_nodes_have_one_set_of_weights(graph):
    graph["inputs"]["clip"] = "b t 8"
    graph["nodes"]["context"]["share"] = "both"
    graph["nodes"]["gate"] = {"use": "toy_linear", "in": "clip", "args": {"dim": 6}, "share": "both"}
    model = vadkit.build(graph)
    assert [n for n, _ in model.named_parameters()].count("both.linear.weight") == 1
    assert not any(n.startswith(("context.", "gate.")) for n, _ in model.named_parameters())
    x = torch.rand(1, 3, 8)
    values = model.values({"rgb": x, "clip": x})
    assert torch.equal(values["context.x"], values["gate.x"])


def test_shared_nodes_must_be_built_alike(graph):
    graph["nodes"]["context"]["share"] = graph["nodes"]["gate"]["share"] = "both"
    differ = "use is toy_gate in gate and toy_linear in context"
    assert problems(graph) == [f"gate and context share 'both' but are built differently: {differ}"]


def test_detach_stops_the_gradient(graph):
    graph["nodes"]["context"]["detach"] = True
    model = vadkit.build(graph)
    batch = {"rgb": torch.rand(2, 3, 8), "clip": torch.rand(2, 3, 4), "labels": torch.tensor([0.0, 1.0])}
    model.loss(batch)["total"].backward()
    assert model.context.linear.weight.grad is None
    assert model.score.linear.weight.grad is not None


def test_training_only_nodes_are_left_out_of_inference(graph):
    graph["nodes"]["helper"] = {"use": "toy_head", "in": "rgb", "when": "train"}
    graph["losses"]["extra"] = {"use": "toy_loss", "in": "helper"}
    model = vadkit.build(graph)
    assert "helper" not in model.inference.code
    assert "extra" in model.loss(
        {"rgb": torch.rand(2, 3, 8), "clip": torch.rand(2, 3, 4), "labels": torch.tensor([0.0, 1.0])}
    )


def test_output_may_not_depend_on_training(graph):
    graph["nodes"]["context"]["when"] = "train"
    assert problems(graph) == ["the output depends on node 'context', which exists in training only"]


def test_one_cause_gives_one_message(graph):
    graph["nodes"]["context"]["use"] = "toy_liner"
    assert problems(graph) == ["unknown component 'toy_liner'"]
    graph["nodes"]["context"] = {"use": "toy_linear", "in": "rbg"}
    assert problems(graph) == ["unknown input or node 'rbg'"]


def test_all_problems_are_reported_at_once(graph):
    graph["nodes"]["context"]["args"] = {"dims": 3}
    graph["nodes"]["gate"]["in"] = "clop"
    graph["output"] = "scor"
    assert sorted(problems(graph)) == [
        "unknown argument 'dims' of toy_linear",
        "unknown input or node 'clop'",
        "unknown node 'scor' in output",
    ]


def test_a_plugin_that_lies_about_its_shape_is_blamed(graph):
    graph["nodes"]["context"] = {"use": "toy_liar", "in": "rgb"}
    assert problems(graph) == ["component 'toy_liar' (node 'context') declares x: b t 8 (2 9 8) but returned 2 8 9"]


def test_a_constructor_may_refuse(graph):
    graph["nodes"]["context"] = {"use": "toy_fussy", "in": "rgb", "args": {"heads": 3}}
    assert problems(graph) == ["context (toy_fussy) refused its arguments: heads must be even, not 3"]


def test_a_dotted_name_is_never_imported(graph):
    graph["nodes"]["context"]["use"] = "os.getcwd"
    assert problems(graph) == ["unknown component 'os.getcwd'"]


def test_cycle(graph):
    graph["nodes"]["context"] = {"use": "toy_sum", "in": ["rgb", "back"]}
    graph["nodes"]["back"] = {"use": "toy_linear", "in": "fused"}
    (message,) = problems(graph)
    assert message == "cycle: context -> fused -> back -> context"


@pytest.mark.parametrize("huge", [10**12, 10**30, 1_000_001, 900_000])
def test_a_huge_size_is_refused_before_it_is_allocated(graph, huge):
    graph["nodes"]["context"]["args"]["dim"] = huge
    graph["nodes"]["deep"] = {"use": "toy_linear", "in": "context", "args": {"dim": huge}}
    graph["nodes"]["fused"]["in"] = ["deep", "gate"]
    assert problems(graph)


def test_a_file_is_looked_for_next_to_the_yaml_that_names_it(graph, tmp_path, monkeypatch):
    (tmp_path / "graphs").mkdir()
    (tmp_path / "graphs" / "words.npy").write_bytes(b"")
    graph["data"] = {"prompts": "words.npy"}
    (tmp_path / "graphs" / "toy.yaml").write_text(json.dumps(graph))
    monkeypatch.chdir(tmp_path)
    assert vadkit.build("graphs/toy.yaml").spec["data"]["prompts"] == os.path.join("graphs", "words.npy")
    (tmp_path / "words.npy").write_bytes(b"")  # the current folder comes first
    assert vadkit.build("graphs/toy.yaml").spec["data"]["prompts"] == "words.npy"
    (tmp_path / "words.npy").unlink()
    assert vadkit.build("graphs/toy.yaml", set=["data.prompts=none.npy"]).spec["data"]["prompts"] == "none.npy"
