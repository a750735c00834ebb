"""What may differ in an extraction: each hypothesis a description and a way to extract so, to be tried on a video.

Legend: f frames, h w height and width, c channels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, get_args, get_origin

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vadkit.backbones.crops import Order, num_crops, resized_size
from vadkit.components import build_component
from vadkit.diff.replay import Replay
from vadkit.extract.one_pass import sound_window
from vadkit.graph.arguments import arguments

# Mean and deviation per channel that grey levels 0 to 255 are normalised by.
Normalisation = tuple[tuple[float, ...], tuple[float, ...]]
NORMALISATIONS: dict[str, Normalisation] = {
    "[-1, 1]": ((127.5,), (127.5,)),
    "[0, 1]": ((0.0,), (255.0,)),
    "grey levels 0 to 255": ((0.0,), (1.0,)),
    "mean 114.75, deviation 57.375 (Kinetics)": ((114.75,), (57.375,)),
    "ImageNet's mean and deviation": ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
    "CLIP's mean and deviation": ((122.7709, 116.7460, 104.0937), (68.5005, 66.6322, 70.3232)),
    "ImageNet's mean, no deviation": ((123.675, 116.28, 103.53), (1.0, 1.0, 1.0)),
}
# Their names in recipes.
OWN = {
    "x / 255 * 2 - 1": "[-1, 1]",
    "x / 127.5 - 1": "[-1, 1]",
    "x / 255": "[0, 1]",
    "CLIP": "CLIP's mean and deviation",
    "(x - 114.75) / 57.375": "mean 114.75, deviation 57.375 (Kinetics)",
    "ImageNet": "ImageNet's mean and deviation",
}
FPS = (24.0, 25.0, 30.0, 15.0, 12.0)
KEPT = ("weights", "random_weights", "device", "model", "activation", "pca", "non_local")  # belong to the weights


@dataclass(frozen=True)
class Hypothesis:
    """One difference. ``field`` is what it is about, ``text`` describes it; ``change`` may raise VadkitError or
    ValueError."""

    field: str
    text: str
    change: Callable[[Replay], Replay]


def hypotheses(replay: Replay, args: Mapping[str, Any]) -> Iterator[Hypothesis]:
    """Yield what is worth trying for features extracted as ``replay`` does, with those arguments of the backbone."""
    modality = replay.backbone.modality
    if modality == "audio":
        yield from _of_sound(replay)
    else:
        yield from _of_pictures(replay)
        yield from _of_size(replay)
    if modality == "rgb":
        yield from _of_normalisation(replay)
    if modality == "flow":
        yield from _of_flow()
    yield from _of_arguments(replay, args)
    if modality != "audio":  # last, because frames must be decoded again
        yield from _of_time(replay)


def _change(field: str, text: str, **changes: Any) -> Hypothesis:
    return Hypothesis(field, text, lambda replay: replay.but(**changes))


def _of_pictures(replay: Replay) -> Iterator[Hypothesis]:
    yield _change("colour", "BGR for RGB", seen=lambda x: x[..., ::-1])
    yield _change("mirrored", "pictures mirrored left to right", seen=lambda x: x[:, :, ::-1])
    if replay.snippet_frames > 1:
        yield _change("frames", "frames of a snippet in reverse order", seen=lambda x: x[::-1])


def _of_time(replay: Replay) -> Iterator[Hypothesis]:
    yield from starts((1, 2, 4, replay.snippet_frames // 2, replay.stride))
    for stride in dict.fromkeys((replay.stride // 2, replay.stride * 2)):
        if stride:
            yield _change("stride", f"a snippet begins every {stride} frames, not {replay.stride}", stride=stride)
    for fps in FPS:
        if abs(fps - replay.fps) > 0.01:
            yield _change("fps", f"{fps:g} frames a second, not {replay.fps:g}", fps=fps)


def starts(frames: Iterable[int]) -> Iterator[Hypothesis]:
    """Yield snippets that begin that many frames later and earlier."""
    for start in dict.fromkeys(signed for k in frames if k for signed in (k, -k)):
        count = f"{abs(start)} frame{'s' if abs(start) > 1 else ''}"
        yield _change("start", f"snippets begin {count} {'later' if start > 0 else 'earlier'}", start=start)


def together(first: Hypothesis, second: Hypothesis) -> Hypothesis:
    """Return the hypothesis that both are so."""
    both = f"{first.text}; {second.text}"
    return Hypothesis(f"{first.field} and {second.field}", both, lambda replay: second.change(first.change(replay)))


def _of_size(replay: Replay) -> Iterator[Hypothesis]:
    side = getattr(replay.backbone, "short_side", None)
    if not isinstance(side, int):
        return
    usual, squeezed = resized_size(*replay.size, side), (side, round(side * 340 / 256))
    ways = {
        "without antialiasing (as OpenCV's INTER_LINEAR)": (usual, "bilinear", False),
        "bilinear, antialiased": (usual, "bilinear", True),
        "bicubic, antialiased": (usual, "bicubic", True),
        f"to {squeezed[1]} x {squeezed[0]}, whatever the shape of the picture": (squeezed, "bilinear", True),
    }
    for how, (size, mode, antialias) in ways.items():
        yield _change("resize", f"resized {how}", seen=partial(_resized, size=size, mode=mode, antialias=antialias))


def _resized(frames: np.ndarray, size: tuple[int, int], mode: str, antialias: bool) -> np.ndarray:
    x = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2).float()
    x = F.interpolate(x, size, mode=mode, antialias=antialias).round().clamp(0, 255)
    return x.to(torch.uint8).permute(0, 2, 3, 1).numpy()


def _of_normalisation(replay: Replay) -> Iterator[Hypothesis]:
    name = OWN.get(str(replay.backbone.recipe().get("normalise")))
    if name is None:
        return
    for other in NORMALISATIONS:
        if other != name:
            yield _change("normalise", f"normalised to {other}, not {name}", fed=_renormalised(name, other))


def _renormalised(own: str, other: str) -> Callable[[Tensor], Tensor]:
    def change(x: Tensor) -> Tensor:
        mean, deviation = (_channels(values, x) for values in NORMALISATIONS[own])
        other_mean, other_deviation = (_channels(values, x) for values in NORMALISATIONS[other])
        return (x * deviation + mean - other_mean) / other_deviation

    return change


def _channels(values: tuple[float, ...], x: Tensor) -> Tensor:
    return torch.tensor(values, device=x.device).view(1, -1, *[1] * (x.dim() - 2))


def _of_flow() -> Iterator[Hypothesis]:
    yield _change("flow_sign", "flow of the other sign", flow=lambda v: -v)
    yield _change("flow_axes", "x and y of the flow swapped", flow=lambda v: v[..., ::-1].copy())
    yield _change("flow_sign", "x of the flow of the other sign", flow=lambda v: v * np.array([-1, 1], v.dtype))
    yield _change("flow_sign", "y of the flow of the other sign", flow=lambda v: v * np.array([1, -1], v.dtype))


def _of_sound(replay: Replay) -> Iterator[Hypothesis]:
    seconds = replay.stride / replay.fps
    rate, samples = sound_window(replay.backbone, seconds)
    window = samples / rate
    places = {
        "begin where the snippet begins": window - seconds,
        "are centred on the snippet": (window - seconds) / 2,
        "are one snippet later": seconds,
        "are one snippet earlier": -seconds,
        "are half a snippet later": seconds / 2,
        "are half a snippet earlier": -seconds / 2,
    }
    for where, delay in places.items():
        if abs(delay) > 1e-3:
            yield _change("sound_shift", f"windows of sound {where}", delay=delay)
    if abs(seconds - 0.96) > 1e-3:
        how = "a window of sound every 0.96 s, not with each snippet"
        yield _change("sound_hop", how, hop=0.96, delay=window - 0.96)
    yield _change("gain", "sound as whole numbers (16 bits)", seen=lambda x: x * 32768)
    yield _change("gain", "sound at half its level", seen=lambda x: x / 2)
    yield _change("gain", "sound brought to a peak of 1", seen=lambda x: x / max(float(np.abs(x).max()), 1e-9))


def _of_arguments(replay: Replay, args: Mapping[str, Any]) -> Iterator[Hypothesis]:
    """Yield another value for each argument of the backbone that has a list of values."""
    for argument in arguments(type(replay.backbone)).values():
        now = args.get(argument.name, argument.default)
        if argument.name in KEPT:
            continue
        options: tuple[Any, ...] = get_args(argument.type) if get_origin(argument.type) is Literal else ()
        if argument.name == "short_side" and isinstance(now, int):
            options = (112, 128, 224, 240, 256)
        if argument.name == "crops":
            options = _orders(replay.backbone.num_crops)
        for value in options:
            if value not in (now, "auto"):
                text = f"{argument.name}: {value}, not {now}"
                yield Hypothesis(argument.name, text, with_argument(args, argument.name, value))


def _orders(count: int) -> tuple[str, ...]:
    """Return orders with as many crops; where there is one, those that show other parts of the picture."""
    if count == 1:
        return ("whole", "five")
    return tuple(order for order in get_args(Order) if num_crops(order) == count)


def with_argument(args: Mapping[str, Any], name: str, value: Any) -> Callable[[Replay], Replay]:
    """Return the change that an argument of the backbone has another value."""

    def change(replay: Replay) -> Replay:
        return replay.but(backbone=build_component(type(replay.backbone), {**args, name: value}, "backbone"))

    return change
