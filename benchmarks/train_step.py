"""A train step of the paper's RGB system at 32 + 32 bags of 200 snippets: mask form against one-hot nominator.

    python benchmarks/train_step.py [--device cpu|cuda] [--bags 64]

Both variants are the graph seed_xd_rgb; the second swaps one node. They take turns; the medians and
the peak memory (on the CPU, of a separate process) are written to
benchmarks/results/train_step-DEVICE-MONTH.json and .md.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

ONE_HOT = str(Path(__file__).parent / "one_hot")
sys.path.insert(0, ONE_HOT)
os.environ["VADKIT_PLUGINS"] = "vadkit_one_hot_nominator"
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [ONE_HOT, os.environ.get("PYTHONPATH")]))

import torch  # noqa: E402
from results import write  # noqa: E402

import vadkit  # noqa: E402
from vadkit.bench.timing import Load, measure, peak_memory  # noqa: E402

VARIANTS = {"mask form": [], "one-hot form": ["nodes.nominator.use=one_hot_nominator"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--bags", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    load, device = Load(args.bags, 200, args.rounds), torch.device(args.device)
    torch.manual_seed(0)
    models = {name: vadkit.build("seed_xd_rgb", set=sets) for name, sets in VARIANTS.items()}
    timings = measure(models, load, device)
    rows = []
    for name, model in models.items():
        timing = timings[name]
        memory = timing.memory_mib if args.device == "cuda" else peak_memory(model.spec, load)
        rows.append(
            {
                "nominator": name,
                "train step, s": round(timing.train_ms / 1e3, 3),
                "scoring, s": round(timing.score_ms / 1e3, 3),
                "peak memory, MiB": memory and round(memory),
            }
        )
    for row in rows:
        row["speed against one-hot"] = round(rows[-1]["train step, s"] / row["train step, s"], 2)
    conditions = {
        "graph": "seed_xd_rgb",
        "bags": args.bags,
        "snippets": 200,
        "rounds": args.rounds,
        "train step": "forward, backward, Adam",
    }
    write("train_step", "Train step of the RGB system", rows, conditions, args.device)


if __name__ == "__main__":
    main()
