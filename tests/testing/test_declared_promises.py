"""What a class declares and how it is built."""

from __future__ import annotations

from typing import Any, Literal

import pytest
import torch
from faulty import Sound, broken, variant
from torch import Tensor, nn


def unused_layer(self: Any, *, in_dim: int) -> None:
    Sound.__init__(self, in_dim=in_dim)
    self.spare = nn.Linear(2, 2)


def narrower(self: Any, *, in_dim: int) -> None:
    Sound.__init__(self, in_dim=in_dim)
    self.dim, self.layer = 3, nn.Linear(in_dim, 3)


def no_attribute(self: Any, *, in_dim: int) -> None:
    Sound.__init__(self, in_dim=in_dim)
    del self.dim


def forgets(self: Any, *, in_dim: int) -> None:
    Sound.__init__(self, in_dim=in_dim)
    self.shift = torch.randn(in_dim)


def one_more(self: Any, *, in_dim: int, heads: int) -> None:
    Sound.__init__(self, in_dim=in_dim)


def anything(self: Any, *, in_dim: int, **more: Any) -> None:
    Sound.__init__(self, in_dim=in_dim)


def positional(self: Any, in_dim: int) -> None:
    Sound.__init__(self, in_dim=in_dim)


def many(
    self: Any,
    *,
    in_dim: int,
    b: int = 1,
    c: int = 1,
    d: int = 1,
    e: int = 1,
    f: int = 1,
    g: int = 1,
    h: int = 1,
    i: int = 1,
) -> None:
    Sound.__init__(self, in_dim=in_dim)


def unannotated(self: Any, *, in_dim: int, rate=0.1) -> None:  # type: ignore[no-untyped-def]
    Sound.__init__(self, in_dim=in_dim)


def misfit(self: Any, *, in_dim: int, rate: float = "high") -> None:  # type: ignore[assignment]
    Sound.__init__(self, in_dim=in_dim)


def switch(self: Any, *, in_dim: int, form: Literal["a", "b"] = "a") -> None:
    Sound.__init__(self, in_dim=in_dim)
    if form == "b":
        self.layer = nn.Linear(in_dim, 1)


def reaching(self: Any, *, in_dim: int, back: bool = True) -> None:
    Sound.__init__(self, in_dim=in_dim)
    self.back = back


def reaches(self: Any, x: Tensor, mask: Tensor | None = None) -> Tensor:
    return self.layer(x + x.roll(1, 1) * (torch.arange(x.shape[1]) > 0)[:, None] if self.back else x.flip(1))


def raises(self: Any, *, in_dim: int) -> None:
    raise RuntimeError("no weights")


def plus_shift(self: Any, x: Tensor, mask: Tensor | None = None) -> Tensor:
    return self.layer(x) + self.shift


DECLARATIONS: dict[str, tuple[dict[str, Any], str, str]] = {
    "name": ({"name": "Faulty Name"}, "it has its own name", "'Faulty Name'"),
    "docstring": ({"__doc__": None}, "its docstring begins with a sentence", "no docstring"),
    "no sentence": ({"__doc__": "project things"}, "its docstring begins with a sentence", "project things"),
    "fidelity": ({"fidelity": "perfect"}, "it declares its fidelity", "perfect"),
    "swallows": ({"__init__": anything}, "its constructor takes", "*more"),
    "positional": ({"__init__": positional}, "its constructor takes", "'in_dim' is not keyword-only"),
    "too many": ({"__init__": many}, "its constructor takes", "it takes 9 arguments"),
    "annotation": ({"__init__": unannotated}, "its constructor takes", "'rate' has no annotation"),
    "default": ({"__init__": misfit}, "its defaults and its example", "'rate' must be a number"),
    "example": ({"example": {"in_dim": 6, "heads": 2}}, "its defaults and its example", "'heads'"),
    "ports": ({"inputs": {"y": "b t in_dim"}}, "it has the ports of its kind", "lacks the port 'x'"),
    "pattern": ({"inputs": {"x": "b t ?"}}, "it has the ports of its kind", "'?'"),
    "batch port": ({"inputs": {"x": "b t in_dim", "mask?": "b t in_dim"}}, "it has the ports", "'mask' comes"),
    "forward": ({"forward": lambda self, x: x}, "forward takes exactly its ports", "takes no 'mask'"),
    "optional": ({"forward": lambda self, x, mask: x}, "forward takes exactly its ports", "mask=None"),
    "extra": ({"forward": lambda self, x, y, mask=None: x}, "forward takes exactly its ports", "requires 'y'"),
    "refuses": ({"__init__": raises}, "it can be built from its example", "RuntimeError: no weights"),
    "attribute": ({"__init__": no_attribute}, "every size word", "no attribute 'dim'"),
    "more arguments": ({"__init__": one_more, "example": {"in_dim": 6, "heads": 2}}, "it needs no argument", "heads"),
    "unused": ({"__init__": unused_layer}, "gradients reach", "spare.weight"),
    "narrower": ({"__init__": narrower}, "by default its output is as wide", "fed a width of 8, it gives 3"),
    "forgets": ({"__init__": forgets, "forward": plus_shift}, "its state dict", "not what the state dict says"),
    "switch": ({"__init__": switch}, "every value of its switches", "with form='b'"),
    "untrue switch": ({"__init__": reaching, "forward": reaches}, "for every value of its switches", "with back=False"),
    "mask switch": ({"mask_switch": "use_mask"}, "mask_switch, if there is one", "'use_mask'"),
    "lookahead": ({"lookahead": -1}, "lookahead is true", "-1"),
    "not lookahead": ({"lookahead": "none"}, "lookahead is true", "'none'"),
    "reached": ({"no_gradient": ("layer.bias",)}, "gradients reach", "but a gradient reaches it"),
    "no parameter": ({"no_gradient": ("layer.b",)}, "gradients reach", "which is not one of its parameters"),
    "authors' name": ({"authors_names": {"lay": "fc"}}, "authors_names maps", "'lay' is not in its state dict"),
    "authors' star": ({"authors_names": {"layer": "fc.*"}}, "authors_names maps", "the same number of '*'"),
}


@pytest.mark.parametrize("case", DECLARATIONS)
def test_a_faulty_declaration_is_found(case: str) -> None:
    members, promise, cause = DECLARATIONS[case]
    found = {p: how for p, how in broken(variant(**members)).items() if p.startswith(promise)}
    assert any(cause in how for how in found.values()), (found, members)


def test_a_component_that_cannot_be_built_gives_one_message() -> None:
    assert len(broken(variant(__init__=raises))) == 1


def test_a_parameter_without_gradient_can_be_declared() -> None:
    def keys_only(self: Any, *, in_dim: int) -> None:
        Sound.__init__(self, in_dim=in_dim)
        self.spare = nn.Parameter(torch.ones(1))

    assert broken(variant(__init__=keys_only, no_gradient=("spare",))) == {}


@pytest.mark.parametrize("ours", ["layer", "layer.weight", "stack.*", "stack.*.bias"])
def test_the_names_of_the_authors_may_cover_a_part_or_one_tensor(ours: str) -> None:
    def stacked(self: Any, *, in_dim: int) -> None:
        Sound.__init__(self, in_dim=in_dim)
        self.stack = nn.ModuleList([nn.Linear(in_dim, in_dim)])

    def forward(self: Any, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.stack[0](self.layer(x))

    theirs = "net.fc*.b" if "*" in ours else ("fc1", "fc2")
    assert broken(variant(__init__=stacked, forward=forward, authors_names={ours: theirs})) == {}


def test_an_optional_port_with_a_size_of_its_own_is_tried_wired() -> None:
    def skipping(self: Any, *, in_dim: int, skip_dim: int | None = None) -> None:
        Sound.__init__(self, in_dim=in_dim)
        self.skip_dim = skip_dim
        self.side = nn.Linear(skip_dim, in_dim) if skip_dim else None

    def forward(self: Any, x: Tensor, skip: Tensor | None = None) -> Tensor:
        return self.layer(x) if self.side is None else self.layer(x) + self.side(skip).mean(0, keepdim=True)

    found = broken(variant(__init__=skipping, forward=forward, inputs={"x": "b t in_dim", "skip?": "b t skip_dim"}))
    assert found and all("(with skip wired)" in promise for promise in found)


def test_a_constructor_that_needs_real_memory_is_found() -> None:
    def looks_at_values(self: Any, *, in_dim: int) -> None:
        Sound.__init__(self, in_dim=in_dim)
        self.scale = float(self.layer.weight.sum())

    assert "it can be built on the meta device" in str(broken(variant(__init__=looks_at_values)))
