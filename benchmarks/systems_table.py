"""Every system and recipe on the demo data, three seeds each, as one table by ``vadkit bench swap``.

    vadkit demo && python benchmarks/systems_table.py          # resumes; --write writes the spec alone

Rows are read from the cards: the largest graph of each system that trains on labels of videos alone, and every recipe.
They are written to benchmarks/specs/systems.yaml. The demo's streams become as wide as the inputs of a graph: columns
are left out, or repeated. Each stream is multiplied by one number, so that its root mean square is 0.5: networks
without a norm at their input saturate on larger ones. A network that is too large for a run of seconds has its widths
divided, by the number in the name of its row. Each row keeps its components, losses, sampler and rule of the optimizer;
for all alike, a run has 80 steps of at most 16 bags of at most 32 snippets, a learning rate of 1e-3 for all nodes, and
no schedule. Where that rate drives the scores of every seed to 0, the name of the row has the rate it trains with.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path

import numpy as np
from narrow import NARROW, configs_of, narrow_recipe, narrowing, parts, shortening

from vadkit.bench.speed.grid import length_of
from vadkit.graph.compiler import compile_plan
from vadkit.graph.cost import costs, parameters
from vadkit.graph.load import load_config
from vadkit.graph.module import without_weights
from vadkit.graph.plan import Plan
from vadkit.plugin_manager import load_plugins, own_configs
from vadkit.problems import VadkitError
from vadkit.systems.card import Card, read_cards

HERE = Path(__file__).parent
SPEC, OUT, DEMO = HERE / "specs" / "systems.yaml", HERE / "results" / "systems", Path("vadkit-demo")
BASE = "seed"  # the system that the others are compared with
STEPS, BAGS, SNIPPETS, RATE = 80, 16, 32, 1e-3
SLOWER = {"umil_ucf": 1e-4, "umil_ucf_rounds": 1e-4}  # whose scores RATE drives to 0
SCALE = 0.5  # root mean square of a stream
LEAST = 4  # bags of snippets that are many patches
FACTORS = (1, 4, 8, 16)
MOST_PARAMETERS, MOST_OPERATIONS = 1_000_000, 2e9  # of a network that stays as it is; operations of a step
SHARED = [
    "train.schedule=null",
    "train.warm_start=null",
    "train.groups=[]",
    "train.accumulate=1",
    "train.select=last",
    "eval.crops=mean",
    "eval.tail=real",  # frames that a video has not are counted for no system
]


@dataclass(frozen=True)
class Row:
    """A row of the table: a graph or recipe, the changes to it, and what its features must be.

    Attributes:
        name: of the graph or recipe.
        factor: by which widths are divided.
        sets: changes.
        widths: of its streams.
        classes: of the graph, or None.
        prompts: file of class vectors, or None.
        files: next to the spec, in its folder systems: narrow graphs of a recipe.
    """

    name: str
    is_recipe: bool
    factor: int
    sets: tuple[str, ...]
    widths: Mapping[str, int]
    classes: tuple[str, ...] | None = None
    prompts: str | None = None
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def config(self) -> str:
        return f"systems/{next(iter(self.files))}" if self.files else self.name

    @property
    def title(self) -> str:
        recipe = "recipe " if self.is_recipe else ""
        narrow = f", widths / {self.factor}" if self.factor > 1 else ""
        slower = f", rate {SLOWER[self.name]:g}" if self.name in SLOWER else ""
        return f"{recipe}{self.name}{narrow}{slower}"


# -- the rows --------------------------------------------------------------------------------------
def rows() -> list[Row]:
    """Return the rows of all cards, the base first."""
    cards = read_cards([own_configs()])
    names = [BASE, *(name for name in cards if name != BASE)]
    return [row for name in names for row in _of_card(cards[name])]


def _of_card(card: Card) -> Iterator[Row]:
    largest_first = sorted(card.graphs, key=lambda graph: (-parts(graph), graph))
    if (graph := next((graph for graph in largest_first if not _is_taught(_plan(graph))), None)) is not None:
        yield _row(graph, False)
    for path in sorted((own_configs() / "recipes").glob("*.yaml")):
        if set(configs_of(path.stem)) <= set(card.graphs):
            yield _row(path.stem, True)


def _plan(graph: str, sets: Sequence[str] = ()) -> Plan:
    return compile_plan(load_config(graph, sets, [own_configs()]), load_plugins(), trainable=False)


def _is_taught(plan: Plan) -> bool:
    """Return whether a graph trains on labels of snippets, which only a recipe makes."""
    return any(name == "targets" for _, name, _ in plan.empty(plan.spec))


def _row(name: str, is_recipe: bool) -> Row:
    graphs = list(dict.fromkeys(configs_of(name))) if is_recipe else [name]
    every = {graph: load_config(graph, (), [own_configs()]).data for graph in graphs}
    for factor in FACTORS:
        sets = {graph: narrowing(data, factor) for graph, data in every.items()}
        plans = _compiled(sets)
        if plans and all(map(_is_small, plans)):
            break
    assert plans, f"{name} cannot be made narrow"
    data = plans[-1].spec["data"]
    widths = {n: prod(t for t in p.tokens if isinstance(t, int)) for plan in plans for n, p in plan.inputs.items()}
    classes = tuple(data["classes"]) if data["classes"] else None
    prompts = next((plan.spec["data"]["prompts"] for plan in plans if plan.spec["data"]["prompts"]), None)
    files = narrow_recipe(name, factor, SNIPPETS) if is_recipe else {}
    own = [] if is_recipe else [*sets[name], *shortening(every[name], SNIPPETS)]
    return Row(name, is_recipe, factor, (*own, *_step(name, plans[-1])), widths, classes, prompts, files)


def _compiled(sets: Mapping[str, Sequence[str]]) -> list[Plan]:
    try:
        return [_plan(graph, changes) for graph, changes in sets.items()]
    except VadkitError:  # heads that do not divide the width, say
        return []


def _is_small(plan: Plan) -> bool:
    model = without_weights(plan)
    if parameters(model) > MOST_PARAMETERS:
        return False
    counted = sum(cost.flops or 0 for cost in costs(model, min(length_of(plan.spec), SNIPPETS)).values())
    return 3 * BAGS * counted <= MOST_OPERATIONS


def _step(name: str, plan: Plan) -> list[str]:
    """Return the batch and the learning rate of a run."""
    data, train = plan.spec["data"], plan.spec["train"]
    patches = max(prod(t for t in p.tokens[2:-1] if isinstance(t, int)) for p in plan.inputs.values())
    bags = min(data["batch"] * train["accumulate"], max(LEAST, BAGS // patches))
    return [f"data.batch={bags}", f"train.optimizer.lr={SLOWER.get(name, RATE)}"]


# -- the spec --------------------------------------------------------------------------------------
def spec(found: Sequence[Row], demo: Path) -> str:
    """Return the text of the spec."""
    lines = [
        "# Every system and recipe that comes with vadkit, on the rendered demo data. Written by",
        "#",
        "#   vadkit demo && python benchmarks/systems_table.py",
        "#",
        "# which also brings the demo's streams to the widths of each graph, and runs it: see there.",
        "about: every system and recipe, widths divided where stated, on the rendered demo data",
        f"set: {json.dumps(SHARED)}",
        f"budget: {{steps: {STEPS}}}",
        "seeds: 3",
        f"base: {json.dumps(found[0].title)}",
        "variants:",
    ]
    for row in found:
        lines.append(f"  {json.dumps(row.title)}:")
        lines.append(f"    {'recipe' if row.is_recipe else 'config'}: {row.config}")
        lines.append("    set:")
        lines += [f"      - {json.dumps(text)}" for text in (*row.sets, *_data(row, demo))]
    return "\n".join(lines) + "\n"


def write_files(found: Sequence[Row], folder: Path, every: bool) -> None:
    """Write the files of narrow graphs; of ``every`` row, remove those that no row has."""
    files = {file: text for row in found for file, text in row.files.items()}
    folder.mkdir(exist_ok=True)
    for path in folder.glob(f"{NARROW}*.yaml") if every else ():
        if path.name not in files:
            path.unlink()
    for file, text in files.items():
        (folder / file).write_text(text)


def _data(row: Row, demo: Path) -> list[str]:
    folder = demo / "systems" / row.name
    sets = [f"data.args.root={folder}"]
    return [*sets, f"data.prompts={folder / 'prompts.npy'}"] if row.prompts else sets


# -- the features ----------------------------------------------------------------------------------
def write_store(row: Row, demo: Path) -> None:
    """Write the store of a row: the demo's streams, as wide as the inputs, each under the name of an input."""
    folder, features = demo / "systems" / row.name, demo / "features"
    head, videos = (json.loads((features / name).read_text()) for name in ("store.json", "videos.json"))
    streams = {}
    for name, width in row.widths.items():
        source = name if name in head["streams"] else next(iter(head["streams"]))
        columns = _columns(features / source, demo / "systems" / "columns_scaled" / f"{source}_{width}", width)
        (folder / name).mkdir(parents=True, exist_ok=True)
        for path in columns.glob("*.npy"):
            (folder / name / path.name).unlink(missing_ok=True)
            os.link(path, folder / name / path.name)
        entry = head["streams"][source]
        had = entry["dim"]
        how = f"{width} of {had}, evenly spaced" if width < had else f"{had}, repeated to {width}"
        how += f", scaled to a root mean square of {SCALE}"
        streams[name] = {**entry, "dim": width, "recipe": {**entry["recipe"], "columns": how}}
    classes = _classes(row, head["classes"])
    names = dict(zip(head["classes"], classes))
    for video in videos:
        video["classes"] = [names[each] for each in video["classes"]]
    (folder / "store.json").write_text(json.dumps({**head, "streams": streams, "classes": classes}, indent=1))
    (folder / "videos.json").write_text(json.dumps(videos, indent=1))
    if row.prompts:
        vectors = np.load(row.prompts)
        np.save(folder / "prompts.npy", vectors[:, : vectors.shape[1] // row.factor])


def _columns(source: Path, folder: Path, width: int) -> Path:
    """Write the features of a stream with so many columns: some of them, or all repeated; and scaled."""
    if folder.is_dir():
        return folder
    found = {path.name: np.load(path) for path in source.glob("*.npy")}
    scale = SCALE / np.sqrt(np.mean(np.concatenate([x.ravel() for x in found.values()]).astype(float) ** 2))
    folder.mkdir(parents=True)
    for name, x in found.items():
        np.save(folder / name, (x[..., chosen(width, x.shape[-1])] * scale).astype(x.dtype))
    return folder


def chosen(width: int, had: int) -> np.ndarray:
    """Return so many columns: evenly spaced, since neighbours describe much the same; or all, repeated."""
    return np.arange(width) * had // width if width < had else np.arange(width) % had


def _classes(row: Row, own: Sequence[str]) -> list[str]:
    """Return as many classes as a graph has vectors for; the demo's kinds of clips are the first of them."""
    if row.classes:
        return list(row.classes)
    count = len(np.load(row.prompts)) if row.prompts else len(own)
    return [*own, *(f"class {n}" for n in range(len(own), count))][:count]


# -- the table -------------------------------------------------------------------------------------
def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write the spec and stop")
    parser.add_argument(
        "--only", nargs="*", metavar="NAME", help="graphs and recipes, for a trial: their spec is in OUT"
    )
    parser.add_argument("--demo", type=Path, default=DEMO, help="folder of 'vadkit demo' (default: vadkit-demo)")
    parser.add_argument("--out", type=Path, default=OUT, help="default: benchmarks/results/systems")
    args = parser.parse_args()
    found = [row for row in rows() if args.only is None or row.name in args.only]
    path = SPEC if args.only is None else args.out / "spec.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(spec(found, args.demo))
    write_files(found, path.parent / "systems", args.only is None)
    print(f"{path}: {len(found)} rows")
    if args.write:
        return 0
    if not (args.demo / "features" / "store.json").is_file():
        print(f"error: {args.demo} has no features: run vadkit demo first", file=sys.stderr)
        return 2
    for row in found:
        write_store(row, args.demo)
    spec_path = os.path.relpath(path)  # what a result states of its configs is nothing of this machine
    command = ["bench", "swap", "--spec", spec_path, "--out", str(args.out), "--no-timing"]
    return subprocess.run([sys.executable, "-m", "vadkit", *command], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
