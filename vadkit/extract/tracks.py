"""Choose the track of pictures and the track of sound, as players do, and say so where there is a choice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from av.stream import Disposition

NOT_SHOWN = Disposition.attached_pic | Disposition.timed_thumbnails  # covers and previews
FEW = 0.1  # of the pictures of the longest track: a cover or thumbnails
SMALL = 0.25  # of the area of the largest track: a preview


def picture_tracks(container: Any) -> list[Any]:
    """Return the tracks that can hold the video."""
    return [s for s in container.streams.video if s.codec_context is not None and not s.disposition & NOT_SHOWN]


def choose_pictures(tracks: Sequence[Any], packets: Sequence[Any]) -> tuple[Any, list[str]]:
    """Return the track to show, and what is to be said.

    Args:
        packets: the first ones of the file, which tell covers and thumbnails by their number.
    """
    counts = Counter(p.stream_index for p in packets if p.size)
    most = max(counts[t.index] for t in tracks)
    largest = max(t.width * t.height for t in tracks)
    main = [t for t in tracks if counts[t.index] >= FEW * most and t.width * t.height >= SMALL * largest] or tracks
    chosen = next((t for t in main if t.disposition & Disposition.default), main[0])
    if len(tracks) == 1:
        return chosen, []
    others = ", ".join(f"{tracks.index(t) + 1}: {_about(t)}" for t in tracks if t is not chosen)
    number = tracks.index(chosen) + 1
    text = f"there are {len(tracks)} picture tracks; number {number} ({_about(chosen)}) was used, not {others}"
    return chosen, [text]


def choose_sound(container: Any) -> tuple[Any, list[str]]:
    """Return the track to hear, None without one, and what is to be said."""
    tracks = [s for s in container.streams.audio if s.codec_context is not None]
    if not tracks:
        return None, ["there is no sound"]
    if len(tracks) == 1:
        return tracks[0], []
    chosen = next((t for t in tracks if t.disposition & Disposition.default), tracks[0])
    place = "the first" if chosen is tracks[0] else f"number {tracks.index(chosen) + 1}, which the file prefers,"
    return chosen, [f"there are {len(tracks)} sound tracks; {place} was used"]


def _about(track: Any) -> str:
    return f"{track.codec_context.name}, {track.width} x {track.height}"
