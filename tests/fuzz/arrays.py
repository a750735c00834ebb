"""Damaged arrays: the header of a .npy, the members of a .npz, and what is no array at all."""

from __future__ import annotations

import io
import random
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tiny_store import write_tiny_store

import vadkit
from vadkit.backbones import read_weights

from . import mutations
from .harness import command

KINDS = ("<f4", ">f4", "<f8", "<f2", "|O", "<U5", "<i8", "<c8", "|b1", "|u1", "<M8[s]", "<f16", "|V8", "x", "", "<f4x")
SHAPES = (
    "(0,)", "()", "(5,)", "(5, 16)", "(16, 5)", "(0, 16)", "(5, 0)", "(1, 5, 16)", "(5, 16,)", "(-5, 16)",
    "(5.0, 16)", "(2**40, 16)", "(10000000000000, 16)", "(9999999999999999999999, 16)", "(True, 16)", "('5', 16)",
    "5", "None", "[5, 16]", "(" * 300 + ")" * 300, "(5, 16" + ", 1" * 40 + ")", "(x, 16)", "(1e400, 16)",
)  # fmt: skip


class Arrays:
    name = "arrays"

    def prepare(self, folder: Path) -> None:
        write_tiny_store(folder / "store", train=1, test=1, dims={"rgb": 16})
        vadkit.build(
            {
                "inputs": {"rgb": "b t 16"},
                "nodes": {"score": {"use": "mlp_head", "in": "rgb", "args": {"hidden": [4]}}},
                "output": "score",
            },
            out=folder / "model.safetensors",
        )
        for label in ("normal", "abnormal"):
            (folder / "own" / "rgb" / label).mkdir(parents=True)
            for number in range(2):
                np.save(folder / "own" / "rgb" / label / f"{label}{number}.npy", np.ones((4, 16), np.float32))

    def mutate(self, folder: Path, canary: Path, rng: random.Random) -> list[Callable[[], Any]]:
        if rng.random() < 0.2:
            path = folder / "weights.npz"
            path.write_bytes(_archive(rng))
            return [lambda: read_weights(path) and None, command("store", "import", "own", "--root", folder)]
        store, own = folder / "store", folder / "own"
        target = rng.choice([*(store / "rgb").glob("*.npy"), *own.rglob("*.npy")])
        if rng.random() < 0.1:
            mutations.other_kind(target, rng, canary)
        else:
            target.write_bytes(array_bytes(rng))
        root = f"data.args.root={store}"
        if own in target.parents:
            return [command("store", "import", "own", "--root", own, "--out", folder / "imported")]
        verbs = [
            command("store", "check", store),
            command("store", "check", store, "--quick"),
            command("store", "info", store),
            command("store", "pack", store),
            command("store", "diff", store, store),
            command("eval", "--model", folder / "model.safetensors", "--set", root),
        ]
        return rng.sample(verbs, 3)


def array_bytes(rng: random.Random) -> bytes:
    """Return the bytes of a damaged .npy."""
    values = np.arange(80, dtype=np.float32).reshape(5, 16)
    kind = rng.choice((np.float32, np.float64, np.float16, ">f4", np.int64, np.complex64, bool))
    with np.errstate(all="ignore"):
        if rng.random() < 0.15:
            values = values.astype(np.float64) * rng.choice((1e300, float("nan"), float("inf"), -1.0))
        values = values.astype(kind)
    if rng.random() < 0.4:
        return mutations.some_bytes(_saved(values), rng)
    kind = rng.choice(KINDS) if rng.random() < 0.4 else values.dtype.str
    shape = rng.choice(SHAPES) if rng.random() < 0.6 else "(5, 16)"
    order = rng.choice(("False", "True", "0", "None", "'x'")) if rng.random() < 0.3 else "False"
    text = f"{{'descr': {kind!r}, 'fortran_order': {order}, 'shape': {shape}, }}"
    if rng.random() < 0.2:
        text = mutations.some_bytes(text.encode(), rng).decode("latin-1")
    version = rng.choice(((1, 0), (1, 0), (2, 0), (3, 0), (9, 9)))
    text = text + " " * (-(len(text) + 11) % 64) + "\n"
    length = len(text) if rng.random() < 0.85 else rng.choice((0, 1, 5000, 65535))
    packed = (
        struct.pack("<H", length % 65536)
        if version[0] == 1
        else struct.pack("<I", rng.choice((length, 2**31, 2**32 - 1)))
    )
    content = values.tobytes()
    if rng.random() < 0.2:
        content = content[: rng.randrange(len(content))]
    return b"\x93NUMPY" + bytes(version) + packed + text.encode("latin-1") + content


def _saved(values: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def _archive(rng: random.Random) -> bytes:
    """Return the bytes of a damaged .npz."""
    file = io.BytesIO()
    with zipfile.ZipFile(
        file, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA))
    ) as archive:
        for number in range(rng.randrange(4)):
            name = rng.choice(("a.npy", "b.npy", "../x.npy", "/x.npy", "a", "a.npy", "x" * 300 + ".npy", "\u202e.npy"))
            if len(name) < 60_000 and name not in archive.namelist():
                archive.writestr(
                    name, rng.choice((array_bytes(rng), _saved(np.ones(number + 1, np.float32)), b"\0" * 10**6))
                )
    data = file.getvalue()
    return mutations.some_bytes(data, rng) if rng.random() < 0.8 else data
