"""What the name of a feature file means: which video, which crop, which stream.

``Abuse001_x264__3``, ``01_0014_3``, ``Abuse001_x264_i3d``, ``X_label_B1-0-0__vggish``, ``Abuse001_x264_C`` and
so on, with or without a stray ``.mp4``. Names of videos hold ``#``, ``=``, dots and underscores themselves, so
a suffix is removed only if the rest must be a known name.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from dataclasses import dataclass

from vadkit.video import VIDEO_SUFFIXES

# Suffixes that give the stream of a file. "_i3d" does not: there is I3D of pictures and of flow.
STREAM_OF = {
    "vggish": "audio",
    "audio": "audio",
    "flow": "flow",
    "rgb": "rgb",
    "clip": "clip",
    "vit": "clip",
    "i3d": None,
    "c3d": None,
    "c": None,
}
VIDEO = "|".join(map(re.escape, sorted(VIDEO_SUFFIXES)))
TOKEN = re.compile(
    r"(?P<crop>_{1,2}(?:crop_?)?(?P<number>\d{1,2}))$|"
    rf"(?P<video>{VIDEO})$"
    rf"|_{{1,2}}(?P<word>{'|'.join(STREAM_OF)})$",
    re.IGNORECASE,
)
# If names are not known beforehand, only what is unlikely to be part of a name is removed.
SAFE = re.compile(
    rf"(?P<crop>__(?P<number>\d{{1,2}}))$|(?P<video>{VIDEO})$"
    rf"|_{{1,2}}(?P<word>{'|'.join(word for word in STREAM_OF if len(word) > 1)})$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Read:
    """``crop`` and ``stream`` are None where the name does not give them."""

    name: str
    crop: int | None = None
    stream: str | None = None


def read_name(stem: str, known: Container[str] | None = None) -> Read | None:
    """Return what a file's name without suffix means.

    Args:
        stem: the name.
        known: the names of the videos; None if they are unknown.

    Returns None for a file of no known video.
    """
    readings = list(_readings(stem, TOKEN if known is not None else SAFE))
    if known is None:
        return readings[-1]
    for reading in readings:
        if reading.name in known:
            return reading
        if f"{reading.name}_x264" in known:  # some extractors drop it from the names of UCF-Crime
            return Read(f"{reading.name}_x264", reading.crop, reading.stream)
    return None


def _readings(stem: str, token: re.Pattern[str]) -> Iterator[Read]:
    """Yield the name as it is, then with one suffix less, two, ..."""
    crop: int | None = None
    stream: str | None = None
    yield Read(stem)
    while (found := token.search(stem)) and found.start() > 0:
        if found["crop"]:
            if crop is not None:
                return
            crop = int(found["number"])
        elif found["word"]:
            stream = STREAM_OF[found["word"].lower()] or stream
        stem = stem[: found.start()]
        yield Read(stem, crop, stream)
