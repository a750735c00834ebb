"""The transfer matrix of the demo: trained on two of its four cameras, tested on the other two, tuned on a few clips.

    python benchmarks/transfer.py --demo vadkit-demo --out transfer

splits the features of a finished `vadkit demo` by camera into two stores that refer to it, and runs `vadkit bench
transfer demo_rgb` on them, with the clicks of the demo, and with all normal clips for false alarms. Rerun the same
command to resume. Takes about 15 minutes on one quiet core (an estimate). Writes benchmarks/results/transfer.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from pathlib import Path

import torch

from vadkit.bench.transfer.write import FILES
from vadkit.cli import main as vadkit
from vadkit.store.reference import write_reference

RESULTS = Path(__file__).parent / "results" / "transfer"
SETS = {"cameras_0_1": (0, 1), "cameras_2_3": (2, 3)}


def stores(features: Path, out: Path) -> list[str]:
    """Write a store for each set of cameras, and return the options that name them."""
    videos = json.loads((features / "videos.json").read_text())
    options = []
    for name, cameras in SETS.items():
        write_reference(features, out / name, {v["name"] for v in videos if v["tags"]["camera"] in cameras})
        options += ["--store", f"{name}={out / name}"]
    return [*options, "--normal", f"all_normal={features}"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--demo", type=Path, default=Path("vadkit-demo"), help="folder of a finished vadkit demo")
    parser.add_argument("--out", type=Path, default=Path("transfer"), help="folder for the runs")
    parser.add_argument("--config", default="demo_rgb")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--shots", default="1,5,20")
    args = parser.parse_args()
    torch.set_num_threads(1)
    named = stores(Path(os.path.realpath(args.demo / "features")), args.out / "data")
    more = ["--shots", args.shots, "--seeds", str(args.seeds), "--device", "cpu", "--out", str(args.out)]
    code = vadkit(["bench", "transfer", args.config, *named, *more])
    if code == 0:
        RESULTS.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            shutil.copy(args.out / name, RESULTS / name)
    return code


if __name__ == "__main__":
    raise SystemExit(main())
