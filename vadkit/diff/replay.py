"""Extract a few rows of one video again: as a recipe says, or with something changed.

The extraction pass decodes, keeps the clock and resamples; this only cuts what it gives.

Legend: s snippets, f frames, h w height and width, k crops, dim the backbone's width.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args, get_origin

import numpy as np
from torch import Tensor, nn

from vadkit.backbones.frozen import Frozen
from vadkit.components import build_component, find_component
from vadkit.extract.media import open_media
from vadkit.extract.one_pass import extract_video, sound_window
from vadkit.extract.snippets import Clock
from vadkit.graph.arguments import Argument, arguments, misfit
from vadkit.kinds import Backbone, Component
from vadkit.problems import VadkitError, fail

MARGIN = 16  # frames that are kept on either side, for snippets that begin elsewhere
SOUND_MARGIN = 2  # seconds, likewise
CHUNK = 10  # frames given at once
UNRECORDED = ("weights", "random_weights", "device")  # arguments that no field of a recipe holds

Change = Callable[[np.ndarray], np.ndarray]
Fed = Callable[[Tensor], Tensor]


class _Recorder(Backbone):
    """Keeps the frames that the pass feeds it."""

    name = "recorder"
    modality: ClassVar[Literal["rgb", "audio"]] = "rgb"
    dim = 1

    def __init__(self) -> None:
        self.parts: list[np.ndarray] = []

    def recipe(self) -> dict[str, Any]:
        return {}

    def extract(self, snippets: list[np.ndarray]) -> np.ndarray:
        self.parts += snippets
        return np.zeros((len(snippets), 1), np.float32)


class _SoundRecorder(_Recorder):
    """Keeps the samples, a second at a time."""

    modality = "audio"

    def __init__(self, rate: int) -> None:
        super().__init__()
        self.rate = rate

    def recipe(self) -> dict[str, Any]:
        return {"sample_rate": self.rate, "window": self.rate}


@dataclass(frozen=True)
class _Part:
    """Frames or samples ``first`` to ``last``, at ``rate`` a second; fewer if the video ends."""

    rate: float
    first: int
    last: int
    values: np.ndarray


class Footage:
    """The frames and samples of one video, decoded when they are needed; those last asked for are kept.

    Raises VadkitError for a file that cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with open_media(path) as media:
            self.fps = media.fps
            self.size: tuple[int, int] = (media.video.height, media.video.width)
        self._kept: dict[str, _Part] = {}

    def frames(self, fps: float, first: int, last: int) -> np.ndarray:
        """Return uint8 (f, h, w, 3): the frames ``first`` up to ``last`` of the clock; fewer if the video ends."""
        return self._part("frames", self._decode_frames, fps, first, last, MARGIN)

    def samples(self, rate: int, first: int, last: int) -> np.ndarray:
        """Return float32 (last - first,) samples; silence where there is no sound."""
        found = self._part("samples", self._decode_sound, rate, max(first, 0), max(last, 0), SOUND_MARGIN * rate)
        before = max(0, min(-first, last - first))
        return np.pad(found, (before, last - first - before - len(found)))

    def _part(
        self, what: str, decode: Callable[[Any, int, int], _Part], rate: float, first: int, last: int, margin: int
    ) -> np.ndarray:
        part = self._kept.get(what)
        if part is None or part.rate != rate or first < part.first or last > part.last:
            part = self._kept[what] = decode(rate, max(0, first - margin), last + margin)
        return part.values[first - part.first : last - part.first]

    def _decode_frames(self, fps: float, first: int, last: int) -> _Part:
        recorder, limit = _Recorder(), -(-(last - first) // CHUNK)
        found = extract_video(self.path, {"": recorder}, Clock(fps, CHUNK), start=first, limit=limit)
        frames = np.concatenate(recorder.parts) if recorder.parts else np.zeros((0, *found.size, 3), np.uint8)
        return _Part(fps, first, last, frames[: max(0, found.num_frames - first)])

    def _decode_sound(self, rate: int, first: int, last: int) -> _Part:
        recorder, begin, end = _SoundRecorder(rate), first // rate, -(-last // rate)
        clock = Clock(CHUNK, CHUNK)
        extract_video(self.path, {"": recorder}, clock, start=begin * CHUNK, limit=max(1, end - begin))
        samples = np.concatenate([np.zeros(0, np.float32), *recorder.parts])
        return _Part(rate, begin * rate, last, samples)


@dataclass(frozen=True)
class Replay:
    """How rows are extracted. A hypothesis is another Replay.

    Attributes:
        backbone: with its arguments.
        fps: of the clock.
        size: height and width of the pictures.
        snippet_frames, stride: of a snippet; from one to the next.
        start: frames by which all snippets begin later.
        hop: seconds from one window of sound to the next; None: those of the stride.
        delay: seconds by which windows of sound are later.
        seen: changes what the backbone sees of a snippet: frames (f, h, w, 3), or samples (n,).
        flow: changes flow (f - 1, h, w, 2).
        fed: changes what the network is fed, (b, c, ...).
    """

    backbone: Backbone
    fps: float
    size: tuple[int, int]
    snippet_frames: int = 16
    stride: int = 16
    start: int = 0
    hop: float | None = None
    delay: float = 0.0
    seen: Change | None = None
    flow: Change | None = None
    fed: Fed | None = None

    def but(self, **changes: Any) -> Replay:
        """Return it with something changed; a change of arrays comes after those that exist."""
        return replace(self, **{name: _after(getattr(self, name), value) for name, value in changes.items()})

    def rows(self, footage: Footage, first: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the numbers of the rows that could be extracted, of ``count`` from ``first`` on, and (k, s, dim).

        Rows whose frames are not all in the video are left out. Raises VadkitError or ValueError as the backbone does.
        """
        cut = self._windows if self.backbone.modality == "audio" else self._snippets
        snippets = cut(footage, range(first, first + count))
        numbers = np.array([*snippets], int)
        if not snippets:
            return numbers, np.zeros((1, 0, self.backbone.dim), np.float32)
        found = self._extract([*snippets.values()])
        return numbers, found[None] if found.ndim == 2 else found.swapaxes(0, 1)

    def _snippets(self, footage: Footage, rows: range) -> dict[int, np.ndarray]:
        """Return the frames of each row."""
        begins = {row: self.start + self.stride * row for row in rows}
        longer = int(self.backbone.modality == "flow")  # flow ends at the first frame of the next snippet
        low = max(0, begins[rows[0]])
        frames = footage.frames(self.fps, low, begins[rows[-1]] + self.snippet_frames + longer)
        return {
            row: frames[begin - low : begin - low + self.snippet_frames + longer]
            for row, begin in begins.items()
            if begin >= low and begin - low + self.snippet_frames <= len(frames)
        }

    def _windows(self, footage: Footage, rows: range) -> dict[int, np.ndarray]:
        """Return the samples of each row."""
        rate, window = sound_window(self.backbone, self.snippet_frames / self.fps)
        hop, late = self.hop or self.stride / self.fps, round(self.delay * rate)
        begins = {row: round((row + 1) * hop * rate) + late - window for row in rows}
        low = begins[rows[0]]
        samples = footage.samples(rate, low, begins[rows[-1]] + window)
        return {row: samples[begin - low : begin - low + window] for row, begin in begins.items()}

    def _extract(self, snippets: list[np.ndarray]) -> np.ndarray:
        if self.seen:
            snippets = [np.ascontiguousarray(self.seen(snippet)) for snippet in snippets]
        backbone = _with_flow(self.backbone, self.flow) if self.flow else self.backbone
        if self.fed is None:
            return backbone.extract(snippets)
        backbone.extract(snippets[:1])  # networks are loaded when they are first used
        with _changed_input(backbone, self.fed):
            return backbone.extract(snippets)


def _after(first: Any, second: Any) -> Any:
    if not callable(first) or not callable(second):
        return second
    return lambda x: second(first(x))


def _with_flow(backbone: Backbone, change: Change) -> Backbone:
    """Return the backbone with its optical flow changed, see ``vadkit.backbones.flow``; the original stays as it is."""
    flow = getattr(backbone, "optical_flow", None)
    if flow is None:
        fail(f"backbone '{backbone.name}' has no 'optical_flow' that could be changed")
    changed = copy.copy(backbone)
    vars(changed)["optical_flow"] = lambda grey: change(flow(grey))
    return changed


@contextmanager
def _changed_input(backbone: Backbone, change: Fed) -> Iterator[None]:
    """Change what the backbone's networks are fed while the block runs."""

    def hook(_: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        x = args[0]
        return (change(x.float()).to(x.dtype), *args[1:])

    handles = [network.register_forward_pre_hook(hook) for network in _networks(backbone)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _networks(backbone: Backbone) -> list[nn.Module]:
    parts = [part.network if isinstance(part, Frozen) else part for part in vars(backbone).values()]
    return [part for part in parts if isinstance(part, nn.Module)]


# -- the backbone of a recipe --------------------------------------------------------------------------
def rebuild(
    recipe: Mapping[str, Any], weights: str | None = None, device: str = "cpu"
) -> tuple[Backbone, dict[str, Any]]:
    """Return the backbone and its arguments: those whose recipe is that recipe.

    Args:
        recipe: of a stream of a store.
        weights: the weight file, where the backbone needs one.

    Raises VadkitError if no arguments give that recipe, or the file is missing or another one.
    """
    name = recipe.get("backbone")
    if not isinstance(name, str):
        fail("the recipe names no backbone, so features cannot be extracted again by it")
    component = find_component(name, "backbone")
    args = _first_guess(component, recipe, weights, device)
    for argument in arguments(component).values():
        if argument.name not in args and argument.name not in UNRECORDED:
            tried = [{**args, argument.name: value} for value in _options(argument, recipe)]
            best = min(tried, key=lambda given: _misses(component, given, recipe))
            if best[argument.name] != argument.default:
                args = best
    backbone: Backbone = build_component(component, args, f"backbone '{name}'")
    ours = backbone.recipe()
    other = [key for key in ours if ours[key] != recipe.get(key)]
    if other:
        lines = "; ".join(f"{key}: {recipe.get(key)} in the recipe, {ours[key]} here" for key in other[:3])
        hint = f"give the weight file of SHA-256 {recipe.get('weights')}" if "weights" in other else None
        fail(f"backbone '{name}' cannot be built as the recipe says ({lines})", hint)
    return backbone, args


def _first_guess(
    component: type[Component], recipe: Mapping[str, Any], weights: str | None, device: str
) -> dict[str, Any]:
    known = arguments(component)
    args = {
        key: recipe[key]
        for key in known
        if key in recipe and key not in UNRECORDED and misfit(recipe[key], known[key].type) is None
    }
    if "device" in known:
        args["device"] = device
    if "random_weights" in known and recipe.get("weights") == "random":
        args["random_weights"] = True
    elif "weights" in known:
        if weights is None:
            fail(
                f"backbone '{recipe['backbone']}' needs its weight file to extract features again",
                f"--weights FILE; its SHA-256 is {recipe.get('weights')}",
            )
        args["weights"] = weights
    return args


def _options(argument: Argument, recipe: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the values that an argument may have had, its default first."""
    yield argument.default
    if get_origin(argument.type) is Literal:
        yield from get_args(argument.type)
    elif argument.type is bool:
        yield not argument.default
    elif argument.type is int:
        yield from sorted({int(number) for number in re.findall(r"\d+", json.dumps(recipe)) if len(number) < 6})


def _misses(component: type[Component], args: Mapping[str, Any], recipe: Mapping[str, Any]) -> int:
    """Return how many fields of the recipe these arguments do not give."""
    try:
        ours = build_component(component, args, "").recipe()
    except VadkitError:
        return len(recipe) + 1
    return sum(ours[key] != recipe.get(key) for key in ours)
