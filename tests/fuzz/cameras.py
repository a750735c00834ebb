"""Damaged lists of cameras and of sinks, read and checked as ``vadkit watch`` does before it opens a camera."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vadkit.plugin_manager import load_plugins
from vadkit.watch.camera_list import read_cameras
from vadkit.watch.cameras import find_cameras
from vadkit.watch.sink_options import build_sinks

from . import mutations

SEEDS = {
    "cameras.yaml": 'cameras:\n  - {name: door, source: "rtsp://{HOME}:{PATH}@10.0.0.5/1", sound: false}\n'
    "  - {source: rtsp://10.0.0.6:554/live?channel=1, transport: udp}\n  - source: clip.mp4\n  - source: 0\n",
    "cameras.csv": "name,source,sound,transport\ndoor,rtsp://{HOME}:{PATH}@10.0.0.5/1,no,udp\n,clip.mp4,,\n",
    "sinks.yaml": "sinks:\n  - stdout\n  - {use: folder, args: {}}\n  - use: stdout\n",
}


class Cameras:
    name = "cameras"

    def prepare(self, folder: Path) -> None:
        (folder / "clip.mp4").write_bytes(b"x")
        for name, text in SEEDS.items():
            (folder / name).write_text(text)

    def mutate(self, folder: Path, canary: Path, rng: random.Random) -> list[Callable[[], Any]]:
        path = folder / rng.choice(list(SEEDS))
        if rng.randrange(20) == 0:
            mutations.other_kind(path, rng, canary)
        else:
            path.write_bytes(mutations.some_bytes(path.read_bytes(), rng))
        if path.name == "sinks.yaml":
            return [lambda: build_sinks([str(path)], load_plugins()) and None]
        return [lambda: find_cameras(read_cameras(path)) and None]
