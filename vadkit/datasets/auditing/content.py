"""The same features under two names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from vadkit.store.check.array_scan import Scanned
from vadkit.store.check.finding import Finding


def check_content(scanned: Sequence[Scanned]) -> list[Finding]:
    """Return features that occur under two names, and identical crops."""
    return [*_duplicates(scanned), *_same_crops(scanned)]


def _duplicates(scanned: Sequence[Scanned]) -> Iterator[Finding]:
    """Videos that share the features of a crop; reported once per pair and stream."""
    owners: dict[tuple[str, bytes], list[Scanned]] = defaultdict(list)
    for one in scanned:
        for fingerprint in dict.fromkeys(one.prints):
            owners[one.stream, fingerprint].append(one)
    reported = set()
    for (stream, _), own in owners.items():
        for other in own[1:]:
            first, second = sorted((own[0], other), key=lambda one: one.video.split != "train")
            if (pair := (stream, first.video.name, second.video.name)) in reported:
                continue
            reported.add(pair)
            splits = first.video.split, second.video.split
            across = "test" in splits and splits[0] != splits[1]
            yield Finding(
                "duplicate-split" if across else "duplicate",
                f"stream '{stream}' is identical to that of {splits[0]} video {first.video.name} ({first.paths[0]})",
                "one is a copy under another name: get it again; a training video must not be tested on"
                if across
                else "one is a copy under another name: get it again",
                second.video.name,
                str(second.paths[0]),
            )


def _same_crops(scanned: Sequence[Scanned]) -> Iterator[Finding]:
    for one in scanned:
        copies = [(i, one.prints.index(p)) for i, p in enumerate(one.prints) if p in one.prints[:i]]
        if copies:
            copy, first = copies[0]
            yield Finding(
                "crops-same",
                f"stream '{one.stream}': crop {copy} is identical to crop {first}",
                "check whether the crops were really cut",
                one.video.name,
                str(one.paths[min(copy, len(one.paths) - 1)]),
                False,
            )
