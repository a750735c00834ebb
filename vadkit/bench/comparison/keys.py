"""The key of a run: a hash of all that decides its figures, so that equal runs are trained once and changed ones again.

It counts

- the resolved graph or recipe with every default, its training and evaluation, without what changes no figure (where
  files are, what is logged, how many workers load);
- the data: names, labels, classes, lengths and intervals of the videos of both splits, and of the features of each
  video the shape and the first, middle and last row: a feature that is changed elsewhere only is not seen;
- the content of every other file that is read: the model of a warm start, prompts, targets, files named in arguments;
- the seed;
- the version of vadkit, and the source file of each component used and of classes outside vadkit that it builds on.

The device, torch and the processor are left out: they move last digits only.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from vadkit import __version__
from vadkit.bench.comparison.spec import Checked, for_seed
from vadkit.components import takes_presence
from vadkit.data.from_config import open_dataset
from vadkit.engine.run_folder import FREE, LENGTH
from vadkit.engine.warm_start import entries
from vadkit.files import sha256
from vadkit.graph.flat import under
from vadkit.plugin_manager import Plugins
from vadkit.presence import absent_spans
from vadkit.problems import VadkitError, fail
from vadkit.rounds.label import weights_digest
from vadkit.video import Video, VideoDataset, crop_of, shape_of

DIGITS = 16  # of the key; two of a million runs are equal with a chance of 3 in 10^8
IGNORED = frozenset(FREE) - frozenset(LENGTH)
ELSEWHERE = ("inputs",)  # how features are extracted: the features themselves count
WARM = "train.warm_start"


@dataclass
class Keys:
    """Computes keys; what several runs share is read once."""

    plugins: Plugins
    data: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)

    def of(self, checked: Checked, seed: int, start: str | None = None) -> tuple[str, dict[str, Any]]:
        """Return the key of a run and what it counts. ``start`` is the key of the run that it starts from."""
        rounds = [(checked.plan.spec, None)] if checked.recipe is None else _rounds(checked)
        parts = [self._graph(for_seed(spec, seed), start, more) for spec, more in rounds]
        found = {"vadkit": __version__, "seed": seed, "rounds": parts}
        text = json.dumps(found, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:DIGITS], found

    def _graph(self, spec: dict[str, Any], start: str | None, more: Any) -> dict[str, Any]:
        flat = {key: value for key, value in _flat(spec) if not under(key, IGNORED) and not key.startswith(WARM)}
        flat.pop("train.seed", None)
        return {
            "graph": {key: value for key, value in flat.items() if key.partition(".")[0] not in ELSEWHERE},
            "round": more,
            "data": self._data(spec),
            "files": self._files(spec, start),
            "components": {name: digest for name, digest in sorted(self._components([spec, more]))},
        }

    # -- files ---------------------------------------------------------------------------------
    def _files(self, spec: dict[str, Any], start: str | None) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for number, entry in enumerate(entries(spec["train"]["warm_start"])):
            found[f"{WARM}.{number}"] = [start or self._content(entry["file"]), entry["nodes"]]
        for key in ("prompts", "targets"):
            file = spec["data"][key]
            if isinstance(file, str) and not (key == "targets" and not os.path.exists(file)):  # a later round's
                found[f"data.{key}"] = self._content(file)
        for key, value in _flat(spec):
            if ".args." in f".{key}" and key not in IGNORED and isinstance(value, str) and os.path.isfile(value):
                found[key] = self._content(value)
        return found

    def _content(self, file: str) -> str:
        if file not in self.files:
            try:  # a model by its weights: its header says where its data was
                is_model = file.endswith(".safetensors")
                self.files[file] = weights_digest(Path(file)) if is_model else sha256(file)
            except OSError as error:
                fail(f"{file}: cannot be read: {(error.strerror or str(error)).lower()}")
        return self.files[file]

    # -- data ----------------------------------------------------------------------------------
    def _data(self, spec: dict[str, Any]) -> str:
        data, splits = spec["data"], dict.fromkeys(("train", "val", spec["eval"]["split"]))
        asked = {key: data[key] for key in ("use", "args", "streams")}
        partial = takes_presence(spec, self.plugins)
        key = json.dumps([asked, list(splits), list(spec["inputs"]), partial], sort_keys=True)
        if key not in self.data:
            dataset, digest = open_dataset(data, self.plugins, partial), hashlib.sha256()
            for split in splits:
                for video in dataset.videos(split):
                    digest.update(_of_video(dataset, video, list(spec["inputs"])))
            self.data[key] = digest.hexdigest()
        return self.data[key]

    # -- components ----------------------------------------------------------------------------
    def _components(self, plain: Any) -> Iterator[tuple[str, str]]:
        for name in _used(plain):
            component: Any = self.plugins.components.find(name)
            if component is not None:
                yield name, _source(component)


def _rounds(checked: Checked) -> list[tuple[dict[str, Any], Any]]:
    assert checked.recipe is not None
    rounds = checked.recipe.rounds
    labels = [None if each.labels is None else each.labels.spec() for each in rounds]
    return [(each.plan.spec, [each.name, each.start, said]) for each, said in zip(rounds, labels, strict=True)]


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _flat(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        for number, item in enumerate(value):
            yield from _flat(item, f"{path}.{number}")
    else:
        yield path, value


def _used(plain: Any) -> set[str]:
    """Return every name that plain data uses, except for backbones."""
    if isinstance(plain, Mapping):
        own = {plain["use"]} if isinstance(plain.get("use"), str) else set()
        return own.union(*(_used(value) for key, value in plain.items() if key not in ELSEWHERE))
    if isinstance(plain, list | tuple):
        return set().union(*map(_used, plain))
    return set()


@cache
def _source(component: Any) -> str:
    """Return a SHA-256 over the source files of a class and of those outside vadkit and torch that it builds on."""
    digest = hashlib.sha256()
    for each in component.__mro__:
        if each.__module__.partition(".")[0] in ("vadkit", "torch", "builtins", "typing", "abc"):
            continue
        try:
            digest.update(sha256(inspect.getfile(each)).encode())
        except (OSError, TypeError):  # a class that no file holds
            digest.update(f"{each.__module__}.{each.__qualname__}".encode())
    return digest.hexdigest()


def _of_video(dataset: VideoDataset, video: Video, streams: list[str]) -> bytes:
    about: list[Any] = [video.name, video.split, video.label, video.classes, video.num_frames, video.fps, video.spans]
    about += [video.clicks] if video.clicks else []
    about += [{stream: spans} for stream in streams if (spans := absent_spans(dataset, video, stream))]
    return json.dumps(about).encode() + b"".join(_of_features(dataset, video, stream) for stream in streams)


def _of_features(dataset: VideoDataset, video: Video, stream: str) -> bytes:
    """Return shape and some rows; what cannot be read fails when it is trained on, with a better message."""
    try:
        shape, rows = shape_of(dataset, video, stream), crop_of(dataset, video, stream, 0)
        picked = np.ascontiguousarray(rows[[0, len(rows) // 2, len(rows) - 1]])
    except (VadkitError, OSError, ValueError, IndexError):
        return b"unreadable"
    return f"{shape}{picked.dtype}".encode() + picked.tobytes()
