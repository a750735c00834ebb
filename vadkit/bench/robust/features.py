"""The features of corrupted videos: extracted with the recipe of the model, kept, and extracted once.

OUT/features/CONDITION-seedN/VIDEO.safetensors holds, under the digest of each recipe, float32 (t, dim) or
(crops, t, dim), and in its metadata what they were extracted from and where there is nothing to describe. Only streams
whose modality is damaged are in it. A video is cut at the frame rate of the original, whatever its copy states.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av
import msgspec
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as unpack
from safetensors.numpy import save as pack

from vadkit import __version__
from vadkit.bench.robust.conditions import Condition
from vadkit.components import find_component
from vadkit.corrupt.copy import write_copy
from vadkit.extract.one_pass import extract_video
from vadkit.extract.snippets import Clock
from vadkit.files import cannot_read, make_folder, open_file, sha256, write_atomically
from vadkit.kinds import Backbone
from vadkit.predict.system import System
from vadkit.presence import Spans, from_json, in_json
from vadkit.problems import fail
from vadkit.results_folder import writing
from vadkit.store.manifest import source_of
from vadkit.store.store_json import Absent
from vadkit.video import VIDEO_SUFFIXES, Video

KEY = "vadkit_robust"  # of the metadata
DIGITS = 16
GAPS = dict[str, Absent]


@dataclass(frozen=True)
class Stream:
    """How a stream is extracted: its backbone, and how videos are cut. ``key`` is the digest of the recipe."""

    key: str
    backbone: Backbone
    clock: Mapping[str, Any]

    @classmethod
    def of(cls, system: System, name: str) -> Stream:
        """Return that of an input."""
        text = json.dumps(system.recipes[name], sort_keys=True)
        return cls(hashlib.sha256(text.encode()).hexdigest()[:DIGITS], system.backbones[name], system.clock)


@dataclass(frozen=True)
class Damaged:
    """A corrupted video: its features by the key of their stream, where they are absent, how much longer it lasts."""

    arrays: Mapping[str, np.ndarray]
    absent: Mapping[str, Spans]
    ratio: float


NOTHING = Damaged({}, {}, 1.0)


@dataclass
class DamagedFeatures:
    """Extracts the features of corrupted videos, and reads those that are finished.

    Args:
        out: folder of the benchmark.
        streams: of all models, each once.
        seed: of the corruptions.
        keep_media: keep the corrupted videos in OUT/media.
    """

    out: Path
    streams: Sequence[Stream]
    seed: int
    keep_media: bool = False

    def of(self, condition: Condition, video: Video, file: Path) -> Damaged:
        """Return the features of a video under a condition. Raises VadkitError."""
        wanted = {s.key: s for s in self.streams if condition.touches(s.backbone.modality)}
        path = self.out / "features" / f"{condition.folder}-seed{self.seed}" / f"{video.name}.safetensors"
        stamp = self._stamp(condition, video, file)
        found = _read(path, stamp)
        missing = {key: stream for key, stream in wanted.items() if key not in found.arrays}
        if missing:
            new = self._extract(condition, video, file, missing)
            found = Damaged({**found.arrays, **new.arrays}, {**found.absent, **new.absent}, new.ratio)
            self._write(path, found, stamp)
        return Damaged({key: found.arrays[key] for key in wanted}, found.absent, found.ratio)

    def _stamp(self, condition: Condition, video: Video, file: Path) -> dict[str, Any]:
        """Return what the features are of: another one makes them stale."""
        sources = [inspect.getfile(find_component(damage.name, "corruption")) for damage in condition.damages]
        return {
            "source": msgspec.to_builtins(source_of(file)),
            "seed": self.seed,
            "corruptions": [str(damage) for damage in condition.damages],
            "code": [sha256(source) for source in sources],
            "frames": [video.num_frames, video.fps],
            "made_with": {"vadkit": __version__, "av": av.__version__},
        }

    def _extract(self, condition: Condition, video: Video, file: Path, streams: Mapping[str, Stream]) -> Damaged:
        with ExitStack() as stack:
            if self.keep_media:
                media = self.out / "media" / f"{condition.folder}-seed{self.seed}" / f"{video.name}.mp4"
                make_folder(media.parent)
                stack.enter_context(writing(media))
            else:
                media = Path(stack.enter_context(TemporaryDirectory()), f"{video.name}.mp4")
            write_copy(file, media, condition.damages, self.seed, file.stem)
            return self._features(condition, media, video, streams)

    def _features(self, condition: Condition, media: Path, video: Video, streams: Mapping[str, Stream]) -> Damaged:
        found, absent, frames = dict[str, np.ndarray](), dict[str, Spans](), 0
        if condition.moves_time and not video.num_frames:
            fail(f"video '{video.name}': its frame count is unknown", "set num_frames in videos.json")
        clocks = {json.dumps(stream.clock, sort_keys=True): stream.clock for stream in streams.values()}
        for text, clock in clocks.items():
            chosen = {k: s.backbone for k, s in streams.items() if json.dumps(s.clock, sort_keys=True) == text}
            fps = clock["fps"] or video.fps
            if fps is None:
                fail(f"video '{video.name}': its frame rate is unknown", "set fps in videos.json")
            extracted = extract_video(media, chosen, Clock(**{**clock, "fps": fps}))
            found |= {key: np.ascontiguousarray(array) for key, array in extracted.streams.items()}
            absent |= extracted.absent
            frames = extracted.num_frames
        return Damaged(found, absent, frames / (video.num_frames or frames))

    def _write(self, path: Path, found: Damaged, stamp: dict[str, Any]) -> None:
        absent = {key: in_json(spans) for key, spans in found.absent.items()}
        make_folder(path.parent)
        with writing(path):
            meta = {**stamp, "ratio": found.ratio, "absent": absent}
            write_atomically(path, pack(dict(found.arrays), {KEY: json.dumps(meta)}))


def _read(path: Path, stamp: Mapping[str, Any]) -> Damaged:
    """Return the features of a file if it is whole and of the same video, corruption and versions; else nothing."""
    try:
        with open_file(path) as file:
            data = file.read()
        meta = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"][KEY]
        stated = json.loads(meta)
        ratio = float(stated.pop("ratio"))
        absent = {key: from_json(value) for key, value in msgspec.convert(stated.pop("absent"), GAPS).items()}
        return Damaged(unpack(data), absent, ratio) if stated == stamp else NOTHING
    except (OSError, SafetensorError, ValueError, KeyError, TypeError):
        return NOTHING


def files_of(videos: Sequence[Video], root: Path, folder: Path | None) -> dict[str, Path]:
    """Return the file of each video by name: as the data set states it, or the one of that name in a folder.

    Raises VadkitError if files are missing.
    """
    found = {video.name: _file_of(video, root, folder) for video in videos}
    missing = [name for name, file in found.items() if file is None or not file.is_file()]
    if missing:
        where = f"in {folder}" if folder else "where the data set says"
        fail(
            f"{len(missing)} of {len(videos)} test videos are not {where}; the first is '{missing[0]}'",
            "say where they are with --videos DIR; a video's name is that of its file, without the suffix",
        )
    return {name: file for name, file in found.items() if file is not None}


def _file_of(video: Video, root: Path, folder: Path | None) -> Path | None:
    if folder is None:
        return None if video.file is None else root / video.file
    names = [video.name, *([Path(video.file).stem] if video.file else [])]
    return next((path for name in names for path in _named(folder, name)), None)


def _named(folder: Path, name: str) -> list[Path]:
    """Return the videos of a folder that are called ``name``, without their suffix."""
    try:
        return sorted(p for p in folder.iterdir() if p.stem == name and p.suffix.lower() in VIDEO_SUFFIXES)
    except OSError as error:
        cannot_read(folder, error)
