"""dual_memory against a loop over snippets and slots."""

from __future__ import annotations

import math

import pytest
import torch
from vadkit_dual_memory import DualMemory

DIM = 6


def block(**args):
    torch.manual_seed(0)
    return DualMemory(in_dim=DIM, **{"abnormal_slots": 20, "normal_slots": 5, **args}).double()


def snippets(b=4, t=3):
    return torch.randn(b, t, DIM, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def ask(x, bank):
    """Return reading (b, t, c) and score (b, t), one snippet and one slot at a time."""
    reads, scores = torch.zeros_like(x), torch.zeros(x.shape[:2], dtype=x.dtype)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            answers = [1 / (1 + math.exp(-float(x[i, j] @ slot) / math.sqrt(DIM))) for slot in bank]
            best = sorted(answers)[-(len(bank) // 16 + 1) :]
            scores[i, j] = sum(best) / len(best)
            reads[i, j] = sum(answer * slot for answer, slot in zip(answers, bank))
    return reads, scores


@torch.no_grad()
def test_evaluation_equals_the_loop():
    memory, x = block().eval(), snippets()
    out = memory(x)
    abnormal, abnormal_score = ask(x, memory.abnormal)
    normal, normal_score = ask(x, memory.normal)
    mu_a, mu_n = memory.encoder_mu(abnormal), memory.encoder_mu(normal)
    wanted = {
        "x": mu_a + mu_n,
        "abnormal_score": abnormal_score,
        "normal_score": normal_score,
        "abnormal_read": mu_a,
        "latent": mu_n,
        "mu": mu_n,
        "logvar": memory.encoder_var(normal),
    }
    assert set(out) == set(wanted) == set(DualMemory.outputs)
    for name, value in wanted.items():
        torch.testing.assert_close(out[name], value, msg=name)


@pytest.mark.parametrize("crops", [1, 2])
@torch.no_grad()
def test_in_training_normal_bags_get_noise_whatever_their_place(crops):
    memory, x = block().train(), snippets(4 * crops)
    noise = torch.randn_like(x)
    memory.draw_noise = lambda shape, like: noise
    labels = torch.tensor([1.0, 0.0, 0.0, 1.0])
    out, calm = memory(x, labels), memory.eval()(x)
    drawn = out["mu"] + noise * out["logvar"].exp().sqrt()
    for row in range(4 * crops):
        latent = out["mu"][row] if labels[row // crops] == 1 else drawn[row]
        torch.testing.assert_close(out["latent"][row], latent)
        torch.testing.assert_close(out["x"][row], calm["abnormal_read"][row] + latent)


def test_without_labels_or_in_evaluation_there_is_no_noise():
    memory, x, labels = block(), snippets(), torch.zeros(4)
    calm = memory.eval()(x)["x"]
    assert torch.equal(memory(x, labels)["x"], calm)
    assert torch.equal(memory.train()(x)["x"], calm)


@torch.no_grad()
def test_without_dul_the_readings_are_used_as_they_are():
    memory, x = block(latent=False).train(), snippets()
    out = memory(x, torch.zeros(4))
    torch.testing.assert_close(out["x"], ask(x, memory.abnormal)[0] + ask(x, memory.normal)[0])
    assert out["logvar"].abs().max() == 0
    assert {name for name, _ in memory.named_parameters()} == {"abnormal", "normal"}


@torch.no_grad()
def test_answers_near_1_stay_apart_under_autocast():
    """In bfloat16 the sigmoid of 7 is 1, and there is one value for all from 5.3 to 6.2."""
    memory, x = block(abnormal_slots=1).float().eval(), torch.ones(1, 2, DIM)
    x[0, 1] *= 7 / 6
    memory.abnormal.fill_(1 / math.sqrt(DIM) * 6)  # logits 6 and 7
    with torch.autocast("cpu", torch.bfloat16):
        score = memory(x)["abnormal_score"]
    torch.testing.assert_close(score, torch.sigmoid(torch.tensor([[6.0, 7.0]])), atol=1e-4, rtol=0)


@torch.no_grad()
def test_relu_after_the_encoders():
    plain, relu, x = block().eval(), block(activation="relu").eval(), snippets()
    for name in ("mu", "logvar", "abnormal_read"):
        torch.testing.assert_close(relu(x)[name], plain(x)[name].clamp_min(0))


def test_slots_start_within_their_range():
    memory = DualMemory(in_dim=100)
    assert memory.abnormal.shape == memory.normal.shape == (50, 100)
    assert 0.09 < memory.abnormal.abs().max() <= 0.1


def test_an_empty_bank_is_refused():
    with pytest.raises(ValueError, match="a bank needs at least 1 slot, not 20 and 0"):
        block(normal_slots=0)
