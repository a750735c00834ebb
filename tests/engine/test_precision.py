"""bf16 on the CPU, fp16 with a scaler, losses in full precision, clipping without a process-wide log."""

from __future__ import annotations

import pytest
import torch
from engine_stub import StubBatches, StubModel, section
from torch import nn

from vadkit.engine.precision import StepWrapper, check, ends_in_float32
from vadkit.engine.session import Session
from vadkit.engine.tensor_tree import same
from vadkit.problems import VadkitError


def test_bf16_trains_on_the_cpu_with_weights_in_float32():
    model = StubModel(dropout=0)
    start = {k: v.clone() for k, v in model.state_dict().items()}
    outcome = Session(model, StubBatches(), section(precision="bf16", steps=30), torch.device("cpu")).run()
    losses = [r["losses"]["total"] for r in outcome.history]
    assert losses[-1] < losses[0] and not same(start, model.state_dict())
    assert all(p.dtype == torch.float32 for p in model.parameters())


class Types(nn.Module):
    kind = "loss"

    def forward(self, scores, others, label):
        self.seen = scores.dtype, others[0].dtype, label.dtype, torch.is_autocast_enabled("cpu")
        return scores.mean()


def test_a_saturated_score_keeps_its_gradient_in_bf16(graph):
    """The sigmoid of a bf16 logit of 8 is 1: no gradient could ever bring it back."""
    import vadkit

    model = vadkit.build(graph)
    model.score.eval()
    batch = {"rgb": torch.randn(2, 4, 16), "flow": torch.randn(2, 4, 12), "labels": torch.tensor([0.0, 1.0])}
    with torch.no_grad():
        for parameter in model.score.parameters():
            parameter.fill_(0.0) if parameter.dim() > 1 else parameter.fill_(8.0)
    with ends_in_float32(model, "bf16", "cpu"), torch.autocast("cpu", torch.bfloat16):
        loss = model.loss(batch)["mil"]
    assert loss.item() == pytest.approx((8.000335 + 0.000335) / 2, rel=1e-3)


def test_losses_get_float32_and_no_autocast_and_are_left_as_they_were():
    losses = nn.ModuleDict({"a": Types()})
    half = torch.ones(2, dtype=torch.bfloat16)
    with ends_in_float32(losses, "bf16", "cpu"), torch.autocast("cpu", torch.bfloat16):
        losses["a"](half, [half], label=torch.ones(1, dtype=torch.long))
    assert losses["a"].seen == (torch.float32, torch.float32, torch.int64, False)
    assert "forward" not in vars(losses["a"])
    with ends_in_float32(losses, "fp32", "cpu"):
        losses["a"](half, [half], torch.ones(1))
    assert losses["a"].seen[0] == torch.bfloat16


def test_fp16_on_the_cpu_is_refused_with_a_way_out():
    with pytest.raises(VadkitError, match="fp16 needs a CUDA device") as error:
        check("fp16", torch.device("cpu"))
    assert "bf16" in str(error.value)


def test_a_scaler_skips_a_step_with_an_infinite_gradient_and_changes_its_scale():
    """The scaling path of fp16, on the CPU where torch has a scaler too."""
    weight = nn.Parameter(torch.ones(2))
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0, growth_interval=1)
    wrapper = StepWrapper(torch.optim.SGD([weight], lr=0.1), clip_grad=1.0, scaler=scaler)
    wrapper.update_params((weight * 3).sum())
    torch.testing.assert_close(weight.detach(), torch.full((2,), 1 - 0.1 / 2**0.5))  # clipped to norm 1
    assert scaler.get_scale() == 16 and wrapper.grad_norm == pytest.approx(18**0.5)
    before = weight.detach().clone()
    wrapper.update_params((weight * float("inf")).sum())
    assert weight.equal(before) and scaler.get_scale() == 8


def test_the_scale_of_a_run_survives_a_checkpoint():
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    wrapper = StepWrapper(torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=0.1), scaler=scaler)
    wrapper.update_params(wrapper.optimizer.param_groups[0]["params"][0].sum())
    other = torch.amp.GradScaler("cpu")
    other.load_state_dict(scaler.state_dict())
    assert other.get_scale() == 4
