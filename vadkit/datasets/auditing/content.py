"""Numbers that cannot be features, and the same features under two names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from vadkit.datasets.auditing.array_scan import Looked
from vadkit.datasets.auditing.finding import Finding


def check_content(looked: Sequence[Looked]) -> list[Finding]:
    """Return odd rows and duplicates."""
    rows = [finding for one in looked for finding in one.rows]
    return rows + [*_duplicates(looked)] + [*_same_crops(looked)]


def _duplicates(looked: Sequence[Looked]) -> Iterator[Finding]:
    """Videos that share the features of a crop; told once per pair and stream."""
    owners: dict[tuple[str, bytes], list[Looked]] = defaultdict(list)
    for one in looked:
        for fingerprint in dict.fromkeys(one.prints):
            owners[one.stream, fingerprint].append(one)
    told = set()
    for (stream, _), own in owners.items():
        for other in own[1:]:
            first, second = sorted((own[0], other), key=lambda one: one.video.split != "train")
            if (pair := (stream, first.video.name, second.video.name)) in told:
                continue
            told.add(pair)
            splits = first.video.split, second.video.split
            across = "test" in splits and splits[0] != splits[1]
            yield Finding(
                "duplicate-split" if across else "duplicate",
                f"stream '{stream}' is that of {splits[0]} video {first.video.name} ({first.paths[0]})",
                "one is a copy under another name: get it again; what was trained on cannot be tested on"
                if across
                else "one is a copy under another name: get it again",
                second.video.name,
                str(second.paths[0]),
            )


def _same_crops(looked: Sequence[Looked]) -> Iterator[Finding]:
    for one in looked:
        copies = [(i, one.prints.index(p)) for i, p in enumerate(one.prints) if p in one.prints[:i]]
        if copies:
            copy, first = copies[0]
            yield Finding(
                "crops-same",
                f"stream '{one.stream}': crop {copy} is the same as crop {first}",
                "were the crops really made?",
                one.video.name,
                str(one.paths[min(copy, len(one.paths) - 1)]),
                False,
            )
