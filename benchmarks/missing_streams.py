"""What missing streams cost: plain and robust graphs, scored with every subset and with sound lost in blocks.

    vadkit demo && python benchmarks/missing_streams.py --data vadkit-demo/features --out missing_streams

Trains the rows of specs/missing_streams.yaml by ``vadkit bench swap``, which resumes, and scores the test videos of
each three-stream model with streams absent. Snippets are lost in runs of ``BLOCK``, other ones for each seed. The bars
compare means over the seeds, in points of AP; a failed one is written down as failed. A component has shown its worth
if the graph with it gains more than twice the spread over seeds, on average over the conditions. Results:
benchmarks/results.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from results import FOLDER

import vadkit
from vadkit.bench.machine import machine
from vadkit.data.absent import Lost, lost_blocks
from vadkit.data.from_config import open_dataset
from vadkit.evaluate.score import evaluate_as_configured

SPEC = Path(__file__).parent / "specs" / "missing_streams.yaml"
BLOCK = 3  # snippets; a video of the demo has about ten
PICTURE = ("rgb", "clip")  # two inputs, one stream of the store
TRAINED_ON = {  # the row that was trained on what a condition leaves
    "all": "plain",
    "no sound": "RGB + flow",
    "no flow": "RGB + sound",
    "no picture": "flow + sound",
    "picture only": "RGB",
    "flow only": "flow",
    "sound only": "sound",
}
COMPARED = {  # rows that differ in one component: with it, and without it or with another in its place
    "modality_dropout": ("with dropout", "robust"),
    "present_sum": ("robust", "with concat"),
    "present_sum, not reliability_gate": ("robust", "with gate"),
}


def conditions(seed: int) -> dict[str, dict[str, Lost]]:
    """Return what each condition takes away."""
    picture: dict[str, Lost] = dict.fromkeys(PICTURE, True)
    found: dict[str, dict[str, Lost]] = {
        "all": {},
        "no sound": {"audio": True},
        "no flow": {"flow": True},
        "no picture": picture,
        "picture only": {"flow": True, "audio": True},
        "flow only": {**picture, "audio": True},
        "sound only": {**picture, "flow": True},
    }
    for share in (25, 50, 75):
        found[f"{share} % of sound lost"] = {"audio": lost_blocks(share / 100, BLOCK, seed)}
    return found


def finished(out: Path) -> dict[str, list[tuple[int, Path]]]:
    """Return (seed, folder) of each finished run by row of the comparison in a folder."""
    table = json.loads((out / "results.json").read_text())["variants"]
    return {
        row["name"]: sorted((run["seed"], out / run["folder"]) for run in row["runs"] if run["state"] == "finished")
        for row in table
    }


def measured(runs: list[tuple[int, Path]], data: str) -> dict[str, dict[int, float]]:
    """Return AP in points by condition and seed."""
    found: dict[str, dict[int, float]] = {}
    for seed, folder in runs:
        model = vadkit.load(folder / "model.safetensors")
        section = {**model.spec["data"], "args": {**model.spec["data"]["args"], "root": data}}
        dataset = open_dataset(section, None, model.takes_presence)
        for name, absent in conditions(seed).items():
            result = evaluate_as_configured(model, dataset, model.spec["eval"], absent=absent, device="cpu")
            found.setdefault(name, {})[seed] = 100 * result.figures["ap"]
    return found


def own(runs: list[tuple[int, Path]]) -> dict[int, float]:
    """Return AP in points by seed, of a model on all the streams that it has."""
    return {seed: 100 * json.loads((folder / "result.json").read_text())["figures"]["ap"] for seed, folder in runs}


def mean(values: Mapping[int, float]) -> float:
    return statistics.mean(values.values())


def _over_seeds(values: list[float]) -> tuple[float, float | None]:
    """Return mean and standard deviation, None for that of a single seed."""
    return statistics.mean(values), statistics.stdev(values) if len(values) > 1 else None


def bars(robust: Mapping[str, Mapping[int, float]], trained: Mapping[str, Mapping[int, float]]) -> list[dict[str, Any]]:
    """Return the bars with their figures."""
    wanted = (
        ("without sound, below a model trained without it", trained["RGB + flow"], robust["no sound"], 1.0),
        ("75 % of the sound lost, below all of it", robust["all"], robust["75 % of sound lost"], 1.5),
        ("nothing missing, below the plain model", trained["plain"], robust["all"], 0.5),
    )
    found = []
    for what, reference, value, most in wanted:
        per_seed = [reference[seed] - value[seed] for seed in value if seed in reference]
        cost, spread = _over_seeds(per_seed)
        found.append({"bar": what, "cost": cost, "spread": spread, "most": most, "met": cost <= most})
    return found


def components(systems: Mapping[str, Mapping[str, Mapping[int, float]]]) -> list[dict[str, Any]]:
    """Return what each component gains, on average over the conditions."""
    found = []
    for name, (ours, row) in COMPARED.items():
        if not {ours, row} <= systems.keys():
            continue
        pairs = [(systems[ours][each], systems[row][each]) for each in systems[row]]
        seeds = sorted(set(pairs[0][0]) & set(pairs[0][1]))
        gains = [statistics.mean(with_it[seed] - without[seed] for with_it, without in pairs) for seed in seeds]
        gain, spread = _over_seeds(gains)
        shown = spread is not None and gain > 2 * spread
        found.append({"component": name, "against": row, "gain": gain, "spread": spread, "shown": shown})
    return found


def table(
    systems: Mapping[str, Mapping[str, Mapping[int, float]]], trained: Mapping[str, Mapping[int, float]]
) -> list[str]:
    lines = [f"| scored with | {' | '.join(systems)} | trained on it |", "|---" + "|---:" * (len(systems) + 1) + "|"]
    for name in next(iter(systems.values())):
        cells = [_cell(system[name]) for system in systems.values()]
        lines.append(f"| {name} | {' | '.join(cells)} | {_cell(trained.get(TRAINED_ON.get(name, ''), {}))} |")
    return lines


def _cell(values: Mapping[int, float]) -> str:
    if len(values) < 2:
        return "-" if not values else f"{mean(values):.1f}"
    return f"{mean(values):.1f} +- {statistics.stdev(values.values()):.1f}"


def _spread(measured: Mapping[str, Any]) -> str:
    return "-" if measured["spread"] is None else f"{measured['spread']:.1f}"


def write(result: dict[str, Any], lines: list[str], stem: str) -> None:
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{stem}.json").write_text(json.dumps(result, indent=1) + "\n")
    where = result["machine"]
    packages = ", ".join(f"{name} {number}" for name, number in where["packages"].items())
    text = [
        f"# Missing streams: AP in points on {result['on']}",
        "",
        f"Mean and standard deviation over {len(result['seeds'])} seeds; sound is lost in runs of {BLOCK} snippets. "
        "The last column is a model trained on just what the row leaves."
        + "".join(f" `{change}`" for change in result["changes"]),
        "",
        *lines,
        "",
        "| bar | cost in AP | spread over seeds | at most | |",
        "|---|---:|---:|---:|---|",
    ]
    for bar in result["bars"]:
        verdict = "met" if bar["met"] else "**failed**"
        text.append(f"| {bar['bar']} | {bar['cost']:.1f} | {_spread(bar)} | {bar['most']} | {verdict} |")
    text += ["", "| component | compared with | gain in AP | spread over seeds | |", "|---|---|---:|---:|---|"]
    for each in result["components"]:
        verdict = "shown" if each["shown"] else "not shown"
        text.append(f"| {each['component']} | {each['against']} | {each['gain']:.1f} | {_spread(each)} | {verdict} |")
    text += [
        "",
        f"{where['device']}, {where['threads']} threads; Python {where['python']}, {packages}; "
        f"commit {where['commit']}, {where['date']}. `python benchmarks/missing_streams.py`",
    ]
    (FOLDER / f"{stem}.md").write_text("\n".join(text) + "\n")
    print("\n".join(text))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="vadkit-demo/features", help="features of the demo")
    parser.add_argument("--out", type=Path, default=Path("missing_streams"), help="folder of the runs")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a change in every row")
    parser.add_argument("--on", default="the demo's test clips", help="what the features are of, for the title")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--no-train", action="store_true", help="measure the comparison that --out has")
    parser.add_argument("--stem", default=f"missing_streams-cpu-{time.strftime('%Y-%m')}", help="name of the results")
    args = parser.parse_args()
    if not args.no_train:
        command = ["vadkit", "bench", "swap", "--spec", str(SPEC), "--data", args.data, "--seeds", str(args.seeds)]
        changes = [part for text in args.set for part in ("--set", text)]
        subprocess.run([*command, *changes, "--out", str(args.out), "--no-timing"], check=True)
    runs = finished(args.out)
    rows = dict.fromkeys(["plain", "robust", *(row for pair in COMPARED.values() for row in pair)])
    systems = {name: measured(runs[name], args.data) for name in rows if name in runs}
    trained = {name: own(runs[name]) for name in dict.fromkeys(TRAINED_ON.values()) if name in runs}
    result = {
        "machine": machine(torch.device("cpu")),
        "on": args.on,
        "changes": args.set,
        "seeds": sorted(systems["robust"]["all"]),
        "block": BLOCK,
        "systems": systems,
        "trained": trained,
        "bars": bars(systems["robust"], trained),
        "components": components(systems),
    }
    write(result, table(systems, trained), args.stem)
    return 0 if all(bar["met"] for bar in result["bars"]) else 1


if __name__ == "__main__":
    sys.exit(main())
