"""What a model is called with: converted where that is safe, refused in words where it does not fit.

Legend: ``b`` bags x crops, ``t`` snippets.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vadkit.problems import did_you_mean, fail
from vadkit.shapes import Pattern


def check_call(
    patterns: Mapping[str, Pattern], positional: Sequence[Any], named: Mapping[str, Any], weights: Iterable[Tensor]
) -> dict[str, Any]:
    """Return the streams by name, as tensors of the model's type; arrays go to its device.

    Args:
        patterns: shape of each stream, as (b, t, width), in the order of positional arguments.
        positional, named: what the model was called with.
        weights: of the model; the first decides its type and device.

    Raises VadkitError for an unknown stream, a wrong width or shape, no rows, and NaN or infinity. What a compiler
    or an exporter traces is passed on as it is.
    """
    given = _by_name(list(patterns), positional, named)
    if _is_traced() or any(map(_is_symbolic, given.values())):
        return given
    like = next((weight for weight in weights if weight.is_floating_point()), None)
    streams = {name: _tensor(name, value, like) for name, value in given.items()}
    _check_shapes(patterns, streams, len(positional))
    for name, x in streams.items():
        check_numbers(name, x)
    return streams


def _by_name(names: list[str], positional: Sequence[Any], named: Mapping[str, Any]) -> dict[str, Any]:
    if len(positional) > len(names):
        fail(f"the model takes {_streams(len(names))}, got {len(positional)} arrays", f"in order: {', '.join(names)}")
    check_names(names, named)
    given = dict(zip(names, positional))
    twice = [name for name in named if name in given]
    if twice:
        fail(f"stream '{twice[0]}' is given twice, by position and by name", f"the order is {', '.join(names)}")
    return {**given, **named}


def _streams(count: int) -> str:
    return f"{count} stream{'s' * (count != 1)}"


def check_names(known: Sequence[str], given: Iterable[str]) -> None:
    """Raise VadkitError for a stream that the model does not take."""
    for name in given:
        if name not in known:
            hint = did_you_mean(str(name), known) or f"it takes {', '.join(known)}"
            fail(f"the graph has no input '{name}'", hint)


def _is_traced() -> bool:
    return torch.compiler.is_compiling() or bool(torch.jit.is_tracing())  # type: ignore[attr-defined,no-untyped-call]


def _is_symbolic(value: Any) -> bool:
    """Return whether a value holds no numbers: a meta or fake tensor, or what torch.fx traces."""
    fake = type(value).__name__ in ("FakeTensor", "FunctionalTensor", "Proxy")
    return fake or (isinstance(value, Tensor) and value.device.type == "meta")


def _tensor(name: str, value: Any, like: Tensor | None) -> Tensor:
    if not isinstance(value, Tensor):
        x = torch.from_numpy(as_numbers(name, value))
        return x if like is None else x.to(like.device)
    if value.dtype.is_complex or value.dtype == torch.bool:
        fail(f"stream '{name}' holds {value.dtype}; features are float numbers")
    if like is None:
        return value
    if value.device != like.device:
        fail(
            f"stream '{name}' is on {value.device}, the model on {like.device}",
            f"move it: {name}.to('{like.device}'), or load the model with device='{value.device}'",
        )
    return value.to(like.dtype)


def as_numbers(name: str, value: Any) -> np.ndarray:
    """Return an array-like as a contiguous float32 array of its own. Raises VadkitError if it holds no numbers."""
    if isinstance(value, Tensor):
        value = value.detach().cpu()
        value = value.float().numpy() if value.is_floating_point() else value.numpy()
    try:
        array = np.asarray(value)
    except ValueError:  # rows of different lengths
        fail(f"stream '{name}' is no array: its rows differ in length")
    if array.dtype.kind not in "fiu":
        held = type(value).__name__ if array.dtype == object else array.dtype
        fail(f"stream '{name}' holds {held}; features are float numbers", "float16, float32 and float64 are accepted")
    return np.array(array, np.float32, order="C")


def _bags(tokens: Sequence[str | int], width: int) -> str:
    return ", ".join(map(str, (*tokens[:2], width)[: len(tokens)]))


def _check_shapes(patterns: Mapping[str, Pattern], streams: dict[str, Tensor], positional: int) -> None:
    for name, x in streams.items():
        tokens, width = patterns[name].tokens, patterns[name].width
        if tuple(x.shape[2:]) == tokens[2:]:  # the same numbers, unfolded
            streams[name] = x = x.flatten(2) if len(tokens) > 3 else x
        if x.ndim != min(3, len(tokens)):
            fail(
                f"stream '{name}' has shape {tuple(x.shape)}; the model takes bags, ({_bags(tokens, width)})",
                f"{name}[None] is a bag of one; vadkit.score takes (t, width) of one video as it is",
            )
        if len(tokens) > 2 and x.shape[-1] != width:
            fail(wrong_width(name, width, x.shape[-1]), _order_hint(patterns, streams, positional))
        if 0 in x.shape:
            fail(f"stream '{name}' has no rows: its shape is {tuple(x.shape)}")
    first = next(iter(streams), None)
    for name, x in streams.items():
        if first is not None and x.shape[:2] != streams[first].shape[:2]:
            count = next(i for i in (0, 1) if x.shape[i] != streams[first].shape[i])
            fail(
                f"stream '{name}' has {x.shape[count]} {('bags', 'snippets')[count]}, but '{first}' has "
                f"{streams[first].shape[count]}",
                "all streams of a call are of the same bags and snippets; vadkit.score aligns those of one video",
            )


def wrong_width(name: str, wanted: int, found: int) -> str:
    """Return the sentence for a stream of another width."""
    return f"stream '{name}' is {wanted} wide, this array is {found}"


def _order_hint(patterns: Mapping[str, Pattern], streams: Mapping[str, Tensor], positional: int) -> str | None:
    widths = [patterns[name].width for name in streams]
    found = [x.shape[-1] for x in streams.values()]
    if positional > 1 and sorted(map(str, widths)) == sorted(map(str, found)):
        return f"the order is {', '.join(patterns)}; pass streams by name, as {next(iter(patterns))}=..."
    return None


def check_numbers(name: str, x: Tensor) -> None:
    """Raise VadkitError if a stream holds NaN or infinity, with the position of the first."""
    with torch.no_grad():
        try:
            if bool(x.sum(dtype=torch.float64 if x.dtype == torch.float64 else torch.float32).isfinite()):
                return
        except RuntimeError:  # a batch of torch.func.vmap has no numbers to look at
            return
        bad = ~x.isfinite()  # the sum may overflow where no number is infinite
        if not bool(bad.any()):
            return
        place = [int(i) for i in bad.nonzero()[0]]
        kind = "NaN" if bool(x[tuple(place)].isnan()) else "infinity"
    fail(f"stream '{name}' holds {kind} at [{', '.join(map(str, place))}]", "was it cut short, or divided by zero?")
