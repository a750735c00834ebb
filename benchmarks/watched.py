"""What the benches of watching share: simulated cameras, which are recordings that are read in real time."""

from __future__ import annotations

import os
import resource
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

import vadkit
from vadkit.predict.system import System, load_system
from vadkit.watch.cameras import Camera
from vadkit.watch.events import EventRule
from vadkit.watch.run import Listener, Settings, Watch


def repeated(source: Path, target: Path, seconds: float) -> Path:
    """Write a file that plays the pictures and the sound of another one again and again, without encoding them."""
    with av.open(str(target), "w") as sink:
        length, tracks = Fraction(0), None
        last: dict[str, int] = {}
        while length < seconds:
            with av.open(str(source)) as file:
                kinds = {
                    "video": file.streams.video[0],
                    **({"audio": file.streams.audio[0]} if file.streams.audio else {}),
                }
                if tracks is None:
                    tracks = {kind: sink.add_stream_from_template(track) for kind, track in kinds.items()}
                end = length
                for packet in file.demux(list(kinds.values())):
                    if packet.dts is None:
                        continue
                    shift = round(length / packet.time_base)
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    if packet.dts <= last.get(packet.stream.type, packet.dts - 1):  # where the files meet
                        continue
                    last[packet.stream.type] = packet.dts
                    end = max(end, (packet.pts + (packet.duration or 0)) * packet.time_base)
                    packet.stream = tracks[packet.stream.type]
                    sink.mux(packet)
                length = end
    return target


def simulated(files: list[Path], count: int) -> list[Camera]:
    """Return as many cameras, each of which shows all of the files."""
    return [Camera(f"camera{i}", str(files[0]), "file" if len(files) == 1 else "folder", files=tuple(files))
            for i in range(count)]  # fmt: skip


def watch(system: System, cameras: list[Camera], out: Path, pace: float, window: int | None, **heard: Any) -> Watch:
    """Return a watch over simulated cameras; its events have no clips."""
    on = system.threshold if system.threshold is not None else 0.5
    settings = Settings(out, EventRule.at(on), pace, clips=False)
    return Watch(system, lambda: vadkit.stream(system.model, window), cameras, settings, {}, Listener(**heard))


def load(model: str) -> System:
    return load_system(Path(model), "cpu")


def cpu_seconds() -> float:
    """Return the CPU time of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def resident() -> float:
    """Return MiB of memory that this process holds."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
