"""The contract test finds what it says it finds: each promise is broken once, on purpose."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vadkit import Backbone, Dataset, Fusion, Head, Loss, Metric, Postprocess, Sampler, Temporal
from vadkit.testing import CHECKS, ComponentError, check_component, machines


class Sound(Temporal):
    """Project every snippet."""

    name = "sound"
    inputs = {"x": "b t in_dim", "mask?": "b t"}
    outputs = {"x": "b t dim"}
    example = {"in_dim": 6}

    def __init__(self, in_dim: int) -> None:
        super().__init__()
        self.in_dim = self.dim = in_dim
        self.layer = nn.Linear(in_dim, in_dim)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.layer(x)


@pytest.fixture(autouse=True)
def exporting_only_where_it_matters(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Exporting takes most of the time, so only the tests whose names say so wait for it."""
    if "export" not in request.node.name:
        for kind, checks in CHECKS.items():
            monkeypatch.setitem(CHECKS, kind, [check for check in checks if check is not machines.exports])


SEEN: set[str] = set()
ALL_CHECKS = {kind: list(checks) for kind, checks in CHECKS.items()}


def broken(cls: type[Any], **overrides: Any) -> dict[str, str]:
    """Return the broken promises of a component."""
    try:
        check_component(cls, **overrides)
    except ComponentError as error:
        assert isinstance(error, AssertionError)
        SEEN.update(promise.partition(" (with ")[0] for promise in error.report.broken)
        return error.report.broken
    return {}


def named(cls: type[Any], name: str | None = None) -> type[Any]:
    """Give a class what every component has."""
    cls.name = name or "faulty"
    cls.__doc__ = cls.__doc__ or "Do something."
    return cls


def variant(**members: Any) -> type[Any]:
    """Return ``Sound`` with other members, as a class of its own."""
    return type("Faulty", (Sound,), {"name": "faulty", "__doc__": "Do something.", **members})


def with_forward(forward: Any, **members: Any) -> type[Any]:
    return variant(forward=forward, **members)


def test_a_sound_component_passes_and_exports() -> None:
    report = check_component(Sound)
    assert report.broken == {} and len(report.kept) > 20
    assert "promises kept, 0 broken" in str(report)
    assert set(report.not_run.values()) <= {"there is no CUDA device"}
    assert len(report.not_run) == (0 if torch.cuda.is_available() else 1)


def test_the_error_names_component_promise_and_cause() -> None:
    with pytest.raises(ComponentError) as error:
        check_component(with_forward(lambda self, x, mask=None: self.layer(x)[:, :1]))
    text = str(error.value)
    assert text.startswith("faulty (temporal): ")
    assert "broken: outputs have their declared shapes and are finite" in text
    assert "output x is declared 'b t dim' = [1, 9, 6] and came as [1, 1, 6] at b=1, t=9" in text


def test_all_broken_promises_are_told_at_once() -> None:
    found = broken(with_forward(lambda self, x, mask=None: x.detach() + torch.rand(()) + x.mean()))
    assert len(found) >= 4


def test_what_is_no_component_is_refused() -> None:
    with pytest.raises(TypeError, match="Linear is no component"):
        check_component(nn.Linear)


def test_overrides_reach_the_constructor() -> None:
    assert "ZeroDivisionError" in str(
        broken(with_forward(lambda self, x, mask=None: self.layer(x) / (1 if self.in_dim == 6 else 1 // 0)), in_dim=5)
    )


# -- nodes: forward ----------------------------------------------------------------------------------
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
    "masked": (running_mean, "told to honour the mask", "changes with what lies in the padding"),
    "neighbours": (over_the_batch, "permuting bags", "changes with the other bags"),
    "positions": (first_bag_is_special, "permuting bags", "changes when bags are permuted"),
    "random": (lambda self, x, mask=None: self.layer(x) + torch.rand(()), "eval mode gives the same output", "call"),
    "dropout": (lambda self, x, mask=None: F.dropout(self.layer(x)), "eval mode gives the same output", "call"),
    "in place": (in_place, "it changes neither its inputs", "it writes into its input x"),
    "seed": (seeds, "it changes neither its inputs", "it seeds the global generator"),
    "mask needed": (needs_mask, "optional ports may be wired or not", "TypeError"),
    "export, fixed length": (fixed_length, "torch.export takes it", "torch.export refused it"),
    "export, branch": (python_branch, "torch.export takes it", "torch.export refused it"),
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


# -- nodes: constructor and declarations ----------------------------------------------------------------
def unused_layer(self: Any, in_dim: int) -> None:
    Sound.__init__(self, in_dim)
    self.spare = nn.Linear(2, 2)


def narrower(self: Any, in_dim: int) -> None:
    Sound.__init__(self, in_dim)
    self.dim, self.layer = 3, nn.Linear(in_dim, 3)


def no_attribute(self: Any, in_dim: int) -> None:
    Sound.__init__(self, in_dim)
    del self.dim


def forgets(self: Any, in_dim: int) -> None:
    Sound.__init__(self, in_dim)
    self.shift = torch.randn(in_dim)


def one_more(self: Any, in_dim: int, heads: int) -> None:
    Sound.__init__(self, in_dim)


def anything(self: Any, in_dim: int, **more: Any) -> None:
    Sound.__init__(self, in_dim)


def unannotated(self: Any, in_dim: int, rate=0.1) -> None:  # type: ignore[no-untyped-def]
    Sound.__init__(self, in_dim)


def misfit(self: Any, in_dim: int, rate: float = "high") -> None:  # type: ignore[assignment]
    Sound.__init__(self, in_dim)


def switch(self: Any, in_dim: int, form: Literal["a", "b"] = "a") -> None:
    Sound.__init__(self, in_dim)
    if form == "b":
        self.layer = nn.Linear(in_dim, 1)


def reaching(self: Any, in_dim: int, back: bool = True) -> None:
    Sound.__init__(self, in_dim)
    self.back = back


def reaches(self: Any, x: Tensor, mask: Tensor | None = None) -> Tensor:
    return self.layer(x + x.roll(1, 1) * (torch.arange(x.shape[1]) > 0)[:, None] if self.back else x.flip(1))


def raises(self: Any, in_dim: int) -> None:
    raise RuntimeError("no weights")


def plus_shift(self: Any, x: Tensor, mask: Tensor | None = None) -> Tensor:
    return self.layer(x) + self.shift


DECLARATIONS: dict[str, tuple[dict[str, Any], str, str]] = {
    "name": ({"name": "Faulty Name"}, "it has a name", "'Faulty Name'"),
    "docstring": ({"__doc__": None}, "its docstring begins with a sentence", "no docstring"),
    "no sentence": ({"__doc__": "project things"}, "its docstring begins with a sentence", "project things"),
    "fidelity": ({"fidelity": "perfect"}, "it says how faithful it is", "perfect"),
    "swallows": ({"__init__": anything}, "its constructor takes flat", "*more"),
    "annotation": ({"__init__": unannotated}, "its constructor takes flat", "'rate' has no annotation"),
    "default": ({"__init__": misfit}, "its defaults and its example", "'rate' must be a number"),
    "example": ({"example": {"in_dim": 6, "heads": 2}}, "its defaults and its example", "'heads'"),
    "ports": ({"inputs": {"y": "b t in_dim"}}, "it has the ports of its kind", "lacks the port 'x'"),
    "pattern": ({"inputs": {"x": "b t ?"}}, "it has the ports of its kind", "'?'"),
    "batch port": ({"inputs": {"x": "b t in_dim", "mask?": "b t in_dim"}}, "it has the ports", "'mask' comes"),
    "forward": ({"forward": lambda self, x: x}, "forward takes exactly its ports", "takes no 'mask'"),
    "optional": ({"forward": lambda self, x, mask: x}, "forward takes exactly its ports", "mask=None"),
    "extra": ({"forward": lambda self, x, y, mask=None: x}, "forward takes exactly its ports", "wants 'y'"),
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
    "no parameter": ({"no_gradient": ("layer.b",)}, "gradients reach", "which is no parameter"),
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
    def keys_only(self: Any, in_dim: int) -> None:
        Sound.__init__(self, in_dim)
        self.spare = nn.Parameter(torch.ones(1))

    assert broken(variant(__init__=keys_only, no_gradient=("spare",))) == {}


@pytest.mark.parametrize("ours", ["layer", "layer.weight", "stack.*", "stack.*.bias"])
def test_the_names_of_the_authors_may_cover_a_part_or_one_tensor(ours: str) -> None:
    def stacked(self: Any, in_dim: int) -> None:
        Sound.__init__(self, in_dim)
        self.stack = nn.ModuleList([nn.Linear(in_dim, in_dim)])

    def forward(self: Any, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.stack[0](self.layer(x))

    theirs = "net.fc*.b" if "*" in ours else ("fc1", "fc2")
    assert broken(variant(__init__=stacked, forward=forward, authors_names={ours: theirs})) == {}


def test_an_optional_port_with_a_size_of_its_own_is_tried_wired() -> None:
    def skipping(self: Any, in_dim: int, skip_dim: int | None = None) -> None:
        Sound.__init__(self, in_dim)
        self.skip_dim = skip_dim
        self.side = nn.Linear(skip_dim, in_dim) if skip_dim else None

    def forward(self: Any, x: Tensor, skip: Tensor | None = None) -> Tensor:
        return self.layer(x) if self.side is None else self.layer(x) + self.side(skip).mean(0, keepdim=True)

    found = broken(variant(__init__=skipping, forward=forward, inputs={"x": "b t in_dim", "skip?": "b t skip_dim"}))
    assert found and all("(with skip wired)" in promise for promise in found)


# -- fusion and head ------------------------------------------------------------------------------------
@named
class TwoStreams(Fusion):
    """Join two streams and no other number."""

    example = {"dims": [4, 4]}

    def __init__(self, dims: list[int]) -> None:
        super().__init__()
        self.dims, self.dim = dims, dims[0]
        self.layer = nn.Linear(4, 4)

    def forward(self, x: list[Tensor]) -> Tensor:
        return self.layer(x[0] + x[1])


@named
class Score(Head):
    """Give a logit."""

    example = {"dim": 6}

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim
        self.layer = nn.Linear(dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x).squeeze(-1)


def test_a_fusion_of_two_alone_is_found() -> None:
    assert "it fuses one, two or three streams" in broken(TwoStreams)


def test_a_false_range_is_found() -> None:
    promise = "its scores lie in the range that it declares"
    assert broken(Score) == {}
    assert "from" in broken(type("S", (Score,), {"name": "s", "__doc__": "Score.", "range": "probability"}))[promise]
    twice = {"name": "s", "__doc__": "Score.", "forward": lambda self, x: torch.sigmoid(Score.forward(self, x))}
    assert "second sigmoid" in broken(type("S", (Score,), twice))[promise]
    found = broken(type("S", (Score,), {"name": "s", "__doc__": "Score.", "range": "percent"}))
    assert "'percent'" in found["it says the range of its scores"]


# -- losses -----------------------------------------------------------------------------------------------
class Pull(Loss):
    """Pull the mean score to the label."""

    name = "pull"
    inputs = {"scores": "b t", "labels": "v", "mask?": "b t", "crops?": ""}
    needs = {"scores": "probability"}

    def forward(self, scores: Tensor, labels: Tensor, mask: Tensor | None = None, crops: int | None = None) -> Tensor:
        real = torch.ones_like(scores) if mask is None else mask.to(scores.dtype)
        mean = ((scores * real).sum(1) / real.sum(1)).view(len(labels), -1).mean(1)
        return (mean - labels).square().mean()


def loss(forward: Any, **members: Any) -> type[Any]:
    return type("Faulty", (Pull,), {"name": "faulty", "__doc__": "Teach.", "forward": forward, **members})


def mean_of(scores: Tensor, labels: Tensor) -> Tensor:
    return scores.view(len(labels), -1).mean(1)


def first_half_is_normal(self: Any, scores: Tensor, labels: Tensor, mask: Any = None, crops: Any = None) -> Tensor:
    video = mean_of(scores, labels)
    half = max(1, len(video) // 2)
    return (video[:half].square().sum() + (1 - video[half:]).square().sum()) / len(video)


def of_normal_only(self: Any, scores: Tensor, labels: Tensor, mask: Any = None, crops: Any = None) -> Tensor:
    return mean_of(scores, labels)[labels < 0.5].mean()


def constant(self: Any, scores: Tensor, labels: Tensor, mask: Any = None, crops: Any = None) -> Tensor:
    return torch.tensor(1.0)


def per_row(self: Any, scores: Tensor, labels: Tensor, mask: Any = None, crops: Any = None) -> Tensor:
    return scores.mean(1)


def logarithm(self: Any, scores: Tensor, labels: Tensor, mask: Any = None, crops: Any = None) -> Tensor:
    return -(labels * mean_of(scores.log(), labels) + (1 - labels) * mean_of((1 - scores).log(), labels)).mean()


def draws(self: Any, scores: Tensor, labels: Tensor, mask: Any = None, crops: Any = None) -> Tensor:
    return (mean_of(scores * torch.rand_like(scores), labels) - labels).square().mean()


def ignores_mask(self: Any, scores: Tensor, labels: Tensor, mask: Any = None, crops: Any = None) -> Tensor:
    return (mean_of(scores, labels) - labels).square().mean()


def clips(self: Any, scores: Tensor, labels: Tensor, mask: Any = None, crops: Any = None) -> Tensor:
    scores.clamp_(0.1, 0.9) if not scores.requires_grad else None
    return Pull.forward(self, scores, labels, mask, crops)


def unnamed_parts(self: Any, scores: Tensor, labels: Tensor, mask: Any = None, crops: Any = None) -> Any:
    return {"mean": Pull.forward(self, scores, labels, mask, crops)}


def one_crop(self: Any, scores: Tensor, labels: Tensor, mask: Any = None, crops: Any = None) -> Tensor:
    return (scores.mean(1) - labels).square().mean()


LOSSES = {
    "positions": (first_half_is_normal, "permuting the videos", "in the order"),
    "all abnormal": (of_normal_only, "it gives one finite number", "nan for 4 videos (abnormal)"),
    "constant": (constant, "it can be differentiated", "nothing can be differentiated"),
    "no scalar": (per_row, "it gives one finite number", "'total' is not one number but [4]"),
    "logarithm": (logarithm, "scores of exactly 0 and 1", "for scores of exactly 0 and 1"),
    "draws": (draws, "in eval mode it gives the same number", "call to call"),
    "mask": (ignores_mask, "told to honour the mask", "other values in the padding"),
    "in place": (clips, "in eval mode it gives the same number", "writes into its input scores"),
    "parts": (unnamed_parts, "it gives one finite number", "without 'total': mean"),
    "crops": (one_crop, "it gives one finite number", "RuntimeError"),
}


def test_a_sound_loss_passes() -> None:
    assert broken(Pull) == {}


@pytest.mark.parametrize("case", LOSSES)
def test_a_faulty_loss_is_found(case: str) -> None:
    forward, promise, cause = LOSSES[case]
    found = {p: how for p, how in broken(loss(forward)).items() if p.startswith(promise)}
    assert any(cause in how for how in found.values()), found


def test_a_loss_says_what_it_needs_truly() -> None:
    assert "needs says logits" in str(broken(loss(Pull.forward, needs={"logits": "probability"})))


def test_a_loss_that_pairs_videos_may_say_so() -> None:
    def pairs(self: Any, scores: Tensor, labels: Tensor, mask: Any = None, crops: Any = None) -> Tensor:
        video = Pull.forward(self, scores, labels, mask, crops)
        means = mean_of(scores if mask is None else scores * mask, labels)
        normal, abnormal = means[labels < 0.5], means[labels > 0.5]
        count = min(len(normal), len(abnormal))
        return video + (normal[:count] - abnormal[:count]).abs().square().sum()

    promise = "permuting the videos of a batch leaves it unchanged: labels, not positions, say which is normal"
    assert promise in broken(loss(pairs))
    assert promise not in broken(loss(pairs, pairs_bags=True))
    assert promise in broken(loss(first_half_is_normal, pairs_bags=True))


# -- sampler, postprocess, backbone ---------------------------------------------------------------------
@named
class Start(Sampler):
    """Take the first snippets."""

    def __init__(self, length: int = 12) -> None:
        self.length = length

    def sample(self, streams: dict[str, np.ndarray], rng: np.random.Generator) -> tuple[dict[str, np.ndarray], int]:
        taken = {name: np.resize(x, (self.length, x.shape[1])) for name, x in streams.items()}
        return taken, min(self.length, len(next(iter(streams.values()))))


def sampler(**members: Any) -> type[Any]:
    return type("Faulty", (Start,), {"name": "faulty", "__doc__": "Take some.", **members})


SAMPLERS: dict[str, tuple[Any, str]] = {
    "short": (lambda self, s, rng: ({k: x[: self.length] for k, x in s.items()}, 1), "not float32 (12, 6)"),
    "wide": (lambda self, s, rng: ({k: np.zeros((12, x.shape[1])) for k, x in s.items()}, 1), "float64"),
    "streams": (lambda self, s, rng: ({"rgb": Start.sample(self, s, rng)[0]["rgb"]}, 1), "it returned rgb"),
    "count": (lambda self, s, rng: (Start.sample(self, s, rng)[0], 13), "13 real snippets"),
    "source": (
        lambda self, s, rng: ({k: np.random.rand(12, x.shape[1]).astype(np.float32) for k, x in s.items()}, 1),
        "another source of randomness",
    ),
}


def test_a_sound_sampler_passes() -> None:
    assert broken(Start) == {}


@pytest.mark.parametrize("case", SAMPLERS)
def test_a_faulty_sampler_is_found(case: str) -> None:
    sample, cause = SAMPLERS[case]
    assert cause in str(broken(sampler(sample=sample)))


def test_a_sampler_without_a_length_is_found() -> None:
    assert "'length'" in str(broken(sampler(__init__=lambda self: None)))


def test_a_sampler_that_draws_in_secret_is_found() -> None:
    def drawn(self: Any, streams: Any, rng: np.random.Generator) -> tuple[dict[str, np.ndarray], int]:
        start = int(rng.integers(100))
        return {name: np.resize(x[start % len(x) :], (12, x.shape[1])) for name, x in streams.items()}, 1

    assert broken(sampler(sample=drawn)) == {}
    assert "another generator gives other snippets" in str(broken(sampler(sample=drawn, draws=False)))


def test_a_sampler_that_leaves_rows_as_they_were_is_found() -> None:
    def no_padding(self: Any, streams: Any, rng: Any, out: dict[str, np.ndarray]) -> int:
        for name, x in streams.items():
            out[name][: len(x)] = x[: self.length]
        return min(self.length, len(streams["rgb"]))

    assert "sample_into writes something else" in str(broken(sampler(sample_into=no_padding)))


def test_a_sampler_that_parts_the_streams_is_found() -> None:
    def cut_one(self: Any, streams: dict[str, Tensor], lengths: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        return {name: x[:, :5] if name == "rgb" else x for name, x in streams.items()}, lengths

    assert "finish keeps the streams of a batch together" in str(broken(sampler(finish=cut_one)))


@named
class Halve(Postprocess):
    """Halve every score."""

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        return scores / 2


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (lambda self, s: s[1:], "1 scores came back as (0,)"),
        (lambda self, s: s * 2, "above the largest"),
        (lambda self, s: np.divide(s, 0 * s), "not finite"),
        (lambda self, s: np.multiply(s, 0.5, out=s), "writes into the scores"),
    ],
)
def test_a_faulty_postprocess_is_found(change: Any, cause: str) -> None:
    assert broken(Halve) == {}
    with np.errstate(all="ignore"):
        assert cause in str(broken(type("F", (Halve,), {"name": "f", "__doc__": "Change.", "__call__": change})))


@named
class Colour(Backbone):
    """Mean colour of a snippet."""

    modality = "rgb"
    dim = 3

    def recipe(self) -> dict[str, Any]:
        return {"pool": "mean"}

    def extract(self, snippets: list[np.ndarray]) -> np.ndarray:
        return np.stack([s.reshape(-1, 3).mean(0) for s in snippets]).astype(np.float32)


BACKBONES: dict[str, tuple[dict[str, Any], str]] = {
    "modality": ({"modality": "smell"}, "'smell'"),
    "dim": ({"dim": 0}, "dim is 0"),
    "recipe": ({"recipe": lambda self: {"f": len}}, "JSON"),
    "empty recipe": ({"recipe": lambda self: {}}, "empty"),
    "width": ({"dim": 4}, "not float32 (2, 4)"),
    "together": ({"extract": lambda self, s: Colour.extract(self, s) - Colour.extract(self, s).mean(0)}, "beside it"),
}


def test_a_sound_backbone_passes() -> None:
    assert broken(Colour) == {}


@pytest.mark.parametrize("case", BACKBONES)
def test_a_faulty_backbone_is_found(case: str) -> None:
    members, cause = BACKBONES[case]
    assert cause in str(broken(type("F", (Colour,), {"name": "f", "__doc__": "Look.", **members})))


def test_a_backbone_whose_weights_are_missing_is_counted_as_not_run() -> None:
    def no_weights(self: Any) -> None:
        raise FileNotFoundError("weights.pt")

    report = check_component(type("F", (Colour,), {"name": "f", "__doc__": "Look.", "__init__": no_weights}))
    assert len(report.not_run) == 2
    assert "weights.pt" in str(report)


# -- metric, dataset -----------------------------------------------------------------------------------
@named
class MeanScore(Metric):
    """Mean score of abnormal snippets."""

    def __init__(self) -> None:
        self.scores: list[float] = []

    def add(self, name: str, scores: Any, positives: Any, frames: Any, label: int, group: Any = ()) -> None:
        self.scores += list(scores[positives > 0])

    def figures(self, threshold: float = 0.5) -> dict[str, Any]:
        return {"mean": float(np.mean(self.scores))}


METRICS: dict[str, tuple[Any, str]] = {
    "order": (lambda self, threshold: {"last": self.scores[-1]}, "last changes with the order"),
    "array": (lambda self, threshold: {"all": np.array(self.scores)}, "JSON"),
    "nan": (lambda self, threshold: {"mean": float("nan")}, "JSON"),
    "empty": (lambda self, threshold: {}, "empty"),
}


@pytest.mark.parametrize("case", METRICS)
def test_a_faulty_metric_is_found(case: str) -> None:
    figures, cause = METRICS[case]
    assert broken(MeanScore) == {}
    assert cause in str(broken(type("F", (MeanScore,), {"name": "f", "__doc__": "Count.", "figures": figures})))


def test_a_dataset_without_its_methods_is_found() -> None:
    assert "it has no videos, read" in str(broken(type("F", (Dataset,), {"name": "f", "__doc__": "Hold."})))


def test_a_component_that_cannot_be_built_alone_is_found() -> None:
    def length_needed(self: Any, length: int) -> None:
        self.length = length

    assert "length must be given" in str(broken(sampler(__init__=length_needed)))
    assert broken(sampler(__init__=length_needed, example={"length": 12})) == {}


def test_a_constructor_that_needs_real_memory_is_found() -> None:
    def looks_at_values(self: Any, in_dim: int) -> None:
        Sound.__init__(self, in_dim)
        self.scale = float(self.layer.weight.sum())

    assert "it can be built on the meta device" in str(broken(variant(__init__=looks_at_values)))


# -- all of them ------------------------------------------------------------------------------------------
def test_every_promise_was_broken_once(request: pytest.FixtureRequest) -> None:
    if sum(item.path == request.node.path for item in request.session.items) < 80:
        pytest.skip("only some tests were selected")
    promises = {str(check.__doc__) for checks in ALL_CHECKS.values() for check in checks}
    assert {promise for promise in promises - SEEN if "CUDA" not in promise} == set()
