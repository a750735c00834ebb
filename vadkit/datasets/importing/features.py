"""Feature files of videos: which file is which crop of which stream of which video."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vadkit.datasets.importing.file_names import read_name
from vadkit.datasets.importing.scan import Found
from vadkit.datasets.importing.shapes import read_shape
from vadkit.datasets.importing.streams import by_width, stream_of
from vadkit.problems import Problem, VadkitError
from vadkit.video import same_name

CROP = re.compile(r"crop[_-]?(?P<number>\d{1,2})", re.IGNORECASE)
# (video, stream) -> its files, one per crop in order, or one for all.
Files = dict[tuple[str, str], tuple[Found, ...]]


@dataclass(frozen=True)
class Feature:
    """One file. ``crop`` is None where its name does not say."""

    file: Found
    video: str
    stream: str
    crop: int | None

    @property
    def number(self) -> int:
        """The crop; a file without a number is the first (UCF-Crime in the lists of PEL4VAD)."""
        return self.crop or 0


@dataclass
class Identified:
    """Files with their videos, and those of no known video."""

    features: list[Feature] = field(default_factory=list)
    unlisted: list[Found] = field(default_factory=list)


def identify(
    files: Iterable[Found], root: Path, known: Container[str] | None, streams: Mapping[Path, str] | None = None
) -> Identified:
    """Return what each file is.

    Args:
        files: below ``root``.
        root: its own name may name a stream, too.
        known: names of the videos; None if they are unknown.
        streams: stream by file, for those that the user assigned.

    """
    result = Identified()
    guessed: dict[Path, str] = {}
    for file in files:
        reading = read_name(same_name(file.stem), known)
        if reading is None:
            result.unlisted.append(file)
            continue
        stream = (streams or {}).get(file.path) or stream_of((root.name, *file.below.parts[:-1]), reading.stream)
        if stream is None:
            stream = _guess(file, guessed)
        crop = reading.crop if reading.crop is not None else _crop_of_folder(file)
        result.features.append(Feature(file, reading.name, stream, crop))
    return result


def _guess(file: Found, guessed: dict[Path, str]) -> str:
    """Return the stream of the files of a folder by the width of the first that can be read."""
    folder = file.path.parent
    if folder not in guessed:
        try:
            guessed[folder] = by_width(read_shape(file.path)[2])
        except VadkitError:  # reported with all other files that cannot be read
            return by_width(0)
    return guessed[folder]


def _crop_of_folder(file: Found) -> int | None:
    """Return the crop by the nearest folder that is called so, as in ``crop3/NAME.npy``."""
    found = (CROP.fullmatch(part) for part in reversed(file.below.parts[:-1]))
    return next((int(match["number"]) for match in found if match), None)


def group(features: Iterable[Feature]) -> Files:
    """Return the files of each stream of each video, in order of crop.

    Raises VadkitError where two files are the same crop.
    """
    by_crop: dict[tuple[str, str], dict[int, Feature]] = defaultdict(dict)
    clashes: dict[tuple[Path, Path], list[tuple[Feature, Feature]]] = defaultdict(list)
    for feature in features:
        crops = by_crop[feature.video, feature.stream]
        other = crops.setdefault(feature.number, feature)
        if other is not feature:
            clashes[other.file.path.parent, feature.file.path.parent].append((other, feature))
    if clashes:
        raise VadkitError(_clash(pairs) for pairs in clashes.values())
    return {key: tuple(crops[number].file for number in sorted(crops)) for key, crops in by_crop.items()}


def _clash(pairs: Sequence[tuple[Feature, Feature]]) -> Problem:
    first, second = pairs[0]
    more = f" (and {len(pairs) - 1} more such pairs)" if len(pairs) > 1 else ""
    same = first.file.path.parent == second.file.path.parent
    return Problem(
        f"{first.file.below} and {second.file.below} are both crop {first.number} of stream '{first.stream}' of "
        f"video '{first.video}'{more}",
        hint="remove one of them"
        if same
        else f"name them VIDEO__{first.video}.npy, or save all crops of a video as one array (crops, snippets, width)"
        if first.video.isdigit()
        else "assign folders to streams, for example "
        f"--stream {first.stream}={first.file.below.parent} --stream flow={second.file.below.parent}",
    )


def uneven(files: Files, splits: Mapping[str, str]) -> dict[tuple[str, str], list[tuple[str, int, int]]]:
    """Return (video, its files, files that most have) by split and stream, for videos with unusual crops.

    By split, because some publish ten crops for training and one for testing.
    """
    counts: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for (video, stream), paths in files.items():
        counts[splits[video], stream][video] = len(paths)
    found = {}
    for key, own in counts.items():
        usual = Counter(own.values()).most_common(1)[0][0]
        found[key] = [(video, count, usual) for video, count in own.items() if count != usual]
    return {key: others for key, others in found.items() if others}
