"""Corrupted copies of many videos in one folder, and its record, by which a later call knows what is finished.

OUT/NAME.mp4          the copy of each video
OUT/corruptions.json  the corruptions, the seed, and of each copy the file that it is of
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import msgspec

from vadkit import __version__, json_file
from vadkit.corrupt.chain import Damage, check_seed, described
from vadkit.corrupt.copy import write_copy
from vadkit.files import make_folder, remove_leftovers
from vadkit.predict.inputs import identity, search
from vadkit.predict.result_names import result_names, shared_names
from vadkit.problems import VadkitError, fail
from vadkit.results_folder import claim, writing
from vadkit.store.manifest import Source, source_of

RECORD = "corruptions.json"
FORMAT = 1
Watch = Callable[[float, int, str], None]  # videos done, videos in all, the name of the one at work


class CopyJson(msgspec.Struct):
    """A copy: the video that it is of, and its length in bytes."""

    path: str
    source: Source
    bytes: int
    warnings: list[str] = []


class RecordJson(msgspec.Struct):
    """corruptions.json."""

    vadkit_corrupt: int
    corruptions: list[dict[str, Any]]
    seed: int
    made_with: dict[str, str]
    videos: dict[str, CopyJson] = {}


@dataclass(frozen=True)
class Copied:
    """A video and its corrupted copy, or why there is none."""

    video: Path
    file: Path | None = None
    warnings: tuple[str, ...] = ()
    error: str | None = None
    skipped: bool = False


def corrupt_videos(
    videos: Sequence[str | Path],
    damages: Sequence[Damage],
    out: Path,
    *,
    seed: int = 0,
    overwrite: bool = False,
    watch: Watch | None = None,
    report: Callable[[Copied], None] | None = None,
    note: Callable[[str], None] | None = None,
) -> list[Copied]:
    """Write a corrupted copy of each video to ``out``; skip those that are finished.

    Raises VadkitError if nothing can begin: no video, a folder that cannot be written, or that holds copies with other
    corruptions. What is wrong with a single video is in its outcome.
    """
    check_seed(seed)
    found = search(videos, out)
    if not found.videos:
        raise VadkitError(found.problems)
    make_folder(out)
    folder = _Folder(out, damages, seed, found.videos, overwrite)
    names = result_names(found.videos, folder.names)
    for text in (*found.notes, *shared_names(found.videos, names)):
        if note:
            note(text)
    given, outcomes = dict(zip(found.videos, names)), []
    for number, (path, problem) in enumerate(found.entries):
        if problem is not None:
            outcome = Copied(path, error=problem.render())
        else:
            within = _within(watch, number, len(found.entries), path.name)
            outcome = folder.copy(path, given[path], within)
        outcomes.append(outcome)
        if report:
            report(outcome)
    return outcomes


def _within(watch: Watch | None, number: int, count: int, name: str) -> Callable[[float, float | None], None] | None:
    if watch is None:
        return None
    return lambda done, total: watch(number + (min(1.0, done / total) if total else 0.0), count, name)


class _Folder:
    """The folder of the copies, and its record."""

    def __init__(
        self, out: Path, damages: Sequence[Damage], seed: int, videos: Sequence[Path], overwrite: bool
    ) -> None:
        self.out, self.damages, self.seed = out, damages, seed
        claim([out / RECORD], videos)
        remove_leftovers(out)
        versions = {"vadkit": __version__, "av": av.__version__, "python": platform.python_version()}
        self.record = RecordJson(FORMAT, described(damages), seed, versions)
        earlier = self._earlier()
        self.owners = {} if earlier is None else earlier.videos
        if earlier is None or overwrite:
            return
        if (earlier.corruptions, earlier.seed) != (self.record.corruptions, seed):
            used = (
                ", ".join(f"{one.get('use')}:{one.get('severity')}" for one in earlier.corruptions) or "no corruption"
            )
            fail(
                f"{out} holds copies with {used or 'nothing'}, seed {earlier.seed}",
                "choose another --out, or replace them with --overwrite",
            )
        self.record.videos = dict(earlier.videos)

    @property
    def names(self) -> dict[str, Path]:
        """The videos that have copies, by name."""
        return {name: Path(copy.path) for name, copy in {**self.owners, **self.record.videos}.items()}

    def _earlier(self) -> RecordJson | None:
        path = self.out / RECORD
        if not path.is_file():
            return None
        try:
            found = json_file.read(path, RecordJson)
        except VadkitError:  # damaged: all copies are written again
            return None
        return found if found.vadkit_corrupt == FORMAT else None

    def copy(self, video: Path, name: str, progress: Callable[[float, float | None], None] | None) -> Copied:
        """Write the copy of a video, unless it is finished."""
        target = self.out / f"{name}.mp4"
        try:
            source = source_of(video)
            if self._is_finished(name, target, source):
                return Copied(video, target, tuple(self.record.videos[name].warnings), skipped=True)
            claim([target], [video])
            with writing(target):
                warnings = write_copy(video, target, self.damages, self.seed, video.stem, progress)
            assert source is not None  # the file was read
            self.record.videos[name] = CopyJson(str(identity(video)), source, target.stat().st_size, warnings)
            with writing(self.out / RECORD):
                json_file.write(self.out / RECORD, self.record)
            return Copied(video, target, tuple(warnings))
        except VadkitError as error:
            return Copied(video, error="\n".join(problem.render() for problem in error.problems))

    def _is_finished(self, name: str, target: Path, source: Source | None) -> bool:
        known = self.record.videos.get(name)
        try:
            return known is not None and known.source == source and target.stat().st_size == known.bytes
        except OSError:
            return False
