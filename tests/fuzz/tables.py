"""Damaged tables of labels and lists of videos, of files and of intervals."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tiny_store import write_tiny_store

from vadkit.extract.labels import read_labels, read_list

from . import mutations
from .harness import command

SEEDS = {
    "table.csv": "video,label,split,classes,intervals,frames,fps\n"
    'normal0,0,train,,,64,25\nnormal1,normal,test,,,64,25\nabnormal0,1,train,"fight;riot",0-16;20-40,64,25\n'
    "abnormal1,abnormal,test,fight,0.5-1.5s,64,25\n",
    "tabs.csv": "video\tlabel\nnormal0\t0\nnormal1\t0\nabnormal0\t1\nabnormal1\t1\n",
    "semicolons.csv": '\ufeffVideo;Label;Split\r\n"normal0";0;train\r\n"abnormal0";1;test\r\n\r\nnormal1;0;test\r\n',
    "list.csv": "file,name,label,intervals\na.mp4,normal0,0,\nsub/b.mp4,abnormal0,1,0-16\n",
    "list.txt": "a.mp4\nsub/b.mp4\n\nc d.mp4\n",
    "features.list": "rgb/normal/normal0.npy 0\nrgb/abnormal/abnormal0.npy 1\n/data/rgb/normal/normal1.npy 0\n",
    "intervals.txt": "abnormal0.mp4  Fighting  10  50  -1  -1\nnormal0.mp4  Normal  -1  -1  -1  -1\n",
}
CELLS = (
    "0", "1", "2", "-1", "", " ", "FALSE", "False", "no", "none", "0.0", "1.0", "N/A", "nan", "Normal_Videos",
    "background", "0-16", "16-0", "-5-3", "0-", "a-b", "0-" + "9" * 400, "1e5-1e6", "0.5-1s", "0-16;0-16", ";",
    "9" * 400, "1e400", "-0", "\u0661", "train", "TEST", "=1+1", "\x1b[31m", "../x", "/etc/passwd", "x" * 300,
    "x" * 200_000, "\0", "a\u0301", '"', "'", "fight",
)  # fmt: skip


class Tables:
    name = "tables"

    def prepare(self, folder: Path) -> None:
        write_tiny_store(folder / "store", train=1, test=1, dims={"rgb": 16})
        for name, text in SEEDS.items():
            (folder / name).write_bytes(text.encode())
        for label in ("normal", "abnormal"):
            (folder / "own" / "rgb" / label).mkdir(parents=True)
            for number in range(2):
                np.save(folder / "own" / "rgb" / label / f"{label}{number}.npy", np.ones((4, 16), np.float32))

    def mutate(self, folder: Path, canary: Path, rng: random.Random) -> list[Callable[[], Any]]:
        path = folder / rng.choice(list(SEEDS))
        kind = rng.randrange(20)
        if kind == 0:
            mutations.other_kind(path, rng, canary)
        elif kind < 10:
            path.write_bytes(mutations.some_bytes(path.read_bytes(), rng))
        else:
            path.write_bytes(_cells(path.read_bytes().decode(), rng))
        own = ("store", "import", "own", "--root", folder / "own", "--out", folder / "imported")
        if path.name == "features.list":
            return [command(*own, "--list", path), command("store", "check", folder / "store", "--labels-list", path)]
        if path.name == "intervals.txt":
            return [command("store", "check", folder / "store", "--labels-intervals", path)]
        return [
            lambda: read_list(path) and None,
            lambda: read_labels(str(path)) and None,
            command(*own, "--table", path),
        ]


def _cells(text: str, rng: random.Random) -> bytes:
    """Change cells, keep lines."""
    separator = max(",;\t ", key=text.count)
    lines = [line.split(separator) for line in text.split("\n")]
    for _ in range(rng.choice((1, 1, 2, 4))):
        line = rng.choice(lines)
        kind, i = rng.randrange(6), rng.randrange(max(1, len(line)))
        if kind == 0:
            del line[i : i + 1]
        elif kind == 1 or not line:
            line.insert(i, rng.choice(CELLS))
        elif kind == 2:
            line[i] = f'"{rng.choice(CELLS)}'
        else:
            line[i] = rng.choice(CELLS)
    return "\n".join(separator.join(line) for line in lines).encode("utf-8", "surrogatepass")
