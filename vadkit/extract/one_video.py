"""Extract one video into a store: safe to repeat, and nothing is half written.

Executors (``vadkit.extract.executors``), which spread videos over processes, call this and nothing else.

Legend: ``t`` snippets, ``dim`` the backbone's width.
"""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from vadkit.extract.one_pass import Extracted, extract_video, recipe, sound_window
from vadkit.extract.row_buffer import CannotWrite
from vadkit.extract.snippets import Clock
from vadkit.extract.stages import row_shape
from vadkit.files import replacing
from vadkit.kinds import Backbone
from vadkit.numba_cache import provide_numba_cache
from vadkit.presence import in_json
from vadkit.problems import VadkitError, fail
from vadkit.store.manifest import Array, Line, Source, source_of
from vadkit.store.names import array_path
from vadkit.store.store_json import NewStream

Within = Callable[[str, float, float | None], None]  # a video's name, seconds of it done, seconds in all if known

WARM_UP = 64  # pixels of the side of the picture that each backbone is tried with
BLOCK = 4096  # rows written at once


@dataclass(frozen=True)
class Job:
    """What is wanted of each video, and where it goes."""

    out: Path
    backbones: dict[str, Backbone]
    clock: Clock

    def new_streams(self) -> dict[str, NewStream]:
        """Return what a store must know of each stream. Raises VadkitError for a backbone without weights."""
        return {
            stream: NewStream(
                backbone.dim,
                recipe(type(backbone).name, backbone, self.clock),
                backbone.licence,
            )
            for stream, backbone in self.backbones.items()
        }


@dataclass(frozen=True)
class Task:
    """A video to extract: its name in the store, its file, and which streams are wanted."""

    name: str
    file: str
    streams: tuple[str, ...]


class Extractor:
    """Extracts one video after the other with the same backbones. ``within`` is called with the progress in each.

    Raises VadkitError if a backbone does not work at all, before the first video is blamed for it.
    """

    def __init__(self, job: Job, within: Within | None = None) -> None:
        self.job, self.within = job, within
        provide_numba_cache()
        for stream, backbone in job.backbones.items():
            try_out(stream, backbone, job.clock.snippet_frames)

    def __call__(self, task: Task) -> Line:
        """Write the video's arrays and return its line for the manifest; a broken one's says why.

        Raises VadkitError if the store cannot be written.
        """
        source = source_of(task.file)
        try:
            found = extract_video(
                task.file,
                {s: self.job.backbones[s] for s in task.streams},
                self.job.clock,
                folder=self.job.out,
                progress=partial(self.within, task.name) if self.within else None,
            )
        except CannotWrite:
            raise
        except VadkitError as error:
            return broken(task, source, error.problems[0].render())
        except Exception as error:  # noqa: BLE001 - a decoder or backbone may raise anything; the others go on
            where = traceback.extract_tb(error.__traceback__)[-1]
            cause = f"{task.file}: {type(error).__name__}: {error} ({Path(where.filename).name}, line {where.lineno})"
            return broken(task, source, cause)
        arrays = {
            stream: _write(array_path(self.job.out, stream, task.name), features)
            for stream, features in found.streams.items()
        }
        return _line(task, source, found, arrays, self.job.clock.snippet_frames)


def broken(task: Task, source: Source | None, cause: str) -> Line:
    """Return the line of a video that cannot be used."""
    return Line(task.name, "broken", source, cause)


def _line(task: Task, source: Source | None, found: Extracted, arrays: dict[str, Array], frames: int) -> Line:
    return Line(
        task.name,
        "done",
        source,
        fps=found.fps,
        native_fps=found.native_fps,
        num_frames=found.num_frames,
        duration=round(found.duration, 6),
        size=list(found.size),
        has_sound=found.has_sound,
        absent={stream: in_json(spans) for stream, spans in found.absent.items()} or None,
        snippets=len(found.snippet_times),
        clip_start=0.0,
        clip_step=frames / found.fps,
        arrays=arrays,
        warnings=found.warnings,
    )


def try_out(stream: str, backbone: Backbone, frames: int) -> None:
    """Load the networks and run them once. Raises VadkitError if that does not work."""
    if backbone.modality == "audio":
        snippet = np.zeros(sound_window(backbone, 1.0)[1], np.float32)
    else:
        snippet = np.full((frames, WARM_UP, WARM_UP, 3), 128, np.uint8)
    try:
        features = backbone.extract([snippet])
    except VadkitError:
        raise
    except Exception as error:  # noqa: BLE001 - a plugin may raise anything
        fail(f"the backbone of stream '{stream}' does not work: {type(error).__name__}: {error}")
    if features.shape != (1, *row_shape(backbone)):
        fail(f"the backbone of stream '{stream}' gave {features.shape}, not {(1, *row_shape(backbone))}")


class _Hashing:
    """A file that is hashed as it is written."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.hash, self.bytes = file, hashlib.sha256(), 0

    def write(self, data: Any) -> None:
        self.file.write(data)
        self.hash.update(data)
        self.bytes += len(data)


def _write(path: Path, features: np.ndarray) -> Array:
    """Write an array file, all of it or nothing. Raises VadkitError if it cannot."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        hashing = _Hashing(file)
        # In C order whatever the order in memory, a part at a time: features may be large and on disk.
        head: Mapping[str, Any] = {"descr": "<f4", "fortran_order": False, "shape": features.shape}
        np.lib.format.write_array_header_1_0(hashing, head)  # type: ignore[arg-type]
        for block in features.reshape(1, *features.shape) if features.ndim == 2 else features:
            for start in range(0, len(block), BLOCK):
                hashing.write(np.ascontiguousarray(block[start : start + BLOCK], "<f4").tobytes())
    return Array(list(features.shape), hashing.bytes, hashing.hash.hexdigest())
