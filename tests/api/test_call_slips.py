"""Calling a model with the wrong thing gives vadkit's words, and what can be converted is."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch

import vadkit
from vadkit import VadkitError
from vadkit.graph.module import VadModel

GRAPH = {
    "inputs": {"rgb": "b t 6", "clip": "b t 4"},
    "nodes": {
        "joined": {"use": "concat", "in": ["rgb", "clip"]},
        "score": {"use": "mlp_head", "in": "joined", "args": {"hidden": []}},
    },
    "output": "score",
    "eval": {"post": [{"use": "score_smoothing", "args": {"kappa": 2}}]},
}
RGB, CLIP = torch.rand(2, 5, 6), torch.rand(2, 5, 4)


@pytest.fixture(scope="module")
def model(tiny_backbones: None) -> VadModel:
    return vadkit.build(GRAPH, seed=0).eval()


def spoilt(x: torch.Tensor, value: float) -> torch.Tensor:
    x = x.clone()
    x[1, 3, 2] = value
    return x


CALLS: list[tuple[tuple[Any, ...], dict[str, Any], str]] = [
    ((), {"rgb": RGB[..., :3], "clip": CLIP}, "stream 'rgb' is 6 wide, this array is 3"),
    (
        (CLIP, RGB),
        {},
        "stream 'rgb' is 6 wide, this array is 4\n  hint: the order is rgb, clip; pass streams by name, as rgb=...",
    ),
    ((RGB, CLIP, CLIP), {}, "the model takes 2 streams, got 3 arrays\n  hint: in order: rgb, clip"),
    ((RGB, CLIP), {"rgb": RGB}, "stream 'rgb' is given twice, by position and by name"),
    ((), {"rgb": RGB}, "the graph needs the stream 'clip'\n  hint: it takes rgb, clip"),
    ((), {"rgb": RGB, "clop": CLIP}, "the graph has no input 'clop'\n  hint: did you mean 'clip'?"),
    ((), {"rgb": RGB, "audio": CLIP}, "the graph has no input 'audio'\n  hint: it takes rgb, clip"),
    (
        (),
        {"rgb": RGB[0], "clip": CLIP[0]},
        "stream 'rgb' has shape (5, 6); the model takes bags, (b, t, 6)\n  hint: rgb[None] is a bag of one; "
        "vadkit.score takes (t, width) of one video as it is",
    ),
    ((), {"rgb": RGB, "clip": CLIP[:, :4]}, "stream 'clip' has 4 snippets, but 'rgb' has 5"),
    ((), {"rgb": RGB, "clip": CLIP[:1]}, "stream 'clip' has 1 bags, but 'rgb' has 2"),
    ((), {"rgb": RGB[:, :0], "clip": CLIP[:, :0]}, "stream 'rgb' has no rows: its shape is (2, 0, 6)"),
    ((), {"rgb": spoilt(RGB, float("nan")), "clip": CLIP}, "stream 'rgb' holds NaN at [1, 3, 2]"),
    ((), {"rgb": RGB, "clip": spoilt(CLIP, float("-inf"))}, "stream 'clip' holds infinity at [1, 3, 2]"),
    ((), {"rgb": RGB.bool(), "clip": CLIP}, "stream 'rgb' holds torch.bool; features are float numbers"),
    ((), {"rgb": "rgb.npy", "clip": CLIP}, "stream 'rgb' holds <U7; features are float numbers"),
    ((), {"rgb": [[1.0], [1.0, 2.0]], "clip": CLIP}, "stream 'rgb' is no array: its rows differ in length"),
    ((), {"rgb": None, "clip": CLIP}, "stream 'rgb' holds NoneType; features are float numbers"),
]


@pytest.mark.parametrize(("positional", "named", "message"), CALLS)
def test_a_wrong_call_of_the_model_is_named(
    model: VadModel, positional: tuple[Any, ...], named: dict[str, Any], message: str
) -> None:
    with pytest.raises(VadkitError, match=f"^{re.escape(message)}"):
        model(*positional, **named)


@pytest.mark.parametrize("kind", ["numpy", "float16", "float64", "bfloat16", "int", "list"])
def test_other_kinds_of_numbers_are_converted(model: VadModel, kind: str) -> None:
    changes = {
        "numpy": lambda x: x.numpy(),
        "float16": lambda x: x.numpy().astype(np.float16),
        "float64": lambda x: x.double(),
        "bfloat16": lambda x: x.bfloat16(),
        "int": lambda x: (x * 3).round().int(),
        "list": lambda x: x.tolist(),
    }
    rgb, clip = changes[kind](RGB), changes[kind](CLIP)
    plain = [
        torch.from_numpy(np.asarray(x.float() if isinstance(x, torch.Tensor) else x, np.float32)) for x in (rgb, clip)
    ]
    assert torch.equal(model(rgb=rgb, clip=clip), model(*plain))
    by_file = vadkit.score(model, {"rgb": rgb, "clip": clip})
    assert np.array_equal(by_file, vadkit.score(model, {"rgb": plain[0], "clip": plain[1]}))


def test_a_model_of_another_type_and_gradients_work(model: VadModel) -> None:
    double = vadkit.build(GRAPH, seed=0).double()
    assert torch.allclose(double(RGB, CLIP).float(), model(RGB, CLIP))
    rgb = RGB.clone().requires_grad_()
    model(rgb, CLIP).sum().backward()
    assert rgb.grad is not None and rgb.grad.abs().sum() > 0


def test_a_called_model_can_be_exported_and_compiled(model: VadModel) -> None:
    program = torch.export.export(model, (), {"rgb": RGB, "clip": CLIP})
    assert torch.allclose(program.module()(rgb=RGB, clip=CLIP), model(RGB, CLIP))
    compiled = torch.compile(model, backend="eager")
    assert torch.allclose(compiled(RGB, CLIP), model(RGB, CLIP))
    assert model.to("meta")(rgb=RGB.to("meta"), clip=CLIP.to("meta")).shape == (2, 5)


def test_tensors_on_another_device_are_named(tiny_backbones: None) -> None:
    model = vadkit.build(GRAPH).to("meta")
    with pytest.raises(VadkitError, match="stream 'rgb' is on cpu, the model on meta\n  hint: move it"):
        model(rgb=RGB, clip=CLIP)
