"""Lines of published file lists: the video, the crop, the label, the classes.

XD-Violence, UCF-Crime and ShanghaiTech, as in the lists of XDVioDet, UR-DMU, PEL4VAD, MGFN and others
that share their names. One line is one file, that is one crop of one video::

    RGB/Bad.Boys.1995__#00-26-51_00-27-53_label_B2-0-0__3.npy        XD-Violence
    Abuse/Abuse001_x264__3.npy   or, for the first crop, Abuse001_x264.npy   UCF-Crime
    train/01_0014_3.npy 1.0                                          ShanghaiTech

The folder does not matter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeVar

import numpy as np

from vadkit.datasets.classes import CLASSES
from vadkit.problems import Place, Problem, VadkitError, fail, nearest

T = TypeVar("T")


@dataclass(frozen=True)
class Entry:
    """One line of a list. ``classes`` are those of an abnormal video, main one first; empty if it is
    normal, or abnormal of unknown class."""

    path: str
    name: str
    crop: int
    label: int
    classes: tuple[str, ...]

    def class_indices(self, dataset: str) -> list[int]:
        """Return the rows of the classes in ``CLASSES[dataset]``; [0] without a class."""
        return [CLASSES[dataset].index(name) for name in self.classes] or [0]


def is_normal(line: str, dataset: str) -> bool:
    """Return by the authors' rule whether a line of XD-Violence or UCF-Crime is a normal video."""
    return {"xd_violence": "_label_A", "ucf_crime": "Normal"}[dataset] in line


def xd_violence(line: str) -> Entry:
    """Return what a line of an XD-Violence list means. Raises ValueError for another kind of name.

    Classes keep the order of the name, without its zeros; PEL4VAD counts the first one only.
    """
    name, crop = _split(line, r"__(\d+)$")
    if "_label_" not in name:
        raise ValueError(f"the name '{name}' has no '_label_'")
    codes = [code for code in name.rsplit("_label_", 1)[1].split("-") if code != "0"]
    for code in codes:
        _check_class(code, "xd_violence")
    normal = is_normal(line, "xd_violence")
    return Entry(_path(line), name, crop, int(not normal), () if normal else tuple(codes))


def ucf_crime(line: str) -> Entry:
    """Return what a line of a UCF-Crime list means. Raises ValueError for another kind of name."""
    name, crop = _split(line, r"__(\d+)$")
    if is_normal(line, "ucf_crime"):
        return Entry(_path(line), name, crop, 0, ())
    match = re.match(r"([A-Za-z]+)\d+(_|$)", name)
    if match is None:
        raise ValueError(f"the name '{name}' does not begin with a class and a number, as Abuse001")
    _check_class(match[1], "ucf_crime")
    return Entry(_path(line), name, crop, 1, (match[1],))


def shanghaitech(line: str, classes: Mapping[str, Sequence[str]] | None = None) -> Entry:
    """Return what a line of a ShanghaiTech list means: a file and its label.

    ``classes`` are those of abnormal videos by name (``read_classes``): the names do not contain them.
    Raises ValueError for a line without a label.
    """
    name, crop = _split(line, r"_(\d)$")
    parts = line.split()
    if len(parts) != 2 or parts[1] not in ("0", "1", "0.0", "1.0"):
        raise ValueError("the line must be a file and its label, 0 or 1")
    own = tuple((classes or {}).get(name, ()))
    for one in own:
        _check_class(one, "shanghaitech")
    return Entry(parts[0], name, crop, int(float(parts[1])), own)


def _path(line: str) -> str:
    return line.strip()


def _split(line: str, suffix: str) -> tuple[str, int]:
    """Return the video's name and the crop, which is 0 if the name has none."""
    parts = line.split()
    if not parts:
        raise ValueError("the line is empty")
    stem = PurePosixPath(parts[0]).name.removesuffix(".npy")
    match = re.search(suffix, stem)
    return (stem[: match.start()], int(match[1])) if match else (stem, 0)


def _check_class(name: str, dataset: str) -> None:
    known = CLASSES[dataset]
    if name not in known:
        close = nearest(name, known)
        hint = f"; did you mean '{close}'?" if close else f"; known are {', '.join(known)}"
        raise ValueError(f"there is no class '{name}' in {dataset}{hint}")


PARSERS: dict[str, Callable[[str], Entry]] = {
    "xd_violence": xd_violence,
    "ucf_crime": ucf_crime,
    "shanghaitech": shanghaitech,
}


def read_list(path: str | Path, dataset: str, classes: Mapping[str, Sequence[str]] | None = None) -> list[Entry]:
    """Return the entries of a list file, in its order.

    Args:
        path: of the list, one file per line; empty lines do not count.
        dataset: a key of ``PARSERS``.
        classes: see ``shanghaitech``.

    Raises VadkitError with every line that cannot be understood.
    """
    parse = PARSERS[dataset] if dataset != "shanghaitech" else lambda line: shanghaitech(line, classes)
    return _each_line(path, parse)


def read_classes(path: str | Path) -> dict[str, tuple[str, ...]]:
    """Return video -> classes from a file of lines such as ``01_0026 fighting,chasing``.

    Raises VadkitError with every line that cannot be understood.
    """
    return dict(_each_line(path, _class_line))


def _class_line(line: str) -> tuple[str, tuple[str, ...]]:
    parts = line.split()
    if len(parts) != 2:
        raise ValueError("the line must be a video and its classes, with commas between these")
    classes = tuple(parts[1].split(","))
    for name in classes:
        _check_class(name, "shanghaitech")
    return parts[0], classes


def _each_line(path: str | Path, parse: Callable[[str], T]) -> list[T]:
    path = Path(path)
    found: list[T] = []
    problems: list[Problem] = []
    if not path.is_file():
        fail(f"there is no file {path}")
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            found.append(parse(line))
        except ValueError as error:
            problems.append(Problem(str(error), Place(str(path), number, 1, line, len(line))))
    if problems:
        raise VadkitError(problems)
    return found


def prompt_rows(table: np.ndarray, classes: Iterable[int], half: bool = False) -> np.ndarray:
    """Return the class vectors [normal, own] of one video, float32 (2, dim).

    A video of several classes gets their mean, while its class for the loss is the first (PEL4VAD on
    ShanghaiTech). ``half`` rounds to float16 first, as PEL4VAD does on UCF-Crime.
    """
    table = table.astype(np.float16) if half else table
    own = table[list(classes)].mean(0)
    return np.stack([table[0], own]).astype(np.float32)
