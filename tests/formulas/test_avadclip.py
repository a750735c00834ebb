"""The certain blocks of AVadCLIP against loops, in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from small_models import drawn
from vadkit_class_bag_loss import ClassBagLoss
from vadkit_gated_residual import GatedResidual
from vadkit_text_alignment import TextAlignment
from vadkit_uncertain_distillation import UncertainDistillation

import vadkit

T, C, CLASSES = 20, 6, 4
Rows = np.ndarray


def linear(layer: torch.nn.Module, x: Rows) -> Rows:
    weight, bias = (layer.get_parameter(name).detach().numpy() for name in ("weight", "bias"))
    return np.array([sum(w * v for w, v in zip(row, x, strict=True)) + b for row, b in zip(weight, bias, strict=True)])


@pytest.mark.formula("avadclip", "fusion")
def test_the_gate_lets_a_residual_in() -> None:
    module = GatedResidual(dims=[C, 3]).double()
    seen, heard = drawn(2, 5, C), drawn(2, 5, 3, seed=1)
    found = module([seen, heard]).detach().numpy()
    for row in np.ndindex(2, 5):
        joint = np.concatenate([seen[row].numpy(), heard[row].numpy()])
        gate = 1 / (1 + np.exp(-linear(module.gate, joint)))
        wide = np.array([v / 2 * (1 + math.erf(v / math.sqrt(2))) for v in linear(module.widen, joint)])
        np.testing.assert_allclose(found[row], seen[row].numpy() + gate * linear(module.narrow, wide), rtol=1e-9)


@pytest.mark.formula("avadclip", "audio-visual prompt")
def test_each_text_gets_the_weighted_sum_of_the_video() -> None:
    """As the authors write it: a softmax over the prompt's copies, one for each class, and their weighted sum."""
    module = TextAlignment(dim=C, num_classes=CLASSES).double()
    x, text, scores = drawn(1, T, C), drawn(CLASSES, C, seed=1), drawn(1, T, seed=2)
    prompt = sum(float(s) * row for s, row in zip(scores[0], x[0].numpy(), strict=True))
    prompt = prompt / np.sqrt((prompt**2).sum())
    copies = [prompt] * CLASSES
    found = module(x, text, scores).detach().numpy()[0]
    for n in range(CLASSES):
        near = np.exp([float(text[n].numpy() @ copy) for copy in copies])
        own = text[n].numpy() + sum(share * copy for share, copy in zip(near / near.sum(), copies, strict=True))
        wide = linear(module.widen, own)
        own = own + linear(module.narrow, wide / (1 + np.exp(-1.702 * wide)))
        for t in range(T):
            row = x[0, t].numpy()
            cosine = row @ own / math.sqrt(row @ row) / math.sqrt(own @ own)
            assert found[t, n] == pytest.approx(cosine / 0.07, rel=1e-9)


@pytest.mark.formula("avadclip", "class loss")
def test_the_mean_of_cross_entropy_and_focal_loss() -> None:
    x, classes = drawn(3, T, CLASSES), np.array([[1, 0, 0, 0], [0, 1, 0, 1], [0, 0, 1, 0]], float)
    lengths = [20, 16, 3]
    total = 0.0
    for row, own, n in zip(x.numpy(), classes, lengths, strict=True):
        bag = np.array([np.sort(column)[::-1][: n // 16 + 1].mean() for column in row[:n].T])
        log = bag - np.log(np.exp(bag).sum())
        share = own / own.sum()
        cross = -sum(s * v for s, v in zip(share, log, strict=True))
        p = sum(s * math.exp(v) for s, v in zip(share, log, strict=True))
        total += (cross + 0.25 * (1 - p) ** 2 * cross) / 2
    mask = torch.arange(T) < torch.tensor(lengths)[:, None]
    loss = ClassBagLoss(num_classes=CLASSES, focal=2.0).double()
    assert float(loss(x, torch.tensor(classes), mask).detach()) == pytest.approx(total / 3, rel=1e-9)
    loss(x, torch.tensor(classes), mask).backward()
    assert (loss.factors.grad > 0).all()  # so an update makes them smaller


@pytest.mark.formula("avadclip", "distillation")
def test_certain_numbers_count_more() -> None:
    x, teacher, certainty = (drawn(2, 3, C, seed=seed) for seed in range(3))
    total = 0.0
    for at in np.ndindex(2, 3, C):
        theta = -float(certainty[at])
        total += float(x[at] - teacher[at]) ** 2 / (1e-6 + 2 * math.exp(theta)) + theta
    found = UncertainDistillation(dim=C)(x, teacher, certainty)
    assert float(found) == pytest.approx(total / (2 * 3 * C), rel=1e-9)


SMALL = ["inputs.clip=b t 8", "inputs.audio=b t 8", "nodes.similar.args.dim=4", "nodes.near.args.dim=4",
         "nodes.av_similar.args.dim=4", "nodes.av_near.args.dim=4", "nodes.seen.args.dim=8",
         "nodes.av_visual.args.dim=8", "nodes.av_sound.args.dim=8", "nodes.widened.args.dim=8",
         "nodes.refined.args.dim=8",
         "nodes.text.args={tokens: [[1, 3, 2], [1, 4, 2], [1, 5, 2], [1, 6, 2], [1, 7, 2], [1, 8, 2], [1, 9, 2]], "
         "vocabulary: 12, dim: 8, depth: 1, heads: 2, context: 40}"]  # fmt: skip


def student() -> vadkit.VadModel:
    return vadkit.build("avadclip_student_xd", set=SMALL, seed=0)


@pytest.mark.formula("avadclip", "student features")
def test_three_convolutions_are_added_one_after_the_other() -> None:
    model = student().double().eval()
    batch = {"clip": drawn(1, 7, 8), "audio": drawn(1, 7, 8, seed=1)}
    values = model.values(batch, ["seen", "visual", "certainty"])
    rows = values["seen"][0].detach().numpy()

    def convolved(node: str, x: Rows) -> Rows:
        conv = model.get_submodule(node).conv
        weight, bias = conv.weight.detach().numpy(), conv.bias.detach().numpy()
        found = np.tile(bias, (len(x), 1))
        for t in range(len(x)):
            for tap in range(3):
                if 0 <= t + tap - 1 < len(x):
                    found[t] += weight[:, :, tap] @ x[t + tap - 1]
        return found

    x = rows
    for node in ("first_step", "second_step", "third_step"):
        x = x + np.maximum(convolved(node, x), 0)
    np.testing.assert_allclose(values["visual"][0].detach().numpy(), x, rtol=1e-9)
    wide = np.maximum(np.array([linear(model.doubt_in.linear, row) for row in rows]), 0)
    wide = convolved("doubt_conv", wide)
    doubt = rows + np.maximum(np.array([linear(model.doubt_out.linear, row) for row in wide]), 0)
    np.testing.assert_allclose(values["certainty"][0].detach().numpy(), doubt, rtol=1e-9)


def test_the_student_is_scored_without_sound() -> None:
    model = student().eval()
    assert list(model.input_sizes) == ["clip"]
    assert list(model.training_sizes) == ["clip", "audio"]
    assert model(clip=torch.rand(2, 5, 8)).shape == (2, 5)
