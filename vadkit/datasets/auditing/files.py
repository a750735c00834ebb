"""Unlisted files, crops, and lengths against each other and against the video.

Legend: t snippets.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path

from vadkit.datasets.annotations import Annotations
from vadkit.datasets.importing.file_names import read_name
from vadkit.store.check.array_scan import Scanned, by_video
from vadkit.store.check.finding import Finding
from vadkit.store.index import Store

NEAR = 1  # published streams and lengths of one video may differ by this many snippets


def check_files(store: Store, scanned: Sequence[Scanned], annotations: Annotations | None) -> list[Finding]:
    """Return what is wrong with the set of files. ``annotations`` list videos that the store may lack."""
    names = {video.name for video in store.videos} | ({*annotations.named()} if annotations is not None else set())
    return [*_extra(store, scanned, names), *_crops(scanned)]


def _extra(store: Store, scanned: Sequence[Scanned], known: Container[str]) -> Iterator[Finding]:
    """Unlisted files in the store's folders; faults if they are of no ``known`` video."""
    own = {path for one in scanned if one.array is None for path in one.paths}  # others are checked by the manifest
    suffixes = {path.suffix for path in own}
    for folder in sorted({path.parent for path in own}):
        if folder == store.root:  # packed streams are next to the index
            continue
        for path in _listed(folder):
            if path in own or path.suffix not in suffixes:
                continue
            reading = read_name(path.name[: -len(path.suffix)], known)
            if reading is None:
                what, todo = "belongs to no video of the data set", "delete it, or correct its name"
            else:
                what, todo = f"is of video {reading.name}, but the store does not use it", "import again to use it"
            yield Finding("file-extra", what, todo, reading.name if reading else "", str(path), reading is None)


def _listed(folder: Path) -> list[Path]:
    try:
        return [
            folder / entry.name
            for entry in sorted(os.scandir(folder), key=lambda entry: entry.name)
            if not entry.name.startswith(".") and not entry.is_dir()
        ]
    except OSError:
        return []  # each of its files is reported already


def _crops(scanned: Sequence[Scanned]) -> Iterator[Finding]:
    """Crops of one video that do not match, and videos with another number of crops than most."""
    counts: dict[tuple[str, str], Counter[int]] = defaultdict(Counter)
    for one in scanned:
        if one.lengths:
            counts[one.video.split, one.stream][len(one.lengths) + one.unusable] += 1
    for one in scanned:
        if len(set(one.lengths)) > 1:
            first, other = one.lengths[0], next(n for n in one.lengths if n != one.lengths[0])
            crop = one.lengths.index(other)
            path = one.paths[min(crop, len(one.paths) - 1)]
            yield Finding(
                "length-crops",
                f"stream '{one.stream}': crop {crop} has {other} snippets, crop 0 has {first}",
                "one of them belongs to another video, or has another recipe",
                one.video.name,
                str(path),
            )
        count = len(one.lengths) + one.unusable
        usual = counts[one.video.split, one.stream].most_common(1)
        if one.lengths and count != usual[0][0]:
            yield Finding(
                "crops",
                f"stream '{one.stream}' has {count} crops, but {usual[0][0]} in most {one.video.split} videos",
                "get the missing crops, or delete the extra ones, and import again",
                one.video.name,
                str(one.paths[0]),
            )


def check_lengths(store: Store, scanned: Sequence[Scanned], annotations: Annotations | None) -> list[Finding]:
    """Return what is wrong with lengths."""
    named = annotations.named() if annotations is not None else {}
    segmented = _segmented(store, scanned)
    found = [
        Finding("length-frames", f"stream '{stream}': all {split} videos have {t} rows; segments?", fault=False)
        for (split, stream), t in segmented.items()
    ]
    longer: Counter[tuple[str, str]] = Counter()
    for name, streams in by_video(scanned).items():
        plain = [one for one in streams if one.t is not None and (one.video.split, one.stream) not in segmented]
        known = named.get(name)
        frames = streams[0].video.num_frames or (known.frames if known else None)
        found += _against_frames(store, plain, frames)
        found += _between(plain, longer)
        found += _after_end(store, plain[:1])
    found += [
        Finding(
            "length-streams",
            f"'{a}' is one snippet longer than '{b}' in {count} videos, as published files are",
            "nothing: the longer one is cut",
            fault=False,
        )
        for (a, b), count in longer.items()
    ]
    return found + _total(store, scanned)


def _segmented(store: Store, scanned: Sequence[Scanned]) -> dict[tuple[str, str], int]:
    """Return (split, stream) with the same t in all files, although the videos are not equally long."""
    lengths: dict[tuple[str, str], set[int]] = defaultdict(set)
    counts: Counter[tuple[str, str]] = Counter()
    for one in scanned:
        if one.t is not None:
            lengths[one.video.split, one.stream].add(one.t)
            counts[one.video.split, one.stream] += 1
    same = {key: next(iter(ts)) for key, ts in lengths.items() if len(ts) == 1 and counts[key] > 9}
    return {} if store.segments else same


def _against_frames(store: Store, streams: Sequence[Scanned], frames: int | None) -> Iterator[Finding]:
    for one in streams:
        t = one.t or 0
        if store.segments is not None:
            if t != store.segments:
                yield Finding(
                    "length-frames",
                    f"stream '{one.stream}' has {t} rows, not {store.segments} segments",
                    "extract it again",
                    one.video.name,
                    str(one.paths[0]),
                )
        elif frames is not None and not frames // 16 - NEAR <= t * store.snippet_frames / 16 <= -(-frames // 16) + NEAR:
            yield Finding(
                "length-frames",
                f"stream '{one.stream}' has {t} snippets, but {frames} frames give {frames // store.snippet_frames}",
                "it belongs to another video, is incomplete, or has another frame rate or stride",
                one.video.name,
                str(one.paths[0]),
            )


def _between(streams: Sequence[Scanned], longer: Counter[tuple[str, str]]) -> Iterator[Finding]:
    for one in streams[1:]:
        first, t, own = streams[0], streams[0].t or 0, one.t or 0
        if abs(t - own) > NEAR:
            yield Finding(
                "length-streams",
                f"stream '{one.stream}' has {own} snippets, '{first.stream}' {t}",
                "one of them belongs to another video, is incomplete, or has another stride",
                one.video.name,
                str(one.paths[0]),
            )
        elif own != t:
            pair = (first.stream, one.stream) if t > own else (one.stream, first.stream)
            longer[pair] += 1


def _after_end(store: Store, streams: Sequence[Scanned]) -> Iterator[Finding]:
    for one in streams:
        end = (one.t or 0) * store.snippet_frames
        late = [span for span in one.video.spans if span[0] >= end]
        if late and store.segments is None:
            yield Finding(
                "intervals-outside",
                f"interval {late[0][0]}-{late[0][1]} begins after the {end} frames of features",
                "its frames are not counted: the features are incomplete, or of another frame rate",
                one.video.name,
                str(one.paths[0]),
            )


# Frames that published features of the test videos cover -> whose features they are.
TOTALS: Mapping[str, Mapping[int, str]] = {
    "xd_violence": {2330384: "I3D of Wu et al.", 2331296: "CLIP of VadCLIP"},
    "ucf_crime": {1109680: "I3D of Wu et al.", 1114144: "I3D of RTFM, which counts closed intervals"},
    "shanghaitech": {142912: "I3D of RTFM", 140112: "I3D of PEL4VAD"},
}


def _total(store: Store, scanned: Sequence[Scanned]) -> list[Finding]:
    """Report how many test frames each stream covers, and which published features have as many."""
    notes = []
    known = TOTALS.get(store.data_set or "", {})
    for stream in store.dims if known and store.segments is None else ():
        total = sum(one.t or 0 for one in scanned if one.stream == stream and one.video.split == "test") * 16
        whose = known.get(total)
        if total:
            others = "; ".join(f"{whose} {frames}" for frames, whose in known.items())
            what = f"'{stream}' covers {total} test frames" + (f", as {whose}" if whose else f" (published: {others})")
            notes.append(Finding("length-frames", what, "", fault=False))
    return notes
