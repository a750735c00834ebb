"""Write a stand-in of a published feature set: any fraction of it, resumed where it stopped.

Files are written whole or not at all, so an existing one of the right size is finished. ``stand-in.json``
says that the numbers are made up, and how.
"""

from __future__ import annotations

import io
import math
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import get_args

import numpy as np

from vadkit import json_file
from vadkit.datasets.annotations import SNIPPET_FRAMES, Annotated, DataSet, read_annotations
from vadkit.datasets.generating.features import draw, generate_rows
from vadkit.datasets.generating.layouts import TRUTH, layout_of
from vadkit.datasets.generating.lengths import Length, lengths_of, sources
from vadkit.datasets.generating.mark import MARK, Mark
from vadkit.files import replacing, write_text_atomic
from vadkit.problems import fail

SPARE = 256 << 20  # bytes that are left free on the disk
LONGER = 1 / 16  # of the training videos of XD-Violence have a snippet more in RGB than in flow and audio
NOTICE = (
    "made-up numbers under real names, labels and intervals: good for trying, timing and auditing, "
    "never for saying how good a system is"
)
Progress = Callable[[int], None]  # called with bytes that are written


@dataclass(frozen=True)
class Wanted:
    """What to write.

    Args:
        data_set: which one.
        fraction: of its videos, by split and label, at least one of each; a larger one holds all of a smaller one.
        seed: of the choice of videos, of unknown lengths, and of the numbers.
        streams: names, or () for all.
        width: numbers per snippet in every stream; None is the published width.
        linked: crop 0 is written; the others are hard links to it.

    Raises VadkitError for impossible values.
    """

    data_set: DataSet
    fraction: float = 1.0
    seed: int = 0
    streams: tuple[str, ...] = ()
    width: int | None = None
    linked: bool = False

    def __post_init__(self) -> None:
        if self.data_set not in get_args(DataSet):
            read_annotations(self.data_set)  # reports what there is
        if not 0 < self.fraction <= 1:
            fail(f"the fraction must be above 0 and at most 1, not {self.fraction}")
        if self.width is not None and self.width < 1:
            fail(f"the width must be at least 1, not {self.width}")
        if self.seed < 0:
            fail(f"the seed must be 0 or more, not {self.seed}")
        layout_of(self.data_set, self.streams)


@dataclass(frozen=True)
class FilePlan:
    """One feature file: where, of what, and how large."""

    path: Path
    video: Annotated
    stream: str
    crop: int
    shape: tuple[int, int]
    link_to: Path | None = None

    @property
    def size(self) -> int:
        return len(_header(self.shape)) + 4 * math.prod(self.shape)

    def is_complete(self) -> bool:
        try:
            return self.path.stat().st_size == self.size
        except OSError:
            return False


class StandIn:
    """A stand-in in the folder ``out``: what it consists of, and what is missing.

    Raises VadkitError if ``out`` holds something else.
    """

    def __init__(self, out: Path | str, wanted: Wanted) -> None:
        self.out, self.wanted = Path(out), wanted
        self.layout = layout_of(wanted.data_set, wanted.streams)
        self.lengths = lengths_of(wanted.data_set, wanted.seed)
        self.videos = choose(wanted.data_set, wanted.fraction, wanted.seed)
        self._refuse_other()

    def files(self) -> Iterator[FilePlan]:
        """Yield every feature file, the crops of a video in a row."""
        for stream in self.layout:
            for video in self.videos:
                shape = (self.snippets(video, stream.name), self.wanted.width or stream.width)
                first = self.out / stream.path(video, 0)
                for crop in range(stream.crops):
                    link = first if self.wanted.linked and crop else None
                    yield FilePlan(self.out / stream.path(video, crop), video, stream.name, crop, shape, link)

    def snippets(self, video: Annotated, stream: str) -> int:
        """Return the snippets of a video in a stream."""
        t = self.lengths[video.name].snippets
        longer = (
            stream == "rgb"
            and video.split == "train"
            and self.wanted.data_set == "xd_violence"
            and draw(self.wanted.seed, video.name, "longer") < LONGER
        )
        return t + 1 if longer else t

    def missing(self) -> list[FilePlan]:
        """Return the files that are missing or incomplete."""
        return [file for file in self.files() if not file.is_complete()]

    def write(self, progress: Progress | None = None, threads: int = 2) -> None:
        """Write what is missing. Raises VadkitError if the disk has too little space, before anything is written."""
        missing = self.missing()
        self._refuse_full(missing)
        self._write_mark(complete=False)
        with ThreadPoolExecutor(threads, "vadkit-generate") as pool:
            jobs = [pool.submit(self._write_crops, group) for group in _by_video(missing)]
            try:
                for job in as_completed(jobs):
                    if progress is not None:
                        progress(job.result())
                    job.result()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        self._write_lists()
        self._write_mark(complete=True)

    def space(self, missing: Sequence[FilePlan]) -> int:
        """Return the bytes that these files will take."""
        return sum(file.size for file in missing if file.link_to is None)

    def _write_crops(self, files: list[FilePlan]) -> int:
        for file in files:
            if file.link_to is None:
                with replacing(file.path, durable=False) as temporary, temporary.open("wb") as handle:
                    handle.write(_header(file.shape))
                    for block in generate_rows(file.video, file.stream, file.crop, *file.shape, self.wanted.seed):
                        handle.write(block.data)
            else:
                _link(file.link_to, file.path)
        return sum(file.size for file in files)

    def _write_lists(self) -> None:
        for stream in self.layout:
            for split, path in stream.lists.items():
                lines = stream.lines([video for video in self.videos if video.split == split])
                write_text_atomic(self.out / path, "".join(f"{line}\n" for line in lines))
        with replacing(self.out / TRUTH[self.wanted.data_set]) as temporary:
            np.save(temporary, self.truth())

    def truth(self) -> np.ndarray:
        """Return float32 (frames,): 1 in abnormal frames of all test videos, in their order."""
        parts = []
        for video in self.videos:
            if video.split == "test":
                labels = np.zeros(self.lengths[video.name].snippets * SNIPPET_FRAMES, np.float32)
                for start, end in video.spans:
                    labels[start:end] = 1
                parts.append(labels)
        return np.concatenate(parts)

    def _write_mark(self, complete: bool) -> None:
        wanted = self.wanted
        lengths: dict[str, Length] = {video.name: self.lengths[video.name] for video in self.videos}
        mark = {
            "stand_in": 1,
            "of": wanted.data_set,
            "what": NOTICE,
            "complete": complete,
            "fraction": wanted.fraction,
            "seed": wanted.seed,
            "streams": [stream.name for stream in self.layout],
            "width": wanted.width,
            "crops_are_links": wanted.linked,
            "videos": {split: sum(v.split == split for v in self.videos) for split in ("train", "test")},
            "snippets": sum(length.snippets for length in lengths.values()),
            "lengths_from": sources(lengths),
        }
        json_file.write(self.out / MARK, mark)

    def _refuse_other(self) -> None:
        """Raise if the folder is not empty and not the beginning of this stand-in."""
        if self.out.exists() and not self.out.is_dir():
            fail(f"{self.out}: is not a folder")
        if not self.out.exists() or not any(self.out.iterdir()):
            return
        if not (self.out / MARK).is_file():
            fail(f"{self.out}: holds something that is not a stand-in ({MARK} is missing)", hint="use an empty folder")
        mark = json_file.read(
            self.out / MARK, Mark, "the mark of a stand-in", "delete the folder and generate it again"
        )
        other = _difference(mark, self.wanted, [s.name for s in self.layout])
        if other:
            fail(f"{self.out}: holds another stand-in: {other}", hint="use another folder, or delete this one")

    def _refuse_full(self, missing: Sequence[FilePlan]) -> None:
        needed = self.space(missing)
        existing = next(path for path in (self.out.absolute(), *self.out.absolute().parents) if path.exists())
        free = shutil.disk_usage(existing).free
        if needed + SPARE > free:
            fail(
                f"{self.out}: needs {needed / 1e9:.1f} GB more, but the disk has {free / 1e9:.1f} GB free",
                hint="use a smaller --fraction, a smaller --width, or --linked-crops",
            )


def choose(data_set: DataSet, fraction: float, seed: int) -> tuple[Annotated, ...]:
    """Return a fraction of the videos of each split and label, rounded up, in the official order."""
    groups: dict[tuple[str, int], list[Annotated]] = {}
    videos = read_annotations(data_set).videos
    for video in videos:
        groups.setdefault((video.split, video.label), []).append(video)
    chosen = set()
    for group in groups.values():
        group.sort(key=lambda video: draw(seed, video.name, "choice"))
        chosen |= {video.name for video in group[: math.ceil(fraction * len(group))]}
    return tuple(video for video in videos if video.name in chosen)


def _by_video(files: Sequence[FilePlan]) -> list[list[FilePlan]]:
    """Return the files in groups of one video and stream: crop 0 must exist before it is linked to."""
    groups: dict[tuple[str, str], list[FilePlan]] = {}
    for file in files:
        groups.setdefault((file.stream, file.video.name), []).append(file)
    return list(groups.values())


@lru_cache(maxsize=4096)
def _header(shape: tuple[int, int]) -> bytes:
    """Return the header of a float32 .npy file."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def _link(target: Path, path: Path) -> None:
    with replacing(path, durable=False) as temporary:
        temporary.unlink()
        os.link(target, temporary)


def _difference(mark: Mark, wanted: Wanted, streams: Sequence[str]) -> str | None:
    """Return how a folder differs from the beginning of what is wanted."""
    same = {"of": wanted.data_set, "seed": wanted.seed, "width": wanted.width, "crops_are_links": wanted.linked}
    for key, value in same.items():
        if getattr(mark, key) != value:
            return f"its {key.replace('_', ' ')} is {getattr(mark, key)!r}, not {value!r}"
    if mark.fraction > wanted.fraction:
        return f"it is {mark.fraction} of the data set, more than {wanted.fraction}"
    more = [stream for stream in mark.streams if stream not in streams]
    return f"it has the stream {more[0]}, too" if more else None
