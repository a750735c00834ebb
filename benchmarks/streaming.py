"""Memory of live scores over 24 simulated hours: the demo's causal graphs, fed one snippet after the other.

    python benchmarks/streaming.py [--hours 24] [--piece 1] [--graphs demo_rgb_causal demo_three_stream_causal]

Features are drawn at random at the demo's rate, 12 frames a second in snippets of 8: 129,600 in a day. They are scored
as fast as possible, one by one or in pieces, on one thread. Every simulated hour it notes the resident memory of the
process and the size of the state. Writes benchmarks/results/streaming-cpu-MONTH.json and .md.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any

import torch
from results import write

import vadkit

GRAPHS = ["demo_rgb_causal", "demo_three_stream_causal"]
PER_HOUR = 3600 * 12 // 8
SHOWN = (0, 1, 2, 6, 12, 18, 24)  # hours that are rows of the table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--piece", type=int, default=1, help="snippets that are fed at once")
    parser.add_argument("--graphs", nargs="+", default=GRAPHS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows = [row for graph in args.graphs for row in watched(graph, args.hours, args.piece)]
    conditions = {"snippets in an hour": PER_HOUR, "fed at once": args.piece, "weights": "drawn with seed 0"}
    write("streaming", "Live scores over simulated hours", rows, conditions, "cpu")


def watched(graph: str, hours: int, piece: int) -> list[dict[str, Any]]:
    """Return a row for some of the hours: memory, size of the state, time for a snippet in that hour."""
    model = vadkit.build(graph, seed=0)
    stepper, generator = vadkit.stream(model), torch.Generator().manual_seed(0)
    last: int = -1
    for _ in range(100):  # libraries and tables that the first snippets load are not part of the growth
        last = fed(stepper, model.input_sizes, generator, last, piece)
    rows = [row_of(graph, 0, stepper, None)]
    for hour in range(1, hours + 1):
        start = time.process_time()
        for _ in range(PER_HOUR // piece):
            last = fed(stepper, model.input_sizes, generator, last, piece)
        rows.append(row_of(graph, hour, stepper, 1000 * (time.process_time() - start) / PER_HOUR))
        print(rows[-1], flush=True)
    return [row for row in rows if row["hour"] in SHOWN or row["hour"] == hours]


def fed(stepper: vadkit.Stepper, sizes: dict[str, int], generator: torch.Generator, last: int, piece: int) -> int:
    """Feed the next snippets; return the index of the newest score, after checking that they come in order."""
    streams = {name: torch.randn(piece, size, generator=generator) for name, size in sizes.items()}
    found = stepper.step({name: x[0] for name, x in streams.items()}) if piece == 1 else stepper.chunk(streams)
    for index, _ in found:
        assert index == last + 1, f"score {index} follows {last}"
        last = index
    return last


def row_of(graph: str, hour: int, stepper: vadkit.Stepper, milliseconds: float | None) -> dict[str, Any]:
    return {
        "graph": graph,
        "hour": hour,
        "resident MiB": round(resident() / 2**20, 1),
        "state bytes": stepper.state_bytes,
        "CPU ms for a snippet": "-" if milliseconds is None else round(milliseconds, 2),
    }


def resident() -> int:
    """Return the bytes of this process that are in memory (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
