"""The promises of components that are nodes of a graph: temporal, fusion, head, source, selector.

Legend: ``b`` rows = videos x crops, ``t`` snippets.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from vadkit.batch_ports import BATCH_PORTS
from vadkit.graph.ranges import input_needs, output_ranges
from vadkit.shapes import parse_ports
from vadkit.testing.choices import every_choice
from vadkit.testing.feeding import (
    Batch,
    Inputs,
    all_finite,
    call,
    compare,
    each_tensor,
    has_time,
    make_inputs,
    map_tensors,
    pick_outputs,
    pick_videos,
    seeded,
    shape_of,
    size_of,
    untouched,
)
from vadkit.testing.report import Broken
from vadkit.testing.subject import Subject

LENGTHS = (1, 2, 5, 9, 32)
ROUNDING = 1e-5  # what a different order of float32 additions may change
COARSE = 0.1  # what eight bits of mantissa may change, as a share of the output's size


def _shapes_hold(module: Any, inputs: Inputs, batch: Batch, when: str) -> None:
    outputs = call(module, inputs)
    for name, port in parse_ports(module.outputs).items():
        wanted = shape_of(module, port, batch.counts)
        if list(outputs[name].shape) != wanted:
            raise Broken(
                f"output {name} is declared '{port.pattern}' = {wanted} but is {list(outputs[name].shape)} {when}"
            )
    all_finite(outputs, when)


def _batch_text(batch: Batch) -> str:
    return f"at b={batch.rows}, t={batch.t}"


def shapes_are_declared(subject: Subject) -> None:
    """outputs have their declared shapes and are finite, for t of 1, 2, 5, 9, 32 and b of 1 to 3"""
    module = subject.build()
    for batch in [Batch(videos, t) for t in LENGTHS for videos in (1, 2, 3)]:
        with torch.no_grad():
            _shapes_hold(module, make_inputs(module, batch), batch, _batch_text(batch))


def optional_ports_are_optional(subject: Subject) -> None:
    """optional ports may be wired or not"""
    module, batch = subject.build(), Batch(2, 9)
    for left_out in [subject.droppable, *([name] for name in subject.droppable)]:
        with torch.no_grad():
            inputs = make_inputs(module, batch, leave_out=left_out)
            _shapes_hold(module, inputs, batch, f"without {', '.join(left_out)}")


def takes_crops(subject: Subject) -> None:
    """it takes several crops of a video"""
    module, batch = subject.build(), Batch(videos=2, t=9, crops=3)
    with torch.no_grad():
        _shapes_hold(module, make_inputs(module, batch), batch, "with 3 crops per video")


def trains(subject: Subject) -> None:
    """training mode runs and is finite, forward and backward"""
    module = subject.build().train()
    for batch in [Batch(2, t) for t in LENGTHS] + [Batch(3, 9), Batch(2, 9, labels="normal")]:
        with seeded(batch.t):
            _shapes_hold(module, make_inputs(module, batch), batch, f"in training {_batch_text(batch)}")
            _backward(module, make_inputs(module, batch))
        for name, parameter in module.named_parameters():
            if parameter.grad is not None and not torch.isfinite(parameter.grad).all():
                raise Broken(f"the gradient of {name} is not finite {_batch_text(batch)}")


def _backward(module: Any, inputs: Inputs) -> Inputs:
    """Run forward and backward of a weighted sum of all outputs; return the inputs with gradients."""
    grown = map_tensors(inputs, lambda name, x: x.requires_grad_() if x.is_floating_point() else x)
    weights = torch.Generator().manual_seed(7)
    total = torch.zeros(())
    for output in call(module, grown).values():
        if output.is_floating_point():
            total = total + (output * torch.randn(output.shape, generator=weights)).sum()
    if total.requires_grad:  # not of a source of fixed rows
        total.backward()
    return grown


def _gradients(subject: Subject) -> tuple[dict[str, Tensor | None], dict[str, float]]:
    """Return the summed gradient of every parameter, and of every stream, over a few training passes."""
    module = subject.build().train()
    streams: dict[str, float] = {}
    for seed, left_out in enumerate([[], [], subject.droppable]):
        with seeded(seed):
            fed = _backward(module, make_inputs(module, Batch(4, 9), seed, left_out))
        for name, x in each_tensor(fed):
            if has_time(module, name) and x.is_floating_point() and name not in BATCH_PORTS:
                streams[name] = streams.get(name, 0.0) + (0.0 if x.grad is None else float(x.grad.abs().sum()))
    return {name: p.grad for name, p in module.named_parameters() if p.requires_grad}, streams


def gradients_arrive(subject: Subject) -> None:
    """gradients reach every parameter and every stream it is fed"""
    allowed = subject.cls.no_gradient
    parameters, streams = _gradients(subject)
    for name in allowed:
        if name not in parameters:
            raise Broken(f"no_gradient names '{name}', which is not one of its parameters")
    missed = [name for name, g in parameters.items() if name not in allowed and (g is None or not g.abs().sum() > 0)]
    if missed:
        raise Broken(f"none reaches {', '.join(missed)}")
    for name in allowed:
        gradient = parameters[name]
        if gradient is not None and gradient.abs().max() > ROUNDING:
            raise Broken(f"no_gradient names '{name}', but a gradient reaches it")
    blocked = [name for name, size in streams.items() if not size > 0]
    if blocked:
        raise Broken(f"none reaches the stream at {', '.join(blocked)}, so nothing before it can learn")


def bags_permute(subject: Subject) -> None:
    """permuting bags permutes outputs, and a bag's output does not depend on its neighbours"""
    module, order = subject.build(), [2, 0, 1]
    inputs = make_inputs(module, Batch(3, 9))
    with torch.no_grad():
        outputs = call(module, inputs)
        for videos, what in ((order, "changes when bags are permuted"), ([1], "changes with the other bags")):
            found = call(module, pick_videos(module, inputs, videos))
            compare(found, pick_outputs(module, outputs, videos), ROUNDING, what)


def is_deterministic(subject: Subject) -> None:
    """eval mode gives the same output twice, whatever the random state"""
    module = subject.build()
    inputs = make_inputs(module, Batch(3, 9))
    with torch.no_grad():
        with seeded(1):
            first = call(module, inputs)
        with seeded(2):
            compare(call(module, inputs), first, 0.0, "changes from call to call")


def leaves_alone(subject: Subject) -> None:
    """it changes neither its inputs nor any seed"""
    module = subject.build().train()
    with seeded(0):
        inputs = make_inputs(module, Batch(3, 9))
        kept, seed = map_tensors(inputs, lambda name, x: x.clone()), torch.initial_seed()
        call(module, inputs)
        if torch.initial_seed() != seed:
            raise Broken("it seeds the global generator")
    untouched(inputs, kept)


def state_comes_back(subject: Subject) -> None:
    """its state dict, loaded into a fresh one, gives equal outputs"""
    module = subject.build(seed=0).train()
    inputs = make_inputs(module, Batch(3, 9))
    with seeded(0), torch.no_grad():
        call(module, inputs)  # moves running statistics, where there are any
    fresh = subject.build(seed=99)
    fresh.load_state_dict(module.state_dict())
    with torch.no_grad():
        compare(call(fresh, inputs), call(module.eval(), inputs), 0.0, "is not what the state dict says")


def runs_in_bfloat16(subject: Subject) -> None:
    """it runs under bfloat16 autocast, forward and backward, and stays close"""
    module = subject.build()
    inputs = make_inputs(module, Batch(3, 9))
    with torch.no_grad():
        exact = call(module, inputs)
        with torch.autocast("cpu", torch.bfloat16):
            rough = call(module, inputs)
    all_finite(rough, "under bfloat16 autocast")
    compare_roughly(rough, exact)
    with seeded(0), torch.autocast("cpu", torch.bfloat16):
        _backward(module.train(), inputs)


def compare_roughly(rough: dict[str, Tensor], exact: dict[str, Tensor]) -> None:
    """Raise Broken if outputs differ by more than the coarse share of their size, taken as a whole."""
    for name, wanted in exact.items():
        share = (rough[name].double() - wanted.double()).norm() / wanted.double().norm().clamp(min=1e-6)
        if not share <= COARSE:
            raise Broken(f"output {name} differs by {float(share):.0%}")


def keeps_width(subject: Subject) -> None:
    """by default its output is as wide as its input, so that any temporal component can replace it"""
    if subject.wired:
        return
    module = subject.cls(**{word: 8 for word in subject.inferred() & _fed_words(subject)})
    found, given = shape_of(module, parse_ports(module.outputs)["x"], {"b": 1, "t": 1})[-1], 8
    if found != given:
        raise Broken(f"fed a width of {given}, it gives {found}")


def _fed_words(subject: Subject) -> set[str]:
    return {word for port in subject.ports.values() if not port.optional for word in port.pattern.words}


def looks_no_further(subject: Subject) -> None:
    """lookahead is true: snippets further ahead change nothing"""
    _look_ahead(subject.build())


def _look_ahead(module: Any) -> None:
    ahead = module.lookahead
    if ahead == "all":
        return
    if not isinstance(ahead, int) or isinstance(ahead, bool) or ahead < 0:
        raise Broken(f"lookahead is {ahead!r}, neither a whole number of snippets nor 'all'")
    t = ahead + 12
    inputs = make_inputs(module, Batch(2, t))
    with torch.no_grad():
        outputs = call(module, inputs)
        for now in (0, 3, 10):
            found = call(module, _rewrite(module, inputs, now + ahead + 1))
            compare(
                _until(module, found, now),
                _until(module, outputs, now),
                ROUNDING,
                f"changes at snippet {now} with snippets from {now + ahead + 1} on",
            )


def _rewrite(module: Any, inputs: Inputs, start: int, scale: float = 3.0) -> Inputs:
    """Return the inputs with other values in all float streams from snippet ``start`` on."""

    def change(name: str, x: Tensor) -> Tensor:
        if not has_time(module, name) or not x.is_floating_point():
            return x
        other = x.clone()
        with seeded(start):
            other[:, start:] = scale * torch.randn_like(other[:, start:])
        return other

    return map_tensors(inputs, change)


def _until(module: Any, outputs: dict[str, Tensor], now: int) -> dict[str, Tensor]:
    ports = parse_ports(module.outputs)
    return {k: v[:, : now + 1] for k, v in outputs.items() if ports[k].pattern.tokens[:2] == ("b", "t")}


def honours_the_mask(subject: Subject) -> None:
    """with the mask honoured, padding changes no score of a real snippet"""
    if "mask" not in subject.ports:
        return
    switch = subject.cls.mask_switch
    _hide_padding(subject.build({switch: True} if switch else None))


def _hide_padding(module: Any, real: int = 5) -> None:
    inputs = make_inputs(module, Batch(3, 9))
    inputs["mask"][:, real:] = False
    with torch.no_grad():
        outputs = call(module, inputs)
        found = call(module, _rewrite(module, inputs, real, 30.0))
        compare(
            _until(module, found, real - 1),
            _until(module, outputs, real - 1),
            ROUNDING,
            "changes with the contents of the padding",
        )
        shorter = call(module, map_tensors(inputs, lambda k, x: x[:, :7] if has_time(module, k) else x))
        compare(
            _until(module, shorter, real - 1),
            _until(module, outputs, real - 1),
            ROUNDING,
            "changes with the amount of padding",
        )


def takes_any_number_of_streams(subject: Subject) -> None:
    """it fuses one, two or three streams"""
    module = subject.build()
    port = next(p for p in subject.ports.values() if p.variadic)
    lists = [w for w in port.pattern.words if isinstance(size_of(module, w), list | tuple)]
    for count in (1, 2, 3):
        args = {w: [size_of(module, w)[i % len(size_of(module, w))] for i in range(count)] for w in lists}
        built, batch = subject.build(args), Batch(2, 9)
        with torch.no_grad():
            _shapes_hold(built, make_inputs(built, batch, streams=count), batch, f"with {count} streams")


def can_be_filled(subject: Subject) -> None:
    """its 'weight', if it has one, is (rows, dim), so that a file can fill it"""
    module = subject.build()
    weight = getattr(module, "weight", None)
    if not isinstance(weight, Tensor):
        return
    wanted = shape_of(module, parse_ports(module.outputs)["x"], {})
    if list(weight.shape) != wanted:
        raise Broken(f"'weight' is {list(weight.shape)}, not {wanted}")


def chooses_snippets(subject: Subject) -> None:
    """it chooses min(k, t) different snippets of each video, as int64, for t of 1, 2, 5, 9, 32, also in training"""
    module = subject.build()
    for t in LENGTHS:
        for training in (False, True):
            module.train(training)
            with seeded(t), torch.no_grad():
                index = call(module, make_inputs(module, Batch(2, t, crops=2)))["index"]
            if index.dtype != torch.int64:
                raise Broken(f"index is {index.dtype}, not torch.int64")
            if bool(((index < 0) | (index >= t)).any()):
                raise Broken(f"at t={t} it gives indices from {int(index.min())} to {int(index.max())}")
            if any(len(set(row)) < len(row) for row in index.tolist()):
                raise Broken(f"at t={t} it chooses a snippet twice: {index.tolist()}")


def chooses_real_snippets(subject: Subject) -> None:
    """with the mask honoured, it chooses real snippets as long as there are enough"""
    if "mask" not in subject.ports:
        return
    switch = subject.cls.mask_switch
    module = subject.build({switch: True} if switch else None)
    inputs = make_inputs(module, Batch(3, 32))
    inputs["mask"][:, 16:] = False
    with torch.no_grad():
        index = call(module, inputs)["index"]
    if index.shape[1] <= 16 and bool((index >= 16).any()):
        raise Broken(f"of 16 real snippets and 16 of padding it chooses {index.tolist()}")


def stays_in_its_range(subject: Subject) -> None:
    """its scores are within the declared range"""
    module = subject.build()
    needs = input_needs(module)

    def huge(name: str, x: Tensor) -> Tensor:
        free = has_time(module, name) and x.is_floating_point() and needs.get(name) != "probability"
        return x * 100 if free else x

    inputs = map_tensors(make_inputs(module, Batch(3, 32)), huge)
    with torch.no_grad():
        outputs = call(module, inputs)
    for name, declared in output_ranges(module).items():
        _stays_in(declared, name, outputs[name])


def _stays_in(declared: str, name: str, x: Tensor) -> None:
    inside = bool(((x >= 0) & (x <= 1)).all())
    if declared == "probability" and not inside:
        raise Broken(f"range is 'probability' but {name} run from {x.min():.3g} to {x.max():.3g}")
    if declared == "logit" and inside:
        raise Broken(
            f"range is 'logit' but even for huge inputs all {name} are between 0 and 1; "
            "the graph would apply a second sigmoid"
        )


def every_choice_runs(subject: Subject) -> None:
    """every value of its switches builds, or is refused with a ValueError, and runs in both modes"""
    for name, value, module in every_choice(subject):
        for batch in (Batch(2, 9), Batch(2, 1)):
            when = f"with {name}={value!r} {_batch_text(batch)}"
            with torch.no_grad():
                _shapes_hold(module.eval(), make_inputs(module, batch), batch, when)
            with seeded(0):
                _shapes_hold(module.train(), make_inputs(module, batch), batch, f"in training {when}")


def every_choice_is_true(subject: Subject) -> None:
    """for every value of its switches, lookahead is true and the mask is honoured when switched on"""
    switch = subject.cls.mask_switch
    for name, value, module in every_choice(subject):
        try:
            _look_ahead(module)
        except Broken as fault:
            raise Broken(f"with {name}={value!r}, {fault}") from None
    for name, value, module in every_choice(subject, {switch: True} if switch else None):
        try:
            if "mask" in subject.ports and name != switch:
                _hide_padding(module)
        except Broken as fault:
            raise Broken(f"with {name}={value!r} and the mask, {fault}") from None


ANY = [
    shapes_are_declared,
    optional_ports_are_optional,
    takes_crops,
    trains,
    bags_permute,
    is_deterministic,
    leaves_alone,
    state_comes_back,
    every_choice_runs,
]
NODE = [*ANY, gradients_arrive, runs_in_bfloat16, looks_no_further, honours_the_mask, every_choice_is_true]
SOURCE = [*ANY, gradients_arrive, runs_in_bfloat16, can_be_filled]
SELECTOR = [*ANY, chooses_snippets, chooses_real_snippets]
