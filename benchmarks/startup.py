"""Start-up time of commands: medians over interleaved rounds, as ratios to a bare interpreter and to ``import torch``.

    python benchmarks/startup.py [--rounds 7]

Modules are compiled before, as an installation has them. Writes benchmarks/results/startup-DEVICE-MONTH.json and .md.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time

from results import write

COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "python -c 'import torch'": [sys.executable, "-c", "import torch"],
    "vadkit --help": [sys.executable, "-m", "vadkit", "--help"],
    "vadkit --version": [sys.executable, "-m", "vadkit", "--version"],
    "vadkit list": [sys.executable, "-m", "vadkit", "list"],
    "vadkit info tca": [sys.executable, "-m", "vadkit", "info", "tca"],
    "vadkit list plugins": [sys.executable, "-m", "vadkit", "list", "plugins"],
    "vadkit build seed_xd_rgb": [sys.executable, "-m", "vadkit", "build", "seed_xd_rgb"],
    "vadkit build seed_xd_three_stream": [sys.executable, "-m", "vadkit", "build", "seed_xd_three_stream"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    for number in range(rounds + 1):
        for name, command in COMMANDS.items():
            before = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
            if number:  # the first round fills the disk cache, and compiles modules
                times[name].append(time.perf_counter() - before)
    medians = {name: statistics.median(values) for name, values in times.items()}
    bare, torch = medians["python -c pass"], medians["python -c 'import torch'"]
    rows = [
        {
            "command": name,
            "seconds": round(value, 3),
            "ratio to a bare interpreter": round(value / bare, 1),
            "ratio to import torch": round(value / torch, 2),
        }
        for name, value in medians.items()
    ]
    write("startup", "Start-up time", rows, {"rounds": rounds}, "cpu")


if __name__ == "__main__":
    main()
