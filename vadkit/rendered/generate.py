"""Write a rendered set into a folder, in which finished videos are reused.

OUT/videos/NAME.mp4        the recordings
OUT/LABELS.csv             their labels; no scene is in training and in test
OUT/transfer_a.csv, ..._b  two halves of the scenes, to train on one and test on the other
OUT/recordings.json        all that happens in them, also in training videos: for people, not for training
OUT/rendered.json          which set it is
OUT/index.html             a page to look at
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from vadkit import json_file
from vadkit.demo.render import write
from vadkit.extract.workers import spread
from vadkit.files import in_bytes, make_folder, remove_leftovers, write_text_atomic
from vadkit.problems import fail
from vadkit.rendered.mark import MARK, VERSION, Mark, read_mark
from vadkit.rendered.plan import Recording, Wanted, make_plan
from vadkit.rendered.stage import Stage
from vadkit.rendered.tables import RECORDINGS, facts, tables
from vadkit.results_folder import writing

BYTES = 40_000  # of a second of video, at most: snow at night takes the most
SPARE = 64 << 20  # bytes that are left free on the disk
PAGE = "index.html"
Progress = Callable[[float], None]  # called with seconds of video that are finished


class RenderedSet:
    """A rendered set in the folder ``out``: what it consists of, and what is missing.

    Raises VadkitError if ``out`` holds something else.
    """

    def __init__(self, out: Path, wanted: Wanted) -> None:
        self.out, self.wanted = out, wanted
        self._refuse_other()
        self.recordings = make_plan(wanted)

    def file(self, recording: Recording) -> Path:
        return self.out / "videos" / f"{recording.name}.mp4"

    def missing(self) -> list[Recording]:
        """Return the recordings without a finished video."""
        return [recording for recording in self.recordings if not self.file(recording).is_file()]

    def write(self, progress: Progress, workers: int = 2) -> None:
        """Render what is missing, with as many processes as ``workers``; their number changes no byte.

        Raises VadkitError if the disk has too little space, before anything is written.
        """
        missing = self.missing()
        self._refuse_full(missing)
        make_folder(self.out)
        self._write_mark(complete=False)
        make_folder(self.out / "videos")
        longest_first = sorted(missing, key=lambda recording: -recording.frames)
        try:
            for seconds in spread(partial(_Renderer, self), longest_first, workers if len(missing) > 1 else 0):
                progress(seconds)
        finally:
            remove_leftovers(self.out / "videos")  # of processes that were ended in the middle of a video
        texts = tables(self.recordings)
        with writing(*(self.out / name for name in (*texts, RECORDINGS))):
            for name, text in texts.items():
                write_text_atomic(self.out / name, text)
            json_file.write_rows(self.out / RECORDINGS, facts(self.recordings))
        self._write_mark(complete=True)

    def _mark(self, complete: bool) -> Mark:
        return Mark(VERSION, self.wanted.hours, self.wanted.scenes, self.wanted.seed, complete)

    def _write_mark(self, complete: bool) -> None:
        json_file.write(self.out / MARK, self._mark(complete))

    def _refuse_other(self) -> None:
        """Raise if the folder is not empty and not the beginning of this set."""
        if not os.path.lexists(self.out) or (self.out.is_dir() and not any(self.out.iterdir())):
            return
        if not self.out.is_dir():
            fail(f"{self.out}: is not a folder", "choose another --out")
        if not (self.out / MARK).is_file():
            fail(f"{self.out}: holds something that is not a rendered set ({MARK} is missing)", "use an empty folder")
        known, ours = read_mark(self.out), self._mark(True)
        for key, what in (("rendered", "version"), ("hours", "hours"), ("scenes", "scenes"), ("seed", "seed")):
            if getattr(known, key) != getattr(ours, key):
                fail(
                    f"{self.out}: holds another rendered set: {what} {getattr(known, key)}, not {getattr(ours, key)}",
                    "use another folder, or delete this one",
                )

    def _refuse_full(self, missing: Sequence[Recording]) -> None:
        needed = round(sum(recording.seconds for recording in missing) * BYTES)
        existing = next(path for path in (self.out.absolute(), *self.out.absolute().parents) if path.exists())
        free = shutil.disk_usage(existing).free
        if needed + SPARE > free:
            fail(
                f"{self.out}: needs up to {in_bytes(needed)} more, but the disk has {in_bytes(free)} free",
                "use fewer --hours, or another --out",
            )


class _Renderer:
    """Renders in a worker process."""

    def __init__(self, rendered: RenderedSet) -> None:
        self.rendered = rendered

    def __call__(self, recording: Recording) -> float:
        write(Stage(recording), self.rendered.file(recording))
        return recording.seconds
