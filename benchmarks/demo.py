"""Average precision of the demo's systems, all clips and each kind of anomaly, from a finished ``vadkit demo``.

    vadkit demo && python benchmarks/demo.py [--demo vadkit-demo]

Writes benchmarks/results/demo-DEVICE-MONTH.json and .md, from which benchmarks/measured.py writes README's table.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from results import write

KINDS = ("fire", "fight", "gunshots", "explosion")


def rows(study: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a row per system of a study.json."""
    return [{"system": system["title"], **_cells([run["figures"] for run in system["runs"]])}
            for system in study["systems"]]  # fmt: skip


def _cells(figures: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    values = [each["ap"] for each in figures]
    of_kind = {kind: statistics.mean(each["per_class"][kind]["ap"] for each in figures) for kind in KINDS}
    all_clips = f"{statistics.mean(values):.3f} +- {statistics.stdev(values):.3f}"
    return {"all clips": all_clips, **{kind: f"{value:.3f}" for kind, value in of_kind.items()}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--demo", type=Path, default=Path("vadkit-demo"), help="folder of the demo")
    study = json.loads((parser.parse_args().demo / "study.json").read_text())
    assert not study["quick"], "a quick demo is no measurement"
    write("demo", "Average precision over frames of the demo's systems", rows(study), {"seeds": study["seeds"]}, "cpu")


if __name__ == "__main__":
    main()
