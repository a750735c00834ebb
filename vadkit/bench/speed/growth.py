"""Score ever longer videos in a fresh process, and find how time and memory grow with their length.

The process is ``python -m vadkit.bench.speed.growth``: it reads a job and prints a line per length.
"""

from __future__ import annotations

import contextlib
import math
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import torch

from vadkit import json_file
from vadkit.bench.memory import peak
from vadkit.bench.speed.result import Growth, Size
from vadkit.bench.timing import clock
from vadkit.memory import free_memory
from vadkit.problems import fail

LENGTHS = (16, 64, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 60_000)
WARM = 32  # snippets that are scored first, for libraries that load on first use
WANTED = 20_000  # snippets that are scored even if that takes PATIENCE times as long as others may
PATIENCE = 5
UNSURE = 64.0  # MiB that an allocator may take or not: less shows no growth
FIRST = 1000  # length from which exponents count; below, what a call costs anyway hides them


class Job(msgspec.Struct):
    """What the process reads: a graph, a device, lengths and ceilings."""

    graph: dict[str, Any]
    device: str
    lengths: list[int]
    seconds: float  # no length that is expected to take longer is scored
    mib: float


class Line(msgspec.Struct):
    """What it prints: the memory before the first length, a length, or why it stops."""

    base_mib: float | None = None
    size: Size | None = None
    stopped: str | None = None


def growth(subject: str, job: Job, timeout: float, progress: Callable[[Size], None] = lambda size: None) -> Growth:
    """Return how the scoring of a graph grows. Raises VadkitError if the process fails at once."""
    found = Growth(subject, None, [], seconds=job.seconds)
    command = [sys.executable, "-m", "vadkit.bench.speed.growth"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdin and child.stdout and child.stderr
        timer = threading.Timer(timeout, child.kill)
        timer.start()
        child.stdin.write(json_file.as_line(job))
        child.stdin.close()
        for text in child.stdout:
            line = json_file.from_bytes(text, Line, "a line of the growth")
            found.base_mib = found.base_mib if line.base_mib is None else line.base_mib
            found.stopped = line.stopped or found.stopped
            if line.size is not None:
                found.sizes.append(line.size)
                progress(line.size)
        errors = child.stderr.read().decode(errors="replace").strip().splitlines()
        code = child.wait()
        is_late = not timer.is_alive()
        timer.cancel()
    if code and not found.sizes:
        fail(f"scoring could not be measured (exit code {code}): {errors[-1] if errors else 'no message'}")
    if code:
        longest = found.sizes[-1].snippets
        reason = (
            f"took more than {timeout:.0f} s in all" if is_late else (errors[-1] if errors else f"exit code {code}")
        )
        found.stopped = f"stopped after {longest:,} snippets: {reason}"
    return found


def exponent(sizes: Sequence[Size], value: Callable[[Size], float | None]) -> float | None:
    """Return the slope of log(value) over log(snippets), from ``FIRST`` snippets; None for fewer than two of them."""
    pairs = [(math.log(s.snippets), v) for s in sizes if s.snippets >= FIRST and (v := value(s)) is not None]
    points = [(x, math.log(v)) for x, v in pairs if v > 0]
    if len(points) < 2:
        return None
    mean_x, mean_y = (sum(column) / len(points) for column in zip(*points))
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / sum((x - mean_x) ** 2 for x, _ in points)
    return float(slope)


def time_exponent(found: Growth) -> float | None:
    return exponent(found.sizes, lambda size: size.ms)


def memory_exponent(found: Growth) -> float | None:
    """Return the exponent of what scoring adds to the process."""
    base = found.base_mib
    return None if base is None else exponent(found.sizes, lambda size: _above(size.peak_mib, base))


def _above(mib: float | None, base: float) -> float | None:
    return None if mib is None else mib - base


# -- the process ---------------------------------------------------------------------------------
def lines(job: Job) -> Iterator[Line]:
    """Score each length once or a few times."""
    import vadkit

    device = torch.device(job.device)
    model = vadkit.build(job.graph, seed=0).to(device).eval()
    with torch.inference_mode():
        model(**_video(model, WARM, device))
        base = memory(device)
        yield Line(base_mib=base)
        sizes: list[Size] = []
        for length in job.lengths:
            if stopped := ceiling(sizes, length, base, job):
                yield Line(stopped=stopped)
                return
            sizes.append(_scored(model, length, device))
            yield Line(size=sizes[-1])


def _scored(model: Any, length: int, device: torch.device) -> Size:
    """Score a length once or a few times. Its video is dropped before the next is drawn: the peak is that of one."""
    video = _video(model, length, device)
    times = [clock(lambda: model(**video), device)]
    times += [clock(lambda: model(**video), device) for _ in range(2) if times[0] < 300]
    return Size(length, max(min(times), 1e-6), memory(device))


def memory(device: torch.device) -> float | None:
    """Return the peak of the process, or of what torch holds on a GPU, in MiB."""
    return torch.cuda.max_memory_allocated(device) / 2**20 if device.type == "cuda" else peak()


def _video(model: Any, length: int, device: torch.device) -> dict[str, Any]:
    draws = torch.Generator().manual_seed(0)
    sizes = model.input_sizes.items()
    return {name: torch.rand(1, length, size, generator=draws).to(device) for name, size in sizes}


def ceiling(sizes: Sequence[Size], length: int, base: float | None, job: Job) -> str | None:
    """Return why a length is not scored: what the last two promise is above a ceiling."""
    if len(sizes) < 2:
        return None
    ms = _expected([(s.snippets, s.ms) for s in sizes], length)
    before = f"stopped after {sizes[-1].snippets:,} snippets: {length:,} would take about"
    seconds = job.seconds * (PATIENCE if length <= WANTED else 1)
    if ms / 1e3 > seconds:
        return f"{before} {ms / 1e3:,.0f} s, the ceiling is {seconds:,.0f} s"
    if base is None or any(s.peak_mib is None for s in sizes):
        return None
    above = [(s.snippets, max((s.peak_mib or 0.0) - base, UNSURE)) for s in sizes]
    mib, free = base + _expected(above, length), free_memory() if job.device == "cpu" else None
    most = min(job.mib, math.inf if free is None else base + free / 2**20)
    return f"{before} {mib / 1024:,.1f} GiB, the ceiling is {most / 1024:,.1f} GiB" if mib > most else None


def _expected(values: Sequence[tuple[int, float]], length: int) -> float:
    """Continue the last two values in their double logarithm, at least in proportion."""
    (one, first), (two, second) = values[-2:]
    slope = max(1.0, math.log(second / first) / math.log(two / one))
    return float(second * (length / two) ** slope)


def main() -> None:
    job = json_file.from_bytes(sys.stdin.buffer.read(), Job, "the job")
    with contextlib.suppress(BrokenPipeError):
        for line in lines(job):
            sys.stdout.buffer.write(json_file.as_line(line))
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
