"""The promises of nodes: what forward does, fusion, the range of a head."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from faulty import broken, named, variant, with_forward
from torch import Tensor, nn
from torch.nn import functional as F

from vadkit import Fusion, Head, Selector, Source


def running_mean(self: Any, x: Tensor, mask: Tensor | None = None) -> Tensor:
    return self.layer(x) + x.mean(1, keepdim=True)


def next_one(self: Any, x: Tensor, mask: Tensor | None = None) -> Tensor:
    return self.layer(torch.cat([x[:, 1:], x[:, :1]], 1))


def over_the_batch(self: Any, x: Tensor, mask: Tensor | None = None) -> Tensor:
    return self.layer(x) + x.mean(0, keepdim=True)


def first_bag_is_special(self: Any, x: Tensor, mask: Tensor | None = None) -> Tensor:
    return torch.cat([self.layer(x[:1]), self.layer(2 * x[1:])])


def in_place(self: Any, x: Tensor, mask: Tensor | None = None) -> Tensor:
    return self.layer(x.mul_(2) if not x.requires_grad else x)


def seeds(self: Any, x: Tensor, mask: Tensor | None = None) -> Tensor:
    torch.manual_seed(3)
    return self.layer(x)


def needs_mask(self: Any, x: Tensor, mask: Tensor | None = None) -> Tensor:
    return self.layer(x) * mask[..., None]  # type: ignore[index]


def python_branch(self: Any, x: Tensor, mask: Tensor | None = None) -> Tensor:
    return self.layer(x) if bool(x.sum() > 0) else self.layer(x) * 1.0


def fixed_length(self: Any, x: Tensor, mask: Tensor | None = None) -> Tensor:
    return self.layer(x) * torch.ones(int(x.shape[1]))[None, :, None]  # int() makes t a constant


def not_a_number(self: Any, x: Tensor, mask: Tensor | None = None) -> Tensor:
    away = x - x.mean(1, keepdim=True)
    return self.layer(away / away.square().mean(1, keepdim=True))  # one snippet is no way from its mean


def only_float32(self: Any, x: Tensor, mask: Tensor | None = None) -> Tensor:
    y = self.layer(x)
    return torch.where(torch.tensor(y.dtype == torch.float32), y, y * 2)


def trained_nan(self: Any, x: Tensor, mask: Tensor | None = None) -> Tensor:
    return self.layer(x) * (float("nan") if self.training else 1.0)


FORWARDS = {
    "looks ahead": (running_mean, "lookahead is true", "output x: changes at snippet 0"),
    "one ahead": (next_one, "lookahead is true", "with snippets from 1 on"),
    "masked": (running_mean, "with the mask honoured", "changes with the contents of the padding"),
    "neighbours": (over_the_batch, "permuting bags", "changes with the other bags"),
    "positions": (first_bag_is_special, "permuting bags", "changes when bags are permuted"),
    "random": (lambda self, x, mask=None: self.layer(x) + torch.rand(()), "eval mode gives the same output", "call"),
    "dropout": (lambda self, x, mask=None: F.dropout(self.layer(x)), "eval mode gives the same output", "call"),
    "in place": (in_place, "it changes neither its inputs", "it modifies its input x"),
    "seed": (seeds, "it changes neither its inputs", "it seeds the global generator"),
    "mask needed": (needs_mask, "optional ports may be wired or not", "TypeError"),
    "export, fixed length": (fixed_length, "torch.export takes it", "torch.export refused it"),
    "export, branch": (python_branch, "torch.export takes it", "torch.export refused it"),
    "branch": (python_branch, "a training step asks for no value", "waits for the device"),
    "nan": (not_a_number, "outputs have their declared shapes and are finite", "not finite at b=1, t=1"),
    "rough": (only_float32, "it runs under bfloat16", "differs by"),
    "training": (trained_nan, "training mode runs and is finite", "in training"),
    "detached": (lambda self, x, mask=None: self.layer(x).detach() + x, "gradients reach", "layer.weight"),
    "no flow": (lambda self, x, mask=None: self.layer(x.detach()), "gradients reach", "the stream at x"),
    "dict": (lambda self, x, mask=None: {"y": self.layer(x)}, "outputs have their declared", "but returned y"),
    "pair": (lambda self, x, mask=None: (self.layer(x), x), "outputs have their declared", "but returned tuple"),
}


@pytest.mark.parametrize("case", FORWARDS)
def test_a_faulty_forward_is_found(case: str) -> None:
    forward, promise, cause = FORWARDS[case]
    found = {p: how for p, how in broken(with_forward(forward)).items() if p.startswith(promise)}
    assert any(cause in how for how in found.values()), found


def test_a_lookahead_that_is_said_is_allowed() -> None:
    assert not [p for p in broken(with_forward(running_mean, lookahead="all")) if p.startswith("lookahead")]


def test_a_mask_that_is_honoured_passes() -> None:
    def masked_mean(self: Any, x: Tensor, mask: Tensor | None = None) -> Tensor:
        real = torch.ones_like(x[..., :1]) if mask is None else mask[..., None].to(x.dtype)
        return self.layer(x) + (x * real).sum(1, keepdim=True) / real.sum(1, keepdim=True)

    assert broken(with_forward(masked_mean, lookahead="all")) == {}


@named
class TwoStreams(Fusion):
    """Join two streams and no other number."""

    example = {"dims": [4, 4]}

    def __init__(self, *, dims: list[int]) -> None:
        super().__init__()
        self.dims, self.dim = dims, dims[0]
        self.layer = nn.Linear(4, 4)

    def forward(self, x: list[Tensor]) -> Tensor:
        return self.layer(x[0] + x[1])


@named
class Score(Head):
    """Give a logit."""

    example = {"dim": 6}

    def __init__(self, *, dim: int) -> None:
        super().__init__()
        self.dim = dim
        self.layer = nn.Linear(dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x).squeeze(-1)


def test_a_fusion_of_two_alone_is_found() -> None:
    assert "it fuses one, two or three streams" in broken(TwoStreams)


def test_a_false_range_is_found() -> None:
    promise = "its scores are within the declared range"
    assert broken(Score) == {}
    assert "from" in broken(type("S", (Score,), {"name": "s", "__doc__": "Score.", "range": "probability"}))[promise]
    twice = {"name": "s", "__doc__": "Score.", "forward": lambda self, x: torch.sigmoid(Score.forward(self, x))}
    assert "second sigmoid" in broken(type("S", (Score,), twice))[promise]
    found = broken(type("S", (Score,), {"name": "s", "__doc__": "Score.", "range": "percent"}))
    assert "'percent'" in found["it declares the range of its scores"]


@named
class Bank(Source):
    """Give three vectors."""

    example = {"rows": 3, "dim": 4}

    def __init__(self, *, rows: int = 2, dim: int = 8) -> None:
        super().__init__()
        self.rows, self.dim = rows, dim
        self.weight = nn.Parameter(torch.randn(rows, dim))

    def forward(self) -> Tensor:
        return self.weight


@named
class Fixed(Source):
    """Give two vectors that are never trained, from a table kept the other way around."""

    def __init__(self) -> None:
        super().__init__()
        self.rows, self.dim = 2, 4
        self.register_buffer("weight", torch.randn(4, 2))

    def forward(self) -> Tensor:
        return self.weight.T


@named
class Longest(Selector):
    """Choose the longest snippets."""

    inputs = {"x": "b t in_dim", "mask?": "b t", "crops?": ""}
    example = {"in_dim": 4}

    def __init__(self, *, in_dim: int, k: int = 3) -> None:
        super().__init__()
        self.in_dim, self.k = in_dim, k

    def forward(self, x: Tensor, mask: Tensor | None = None, crops: int | None = None) -> Tensor:
        length = x.norm(dim=-1) if mask is None else x.norm(dim=-1).masked_fill(~mask, -1)
        return length.unflatten(0, (-1, crops or 1)).mean(1).topk(min(self.k, x.shape[1])).indices


def selector(forward: Any, **members: Any) -> type[Any]:
    return type("Faulty", (Longest,), {"name": "faulty", "__doc__": "Choose.", "forward": forward, **members})


CHOICES = {
    "numbers": (lambda self, x, mask=None, crops=None: Longest.forward(self, x, mask, crops).float(), "not torch.int6"),
    "beyond": (lambda self, x, mask=None, crops=None: Longest.forward(self, x, mask, crops) + 1, "gives indices from"),
    "twice": (lambda self, x, mask=None, crops=None: 0 * Longest.forward(self, x, mask, crops), "a snippet twice"),
}


def test_a_source_and_a_selector_pass() -> None:
    assert broken(Bank) == broken(Longest) == {}


def test_a_table_that_no_file_can_fill_is_found() -> None:
    assert broken(Fixed) == {
        "its 'weight', if it has one, is (rows, dim), so that a file can fill it": "'weight' is [4, 2], not [2, 4]"
    }


@pytest.mark.parametrize("case", CHOICES)
def test_a_faulty_choice_is_found(case: str) -> None:
    forward, cause = CHOICES[case]
    found = broken(selector(forward))
    assert cause in next(how for promise, how in found.items() if promise.startswith("it chooses min(k, t)"))


def test_a_choice_of_padding_is_found() -> None:
    def blind(self: Any, x: Tensor, mask: Tensor | None = None, crops: int | None = None) -> Tensor:
        return Longest.forward(self, x, None, crops)

    assert list(broken(selector(blind))) == [
        "with the mask honoured, it chooses real snippets as long as there are enough"
    ]


def test_more_indices_than_snippets_are_found() -> None:
    def padded(self: Any, x: Tensor, mask: Tensor | None = None, crops: int | None = None) -> Tensor:
        index = Longest.forward(self, x, mask, crops)
        return F.pad(index, (0, self.k - index.shape[1]))

    found = broken(selector(padded))
    assert "[1, 1] but is [1, 3]" in next(how for promise, how in found.items() if promise.startswith("outputs have"))


def test_indices_of_no_port_are_found() -> None:
    promise = "'indices' names its own ports and counts"
    assert "which: 't'" in broken(selector(Longest.forward, indices={"which": "t"}))[promise]
    assert "'in_dim'; it takes ports, and one of b, t, v" in broken(variant(indices={"x": "in_dim"}))[promise]
