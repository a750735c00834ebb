"""Ranges of scores: by port, set in the constructor, at nodes and losses, and the threshold that follows."""

import pytest
import torch

import vadkit
from vadkit import VadkitError


def two_scores(graph, **more):
    graph["nodes"]["score"] = {"use": "toy_two_scores", "in": "fused", **more}
    graph["losses"]["mil"]["in"] = "score.belief"
    return graph


def problems(config, **kwargs):
    with pytest.raises(VadkitError) as caught:
        vadkit.build(config, **kwargs)
    return [problem.message for problem in caught.value.problems]


BATCH = {"rgb": torch.rand(2, 3, 8), "clip": torch.rand(2, 3, 4), "labels": torch.tensor([0.0, 1.0])}


def best(model):
    """Return what the loss was given: the mean of the best scores."""
    return model.loss(BATCH)["mil.best"].item()


def mean_of_best(probabilities):
    return probabilities.max(1).values.mean().item()


def test_each_output_has_a_range_of_its_own(graph):
    model = vadkit.build(two_scores(graph)).eval()
    values = model.values(BATCH, ["score.scores", "score.belief"])
    assert model.output_range == "unbounded"
    assert torch.equal(model(BATCH["rgb"], BATCH["clip"]), values["score.scores"])
    assert best(model) == pytest.approx(mean_of_best(values["score.belief"]))


def test_the_constructor_may_set_the_range(graph):
    model = vadkit.build(two_scores(graph, args={"logits": True}))
    belief = model.values(BATCH, ["score.belief"])["score.belief"]
    assert best(model) == pytest.approx(mean_of_best(torch.sigmoid(belief)))
    graph["output"] = "score.belief"
    assert vadkit.build(graph).output_range == "probability"  # by the sigmoid that the graph applies


def test_a_loss_that_needs_another_range_is_refused(graph):
    graph = two_scores(graph)
    graph["losses"]["mil"]["in"] = "score"
    assert problems(graph) == ["mil (toy_loss) needs scores as probability; score (toy_two_scores) gives unbounded"]
    graph["nodes"]["damped"] = {"use": "toy_damp", "in": {"x": "rgb", "by": "score.belief"}}
    graph["losses"]["mil"]["in"] = "damped.kept"
    assert vadkit.build(graph)


def test_a_node_takes_the_sigmoid_of_a_logit_too(graph):
    graph["nodes"]["damped"] = {"use": "toy_damp", "in": {"x": "rgb", "by": "score"}}
    graph["nodes"]["last"] = {"use": "toy_head", "in": "damped"}
    graph["output"] = "last"
    model = vadkit.build(graph).eval()
    values = model.values(BATCH, ["score", "damped.kept", "last"])
    assert torch.equal(values["damped.kept"], torch.sigmoid(values["score"]))
    assert torch.equal(model(BATCH["rgb"], BATCH["clip"]), torch.sigmoid(values["last"]))
    graph["nodes"]["score"] = {"use": "toy_two_scores", "in": "fused"}
    assert problems(graph)[0] == "damped (toy_damp) needs by as probability; score (toy_two_scores) gives unbounded"


def test_shared_heads_have_their_range(graph):
    for name, source in (("score", "fused"), ("again", "fused")):
        graph["nodes"][name] = {"use": "toy_two_scores", "in": source, "share": "heads", "args": {"logits": True}}
    graph["losses"]["mil"]["in"] = "again.belief"
    model = vadkit.build(graph)
    belief = model.values(BATCH, ["again.belief"])["again.belief"]
    assert best(model) == pytest.approx(mean_of_best(torch.sigmoid(belief)))


@pytest.mark.parametrize("written, wanted", [({}, None), ({"threshold": 12.5}, 12.5), ({"threshold": -3}, -3)])
def test_unbounded_scores_have_the_threshold_that_is_written(graph, written, wanted):
    graph["eval"] = written
    model = vadkit.build(two_scores(graph))
    assert model.spec["eval"]["threshold"] == wanted
    assert vadkit.build(model.spec).spec["eval"]["threshold"] == wanted


def test_a_probability_has_a_threshold_from_0_to_1(graph):
    assert vadkit.build(graph).spec["eval"]["threshold"] == 0.5
    graph["eval"] = {"threshold": None}
    assert vadkit.build(graph).spec["eval"]["threshold"] == 0.5
    graph["eval"] = {"threshold": 1.5}
    assert problems(graph) == ["eval.threshold must be a number from 0 to 1, got 1.5: the output is a probability"]
