"""Write a corrupted copy of one video: decoded, damaged and encoded in one pass, in memory that does not grow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import av
import numpy as np

from vadkit.corrupt.chain import Chain, Damage
from vadkit.corrupt.mp4_file import Mp4File, sound_rate
from vadkit.corrupt.sound_track import OneRate, level_of
from vadkit.extract.media import Media, Picture, Samples, open_media
from vadkit.extract.open_file import open_output
from vadkit.extract.sound import SoundLine
from vadkit.files import replacing
from vadkit.kinds import Track
from vadkit.problems import fail

Progress = Callable[[float, float | None], None]  # seconds done, seconds in all if known


def write_copy(
    source: Path,
    target: Path,
    damages: Sequence[Damage],
    seed: int,
    name: str | None = None,
    progress: Progress | None = None,
) -> list[str]:
    """Write a copy of ``source`` with all ``damages`` to ``target``, an mp4 file, and return what to know of it.

    Without damages, the copy is only encoded again. ``name`` decides what is drawn, with the seed; None is the name of
    the file without its suffix. ``target`` is replaced once the copy is complete. Raises VadkitError if the source
    cannot be used, or the target not be written.
    """
    chain = Chain(damages, seed, source.stem if name is None else name)
    with open_media(source) as media, replacing(target) as temporary:
        notes = _notes(chain, media)
        try:
            with open_output(temporary, options={"movflags": "faststart"}) as sink:
                copy = _Copy(media, sink, chain)
                for event in media.events():
                    copy.add(event)
                    if progress and isinstance(event, Picture):
                        progress(event.time, media.duration)
                copy.finish()
        except (av.FFmpegError, ValueError) as error:
            fail(f"{source}: cannot write a corrupted copy ({getattr(error, 'strerror', None) or error})")
        return [*notes, *media.warnings]


def _notes(chain: Chain, media: Media) -> list[str]:
    if media.audio is None and chain.of_sound:
        names = ", ".join(corruption.name for corruption in chain.of_sound)
        return [f"there is no sound that {names} could damage"]
    return []


class _Copy:
    """One pass: events of the file go through the chain, and into the new file."""

    def __init__(self, media: Media, sink: av.container.OutputContainer, chain: Chain) -> None:
        self.chain, self.size = chain, (0, 0)
        rate = None if media.audio is None else sound_rate(media.audio.codec_context.sample_rate)
        self.file = Mp4File(sink, media.fps, rate)
        self.line, self.one_rate = SoundLine(), OneRate(rate or 1)
        level = level_of(media.path) if rate and chain.of_sound else 0.0
        chain.begin(Track(media.fps), Track(rate or 1, level))

    def add(self, event: Picture | Samples) -> None:
        if isinstance(event, Picture):
            self._picture(event)
            return
        for piece in self.line.lay(event.time, event.rate, event.mono):
            self._sound(self.one_rate.feed(event.rate, piece))

    def finish(self) -> None:
        for frame, time in self.chain.last_frames():
            self.file.frame(frame, time)
        if self.file.audio is not None:
            self._sound(self.one_rate.finish())
            self.file.samples(self.chain.last_samples())
        self.file.finish()

    def _picture(self, picture: Picture) -> None:
        if not self.size[0]:  # H.264 with 4:2:0 pixels needs even sizes
            height, width = picture.size
            self.size = max(2, height // 2 * 2), max(2, width // 2 * 2)
        for frame, time in self.chain.frame(picture.rgb(*self.size), picture.time):
            self.file.frame(frame, time)

    def _sound(self, samples: np.ndarray) -> None:
        if len(samples):
            self.file.samples(self.chain.samples(samples))
