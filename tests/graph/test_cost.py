"""What a graph costs at test time, whatever its components do."""

import vadkit
from vadkit.graph import cost


def test_an_expanded_learned_tensor_in_a_child_module_is_counted(graph):
    graph["nodes"]["context"] = {"use": "toy_tokens", "in": "rgb"}
    model = vadkit.build(graph)
    found = cost.costs(model, 5)
    assert found["context"].flops > 0
    assert all(p.requires_grad for p in model.parameters())


def test_nodes_that_only_training_runs_cost_nothing(graph):
    plain = cost.costs(vadkit.build(graph), 5)
    graph["nodes"]["helper"] = {"use": "toy_head", "in": "rgb", "when": "train"}
    graph["nodes"]["of_it"] = {"use": "toy_damp", "in": {"x": "rgb", "by": "helper"}}
    graph["nodes"]["more"] = {"use": "toy_head", "in": "of_it"}
    graph["losses"]["extra"] = {"use": "toy_loss", "in": "more"}
    found = cost.costs(vadkit.build(graph), 5)
    assert [found[name].flops for name in ("helper", "of_it", "more")] == [0, 0, 0]
    assert found["helper"].parameters == 9
    assert {name: found[name] for name in plain} == plain


def test_a_count_that_fails_is_unknown(graph, monkeypatch):
    def raises(*args):
        raise AssertionError("anything")

    model = vadkit.build(graph)
    monkeypatch.setattr(cost, "without_weights", raises)
    assert {entry.flops for entry in cost.costs(model).values()} == {None}


def test_shared_weights_count_once(graph):
    graph["inputs"]["clip"] = "b t 8"
    for name, source in (("context", "rgb"), ("gate", "clip")):
        graph["nodes"][name] = {"use": "toy_linear", "in": source, "args": {"dim": 6}, "share": "both"}
    found = cost.costs(vadkit.build(graph), 5)
    assert (found["context"].parameters, found["gate"].parameters) == (54, 0)
    assert found["context"].flops == found["gate"].flops == 2 * 5 * 8 * 6


def test_long_bags_of_a_narrow_attention_are_counted(graph):
    # Its two projections are one where there are many snippets, and that was no operation of the meta device.
    graph["nodes"]["context"] = {"use": "gl_mhsa", "in": "rgb", "args": {"depth": 1, "heads": 2, "head_dim": 8}}
    assert cost.costs(vadkit.build(graph), 200)["context"].flops > 0
