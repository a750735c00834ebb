"""Missing, broken and left-over files, crops, and lengths against each other and against the video.

Legend: t snippets.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path

from vadkit.datasets.annotations import Annotations
from vadkit.datasets.auditing.array_scan import Looked, by_video
from vadkit.datasets.auditing.finding import Finding
from vadkit.datasets.importing.file_names import read_name
from vadkit.store.index import Store

NEAR = 1  # snippets by which published streams and lengths of one video differ without harm
BACK = "put it back, or import again"


def check_files(store: Store, looked: Sequence[Looked], annotations: Annotations | None) -> list[Finding]:
    """Return what is wrong with which files there are. ``annotations`` name videos that the store may lack."""
    found = []
    for one in looked:
        name, stream = one.video.name, one.stream
        for path in one.missing:
            what = f"there is no such file, but it holds stream '{stream}'"
            found.append(Finding("file-missing", what, BACK, name, str(path)))
        for path, why in one.broken:
            what = why.removeprefix(f"{path}: ")
            found.append(Finding("file-broken", what, "get the file again, or make it again", name, str(path)))
    names = {video.name for video in store.videos} | ({*annotations.named()} if annotations is not None else set())
    return [*found, *_extra(store, looked, names), *_crops(looked)]


def _extra(store: Store, looked: Sequence[Looked], known: Container[str]) -> Iterator[Finding]:
    """Files beside those of the store that it does not name; faults if they are of no video that is ``known``."""
    own = {path for one in looked for path in one.paths}
    suffixes = {path.suffix for path in own}
    for folder in sorted({path.parent for path in own}):
        if folder == store.root:  # packed streams lie beside the index
            continue
        for path in _listed(folder):
            if path in own or path.suffix not in suffixes:
                continue
            reading = read_name(path.name[: -len(path.suffix)], known)
            if reading is None:
                what, todo = "is of no video of the data set", "take it away, or correct its name"
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
        return []  # each of its files is told already


def _crops(looked: Sequence[Looked]) -> Iterator[Finding]:
    """Crops of one video that do not belong together, and videos of other crops than most."""
    counts: dict[tuple[str, str], Counter[int]] = defaultdict(Counter)
    for one in looked:
        if one.lengths:
            counts[one.video.split, one.stream][len(one.lengths) + len(one.missing) + len(one.broken)] += 1
    for one in looked:
        if len(set(one.lengths)) > 1:
            first, other = one.lengths[0], next(n for n in one.lengths if n != one.lengths[0])
            crop = one.lengths.index(other)
            path = one.paths[min(crop, len(one.paths) - 1)]
            yield Finding(
                "length-crops",
                f"stream '{one.stream}': crop {crop} has {other} snippets, crop 0 has {first}",
                "one of them is of another video, or was made in another way",
                one.video.name,
                str(path),
            )
        count = len(one.lengths) + len(one.missing) + len(one.broken)
        usual = counts[one.video.split, one.stream].most_common(1)
        if one.lengths and count != usual[0][0]:
            yield Finding(
                "crops",
                f"stream '{one.stream}' has {count} crops, but {usual[0][0]} in most {one.video.split} videos",
                "get the missing crops, or take the left-over ones away, and import again",
                one.video.name,
                str(one.paths[0]),
            )


def check_lengths(store: Store, looked: Sequence[Looked], annotations: Annotations | None) -> list[Finding]:
    """Return what is wrong with lengths."""
    named = annotations.named() if annotations is not None else {}
    segmented = _segmented(store, looked)
    found = [
        Finding("length-frames", f"stream '{stream}': all {split} videos have {t} rows; segments?", fault=False)
        for (split, stream), t in segmented.items()
    ]
    longer: Counter[tuple[str, str]] = Counter()
    for name, streams in by_video(looked).items():
        plain = [one for one in streams if one.t is not None and (one.video.split, one.stream) not in segmented]
        known = named.get(name)
        frames = streams[0].video.num_frames or (known.frames if known else None)
        found += _against_frames(store, plain, frames)
        found += _between(plain, longer)
        found += _behind(store, plain[:1])
    found += [
        Finding(
            "length-streams",
            f"'{a}' is one snippet longer than '{b}' in {count} videos, as published files are",
            "nothing: the longer one is cut",
            fault=False,
        )
        for (a, b), count in longer.items()
    ]
    return found + _total(store, looked)


def _segmented(store: Store, looked: Sequence[Looked]) -> dict[tuple[str, str], int]:
    """Return (split, stream) whose files all have the same t although the videos cannot be equally long."""
    lengths: dict[tuple[str, str], set[int]] = defaultdict(set)
    counts: Counter[tuple[str, str]] = Counter()
    for one in looked:
        if one.t is not None:
            lengths[one.video.split, one.stream].add(one.t)
            counts[one.video.split, one.stream] += 1
    same = {key: next(iter(ts)) for key, ts in lengths.items() if len(ts) == 1 and counts[key] > 9}
    return {} if store.segments else same


def _against_frames(store: Store, streams: Sequence[Looked], frames: int | None) -> Iterator[Finding]:
    for one in streams:
        t = one.t or 0
        if store.segments is not None:
            if t != store.segments:
                yield Finding(
                    "length-frames",
                    f"stream '{one.stream}' has {t} rows, not {store.segments} segments",
                    "make it again",
                    one.video.name,
                    str(one.paths[0]),
                )
        elif frames is not None and not frames // 16 - NEAR <= t * store.snippet_frames / 16 <= -(-frames // 16) + NEAR:
            yield Finding(
                "length-frames",
                f"stream '{one.stream}' has {t} snippets, but {frames} frames make {frames // store.snippet_frames}",
                "it is of another video, was cut off, or was made at another frame rate or stride",
                one.video.name,
                str(one.paths[0]),
            )


def _between(streams: Sequence[Looked], longer: Counter[tuple[str, str]]) -> Iterator[Finding]:
    for one in streams[1:]:
        first, t, own = streams[0], streams[0].t or 0, one.t or 0
        if abs(t - own) > NEAR:
            yield Finding(
                "length-streams",
                f"stream '{one.stream}' has {own} snippets, '{first.stream}' {t}",
                "one of them is of another video, was cut off, or has another stride",
                one.video.name,
                str(one.paths[0]),
            )
        elif own != t:
            pair = (first.stream, one.stream) if t > own else (one.stream, first.stream)
            longer[pair] += 1


def _behind(store: Store, streams: Sequence[Looked]) -> Iterator[Finding]:
    for one in streams:
        end = (one.t or 0) * store.snippet_frames
        late = [span for span in one.video.spans if span[0] >= end]
        if late and store.segments is None:
            yield Finding(
                "intervals-outside",
                f"interval {late[0][0]}-{late[0][1]} begins behind the {end} frames of features",
                "its frames count nowhere: were the features cut off, or made at another frame rate?",
                one.video.name,
                str(one.paths[0]),
            )


# Frames that published features of the test videos cover -> whose features they are.
TOTALS: Mapping[str, Mapping[int, str]] = {
    "xd_violence": {2330384: "I3D of Wu et al.", 2331296: "CLIP of VadCLIP"},
    "ucf_crime": {1109680: "I3D of Wu et al.", 1114144: "I3D of RTFM, which counts closed intervals"},
    "shanghaitech": {142912: "I3D of RTFM", 140112: "I3D of PEL4VAD"},
}


def _total(store: Store, looked: Sequence[Looked]) -> list[Finding]:
    """Say how many test frames each stream covers, and whose features have as many."""
    notes = []
    known = TOTALS.get(store.data_set or "", {})
    for stream in store.dims if known and store.segments is None else ():
        total = sum(one.t or 0 for one in looked if one.stream == stream and one.video.split == "test") * 16
        whose = known.get(total)
        if total:
            others = "; ".join(f"{whose} {frames}" for frames, whose in known.items())
            what = f"'{stream}' covers {total} test frames" + (f", as {whose}" if whose else f" (published: {others})")
            notes.append(Finding("length-frames", what, "", fault=False))
    return notes
