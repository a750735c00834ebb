"""The loss of clicks: what it takes no gradient of, what it leaves out, and the shortest videos."""

from __future__ import annotations

import pytest
import torch
from vadkit_click_splatting import ClickSplatting


def given(t: int = 12) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    scores = torch.rand(3, t, generator=torch.Generator().manual_seed(0)) * 0.9 + 0.05
    clicks = torch.zeros(3, t)
    clicks[1, t // 2] = 1
    return scores, clicks, torch.tensor([0.0, 1.0, 1.0])


def test_normal_videos_have_no_gradient() -> None:
    scores, clicks, labels = given()
    scores.requires_grad_()
    ClickSplatting()(scores, clicks, labels).backward()
    assert scores.grad is not None
    assert not scores.grad[0].any()
    assert scores.grad[1:].all()


def test_an_abnormal_video_without_clicks() -> None:
    scores, clicks, labels = given()
    ignored = ClickSplatting(unclicked="ignored")(scores, clicks, labels)
    assert ignored == ClickSplatting()(scores[:2], clicks[:2], labels[:2])
    learned = ClickSplatting()(scores, clicks, labels)
    assert torch.allclose(learned, (ignored - (1 - scores[2]).log().mean()) / 2)


def test_no_abnormal_video_gives_nothing() -> None:
    scores, clicks, _ = given()
    assert ClickSplatting()(scores, clicks, torch.zeros(3)) == 0


@pytest.mark.parametrize("t", [1, 2])
def test_a_video_of_few_snippets(t: int) -> None:
    scores, clicks, labels = given(t)
    assert ClickSplatting()(scores, clicks, labels).isfinite()


def test_padding_changes_nothing() -> None:
    scores, clicks, labels = given()
    mask = torch.ones(3, 12, dtype=torch.bool)
    more = [torch.cat([x, torch.full((3, 5), value)], 1) for x, value in ((scores, 0.5), (clicks, 1.0))]
    padded = ClickSplatting()(*more, labels, mask=torch.cat([mask, torch.zeros(3, 5, dtype=torch.bool)], 1))
    assert torch.allclose(padded, ClickSplatting()(scores, clicks, labels, mask=mask))


def test_crops_are_averaged_first() -> None:
    scores, clicks, labels = given()
    rows, marks = (x.repeat_interleave(2, 0) for x in (scores, clicks))
    shifted = rows + torch.tensor([0.02, -0.02]).repeat(3)[:, None]
    found = ClickSplatting()(shifted, marks, labels, crops=2)
    assert torch.allclose(found, ClickSplatting()(scores, clicks, labels))


@pytest.mark.parametrize("args", [{"sigma": 0.0}, {"alpha": 1.5}, {"mine_from": 0}])
def test_wrong_arguments(args: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="sigma must be above 0"):
        ClickSplatting(**args)  # type: ignore[arg-type]
