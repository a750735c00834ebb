"""List files of published code: one feature file per line, with the paths of another machine.

    /media/peng/Samsung_T5/vggish-features/test/X_label_A__vggish.npy      XDVioDet
    G:\\UCF_Test_ten_crop_i3d\\Abuse028_x264_i3d.npy                         RTFM
    /home/x/UCFClipFeatures/Abuse/Abuse028_x264__5.npy,Abuse               VadCLIP, below a line "path,label"
    test/01_0015_0.npy 1.0                                                 PEL4VAD, ShanghaiTech

A line names a video and a crop; if several files below the root match, it is the one whose path ends most
like the line's.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vadkit.datasets.delimited import Line, cells_of, read_lines, separator_of
from vadkit.datasets.importing.features import Feature
from vadkit.datasets.importing.file_names import read_name
from vadkit.datasets.importing.streams import stream_of
from vadkit.labels import read_label
from vadkit.problems import Place, Problem, VadkitError, fail
from vadkit.video import same_name

LINE = re.compile(r"\s*(?P<path>.*?\.(?:npy|txt))\s*(?:[\s,;]\s*(?P<label>\S.*?))?\s*$")
PATHS = ("path", "file", "filename", "feature", "features", "name", "video")
CLASSES = ("label", "labels", "class", "classes")


@dataclass(frozen=True)
class Listed:
    """A line: the file it names, and the label it gives; None if it gives none, or unknown."""

    path: str
    label: int | None
    place: Place


@dataclass
class Chosen:
    """The choice of lists: files, in the order of the lines; labels by video; lines for which there is no file."""

    features: list[Feature] = field(default_factory=list)
    labels: dict[str, int] = field(default_factory=dict)
    absent: list[Listed] = field(default_factory=list)
    orders: dict[str, list[str]] = field(default_factory=dict)  # videos by list file

    def in_other_order(self) -> list[tuple[str, str]]:
        """Return pairs of lists that hold the same videos in different orders.

        Published code pairs streams by line number (sound: line // 5), so it matters there.
        """
        pairs = [(a, b) for a in self.orders for b in self.orders if a < b]
        return [
            (a, b) for a, b in pairs if self.orders[a] != self.orders[b] and set(self.orders[a]) == set(self.orders[b])
        ]


def read_list_file(path: Path) -> list[Listed]:
    """Return the lines of a list file.

    Raises VadkitError for a missing file or one that is not text, and with every line that names no file or has a
    label that cannot be read.
    """
    lines = read_lines(path)
    columns, separator = _head(lines[0]) if lines else (None, ",")
    found, problems = [], []
    for line in lines[1:] if columns else lines:
        try:
            found.append(_listed(line, columns, separator))
        except VadkitError as error:
            problems += error.problems
    if problems:
        raise VadkitError(problems)
    if not found:
        fail(f"{path}: names no file", hint="a list has one feature file per line")
    return found


def _head(line: Line) -> tuple[list[str] | None, str]:
    """Return the columns that the first line of a list names, None if it names a file, and what is between cells."""
    separator = separator_of(line.text)
    if LINE.match(line.text.strip('"')) or separator not in line.text:
        return None, separator
    names = [cell.lower() for cell in cells_of(line, separator)]
    return ["path" if name in PATHS else "label" if name in CLASSES else name for name in names], separator


def _listed(line: Line, columns: list[str] | None, separator: str) -> Listed:
    """Return what a line names. Raises VadkitError with its place."""
    text, label = line.text, None
    if columns and "path" in columns and (columns[0] != "path" or '"' in text):
        cells = dict(zip(columns, cells_of(line, separator)))
        text, label = cells.get("path", ""), cells.get("label")
    elif '"' in text:
        text, label, *_ = *cells_of(line, separator_of(text)), None
    match = LINE.match(text)
    if match is None or not text:
        fail("the line names no .npy or .txt file", place=line.place)
    label = match["label"] if label is None else label
    # "A" is what the names of XD-Violence call normal.
    return Listed(match["path"], None if label is None else read_label(label, line.place, ("a",)).label, line.place)


def choose(features: Iterable[Feature], lists: Iterable[Path], known: Container[str]) -> Chosen:
    """Return the files that the lines of ``lists`` mean.

    Raises VadkitError with every line that names no known video, may mean several files, or is a duplicate,
    and if there is no file for any of them.
    """
    existing: dict[tuple[str, int], list[Feature]] = defaultdict(list)
    for feature in features:
        existing[feature.video, feature.number].append(feature)
    chosen, problems = Chosen(), []
    taken: dict[Path, Place] = {}
    for path in lists:
        videos: dict[str, None] = {}
        for line in read_list_file(path):
            found = _meant(line, path, existing, known)
            if isinstance(found, Problem):
                problems.append(found)
                continue
            if found is None:
                chosen.absent.append(line)
                continue
            if found.file.path in taken:
                other = taken[found.file.path]
                problems.append(Problem(f"means the same file as {other}", line.place, hint="remove one of the lines"))
                continue
            taken[found.file.path] = line.place
            videos[found.video] = None
            chosen.features.append(found)
            if line.label is not None:
                chosen.labels[found.video] = line.label
        chosen.orders[str(path)] = list(videos)
    if problems:
        raise VadkitError(problems)
    if not chosen.features:
        wanted, place = chosen.absent[0].path, chosen.absent[0].place
        fail(f"there is no '{_parts(wanted)[-1]}' below the root, nor any other file of the lists", None, place)
    return chosen


def _meant(
    line: Listed, path: Path, existing: dict[tuple[str, int], list[Feature]], known: Container[str]
) -> Feature | Problem | None:
    """Return the file that a line means; None if it does not exist."""
    *folders, name = _parts(same_name(line.path))
    reading = read_name(name[:-4], known)
    if reading is None:
        return Problem(
            f"'{name}' belongs to no video of the data set", line.place, hint="is it a list of another data set?"
        )
    files = existing.get((reading.name, reading.crop or 0), [])
    stream = stream_of(folders, reading.stream) or stream_of([path.stem], None)
    files = [file for file in files if file.stream == stream] or files
    likeness = [_alike([*folders, name], _parts(same_name(str(file.file.below)))) for file in files]
    best = [file for file, like in zip(files, likeness) if like == max(likeness)]
    if len(best) > 1:
        some = ", ".join(str(file.file.below) for file in best[:3])
        return Problem(
            f"the line may mean any of {len(best)} files: {some}",
            line.place,
            hint="assign folders to streams, e.g. --stream rgb=RGB",
        )
    return best[0] if best else None


def _parts(path: str) -> list[str]:
    return [part for part in re.split(r"[\\/]+", path) if part]


def _alike(wanted: Sequence[str], parts: Sequence[str]) -> int:
    """Return how many parts of two paths agree, from the end."""
    pairs = zip(reversed(wanted), reversed(parts))
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(wanted), len(parts)))
