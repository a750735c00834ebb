"""List files of published code: one feature file per line, under the paths of somebody else's machine.

    /media/peng/Samsung_T5/vggish-features/test/X_label_A__vggish.npy      XDVioDet
    G:\\UCF_Test_ten_crop_i3d\\Abuse028_x264_i3d.npy                         RTFM
    /home/x/UCFClipFeatures/Abuse/Abuse028_x264__5.npy,Abuse               VadCLIP, below a line "path,label"
    test/01_0015_0.npy 1.0                                                 PEL4VAD, ShanghaiTech

A line is matched with the file whose path ends most like it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vadkit.data.importing.scan import Found
from vadkit.problems import Place, Problem, fail

LINE = re.compile(r"\s*(?P<path>.*?\.(?:npy|txt))\s*(?:[\s,;]\s*(?P<label>\S.*?))?\s*$")
NORMAL = ("0", "0.0", "a", "normal")


@dataclass(frozen=True)
class Listed:
    """A line: the file it names, and the label it gives, if any (1 abnormal)."""

    path: str
    label: int | None
    place: Place


def read_list_file(path: Path, problems: list[Problem]) -> list[Listed]:
    """Return the lines of a list file; what cannot be understood is added to ``problems``.

    Raises VadkitError for a file that is not there or not text.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        fail(f"{path}: cannot be read: {(error.strerror or str(error)).lower()}")
    except UnicodeDecodeError as error:
        fail(f"{path}: is not UTF-8 text (byte {error.start})", hint="--list takes text files, one feature file a line")
    found = []
    for number, line in enumerate(lines, 1):
        place = Place(str(path), number, 1, line, len(line))
        match = LINE.match(line)
        if match:
            found.append(Listed(match["path"], _label(match["label"]), place))
        elif line.strip() and not (number == 1 and "," in line):  # the first line may name the columns
            problems.append(Problem("the line names no .npy or .txt file", place))
    if not found and not problems:
        fail(f"{path}: names no file", hint="a list has one feature file per line")
    return found


def _label(text: str | None) -> int | None:
    return None if text is None else int(text.lower() not in NORMAL)


class Matcher:
    """Finds the file that a line of a list means."""

    def __init__(self, files: Iterable[Found]) -> None:
        self.by_name: dict[str, list[Found]] = defaultdict(list)
        for file in files:
            self.by_name[file.path.name].append(file)

    def match(self, line: Listed) -> Found | Problem:
        """Return the file, or why there is none."""
        wanted = [part for part in re.split(r"[\\/]+", line.path) if part]
        files = self.by_name.get(wanted[-1], [])
        if not files:
            return Problem(f"there is no file '{wanted[-1]}' below the root", line.place)
        likeness = [_alike(wanted, file.below.parts) for file in files]
        best = [file for file, like in zip(files, likeness) if like == max(likeness)]
        if len(best) > 1:
            some = ", ".join(str(file.below) for file in best[:3])
            return Problem(
                f"the line may mean any of {len(best)} files: {some}", line.place,
                hint="say which folder is which stream, e.g. --stream rgb=RGB",
            )  # fmt: skip
        return best[0]


def _alike(wanted: Sequence[str], parts: Sequence[str]) -> int:
    """Return how many parts of two paths agree, from the end."""
    pairs = zip(reversed(wanted), reversed(parts))
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(wanted), len(parts)))
