"""Which stream and which video of B belongs to which of A."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from vadkit.diff.sides import Read, Side
from vadkit.problems import fail, nearest


@dataclass(frozen=True)
class StreamPair:
    """A stream of A and one of B, with the readers of the videos that both have, and the names of the others."""

    a: str
    b: str
    videos: dict[str, tuple[Read, Read]]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]

    @property
    def title(self) -> str:
        return self.a if self.a == self.b else f"{self.a} of A, {self.b} of B"


def pair_streams(a: Side, b: Side, wanted: Iterable[str] = ()) -> tuple[list[StreamPair], list[str], list[str]]:
    """Return the streams that belong together, and the names of those that only A and only B has.

    Streams of one name belong together. If there are none, and each side has one stream, these do.

    Args:
        wanted: what to compare, as STREAM, or as STREAM:STREAM where the names differ. All, if there are none.

    Raises VadkitError for a stream that is not there, and if nothing belongs together.
    """
    chosen = [_chosen(a, b, text) for text in wanted]
    if not chosen:
        chosen = [(stream, stream) for stream in a.streams if stream in b.streams]
        if not chosen and len(a.streams) == len(b.streams) == 1:
            chosen = [(next(iter(a.streams)), next(iter(b.streams)))]
        if not chosen:
            fail(
                f"A has {_listed(a.streams)}, B has {_listed(b.streams)}: no stream is in both",
                hint="say which belong together, for example --stream rgb:features",
            )
    pairs = [_pair(a, b, *streams) for streams in chosen]
    if not any(pair.videos for pair in pairs):
        some_a, some_b = next(iter(a.streams[chosen[0][0]])), next(iter(b.streams[chosen[0][1]]))
        fail(f"A and B have no video in common: A has '{some_a}', B has '{some_b}', for example")
    all_streams = not wanted and "file" not in (a.kind, b.kind)
    left_a = [s for s in a.streams if all_streams and s not in {x for x, _ in chosen}]
    left_b = [s for s in b.streams if all_streams and s not in {y for _, y in chosen}]
    return pairs, left_a, left_b


def _chosen(a: Side, b: Side, text: str) -> tuple[str, str]:
    first, _, second = text.partition(":")
    for name, side, letter in ((first, a, "A"), (second or first, b, "B")):
        if name not in side.streams:
            close = nearest(name, side.streams)
            hint = f"did you mean '{close}'?" if close else None
            fail(f"--stream {text}: {letter} ({side.path}) has {_listed(side.streams)}", hint)
    return first, second or first


def _pair(a: Side, b: Side, stream_a: str, stream_b: str) -> StreamPair:
    ours, theirs = a.streams[stream_a], b.streams[stream_b]
    if a.kind == b.kind == "file":  # two files are meant, whatever they are called
        (name, first), (_, second) = next(iter(ours.items())), next(iter(theirs.items()))
        return StreamPair(stream_a, stream_b, {name: (first, second)}, (), ())
    both = {name: (read, theirs[name]) for name, read in ours.items() if name in theirs}
    only = tuple(n for n in ours if n not in theirs), tuple(n for n in theirs if n not in ours)
    if "file" in (a.kind, b.kind) and both:  # one file is compared with one video; the others are not missing
        only = (), ()
    return StreamPair(stream_a, stream_b, both, *only)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
