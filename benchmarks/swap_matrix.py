"""Every temporal module, fusion, head and loss in the place of every other of its kind, in one graph of each system.

    python benchmarks/swap_matrix.py [--workers 2] [--systems hl_net msbt ...]

Each pair of a place and a component is compiled as ``--set nodes.NODE.use=COMPONENT`` would be. It works, or is refused
in sentences that each name a port or an argument; anything else is a defect, and the exit code is 1. The counts are
printed and written to benchmarks/results/swap_matrix.json and .md.

A place is a node or loss, or the nodes that must be alike, by ``share`` or ``train.blend``: these are swapped together.
The wiring stays, and the component has its defaults, with two exceptions, the same for all: an argument without a
default is as in the component's ``example``, and where the width of the output is an argument, it is that of the place.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import re
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from narrow import parts
from results import markdown

from vadkit.bench.machine import machine
from vadkit.graph.arguments import arguments
from vadkit.graph.compiler import compile_plan
from vadkit.graph.load import load_config
from vadkit.graph.plan import Plan, Step
from vadkit.kinds import ModuleComponent
from vadkit.plugin_manager import load_plugins, own_configs
from vadkit.problems import VadkitError
from vadkit.shapes import parse_ports
from vadkit.systems.card import read_cards

FILE = Path(__file__).parent / "results" / "swap_matrix"
TITLE = "Swaps across systems"
KINDS = ("temporal", "fusion", "head", "loss")
WORKS, REFUSED, DEFECT = "works", "refused", "defect"
# What a sentence may say; ``name`` is the port, or the argument, of which it speaks.
CAUSES = {
    "it has no such port": r"unknown port '(?P<name>\w+)' of \w+",
    "nothing is wired to a port": r"needs '(?P<name>\w+)' \(.*nothing is wired to",
    "a port takes a value of another shape": r"takes '.*' as (?P<name>\w+); .* gives",
    "a port takes one source": r"port '(?P<name>\w+)' takes one",
    "it has no such output": r"unknown output '(?P<name>\w+)' of \w+",
    "none of its outputs has the name of a port": r"takes nothing from '\w+', whose outputs are (?P<name>\w+)",
    "a port takes another size": r"needs (?P<name>\w+)=\d+",
    "a port takes another range": r"needs (?P<name>\w+) as \w+; .* gives",
    "a port takes indices, or numbers": r"takes (?:indices|numbers) as (?P<name>\w+); ",
    "the batch lacks a value": r" needs (?P<name>\w+): ",
    "nodes that must be alike differ": r"built differently: .*?(?P<name>\w+) is ",
    "nodes that are blended need weights": r"no weights to blend, and '(?P<name>\w+)' needs some",
    "it refuses an argument": r"\((?P<use>\w+)\) refused its arguments: (?P<text>.*)",
}


@dataclass(frozen=True)
class Pair:
    """A component and a place of a graph: nodes that are swapped together, or a loss."""

    system: str
    graph: str
    section: str
    names: tuple[str, ...]
    component: str

    @property
    def place(self) -> str:
        return "+".join(self.names)

    @property
    def title(self) -> str:
        return f"{self.graph}, {self.place}: {self.component}"


@dataclass(frozen=True)
class Outcome:
    """What became of a pair, the cause and port of a refusal, and its sentences."""

    pair: Pair
    state: str
    cause: str = ""
    port: str = ""
    message: str = ""


# -- the pairs -------------------------------------------------------------------------------------
def largest_graphs() -> dict[str, str]:
    """Return of each system the graph with the most inputs, nodes and losses, the first of several."""
    return {name: max(sorted(card.graphs), key=parts) for name, card in read_cards([own_configs()]).items()}


@cache
def plan_of(graph: str) -> Plan:
    return compile_plan(load_config(graph, (), [own_configs()]), load_plugins())


@cache
def of_kind(kind: str) -> list[str]:
    """Return the names of the components of a kind."""
    components = load_plugins().components
    return sorted(name for name in components.names() if found(name).kind == kind)


def found(component: str) -> type[ModuleComponent]:
    cls: Any = load_plugins().components.find(component)
    assert cls is not None
    return cls  # type: ignore[no-any-return]


def pairs(system: str, graph: str) -> Iterator[Pair]:
    """Yield every place of a graph with every other component of its kind."""
    plan = plan_of(graph)
    places = [("nodes", tuple(step.name for step in steps), steps[0].component) for steps in _places(plan)]
    places += [("losses", (loss.name,), loss.component) for loss in plan.losses]
    for section, names, component in places:
        own: Any = component
        for other in of_kind(own.kind) if own.kind in KINDS else ():
            if other != own.name:
                yield Pair(system, graph, section, names, other)


def _places(plan: Plan) -> list[list[Step]]:
    """Return the nodes, those together that must be alike."""
    places: dict[str, list[Step]] = {}
    same = {entry["from"]: entry["into"] for entry in plan.spec["train"]["blend"]}
    for step in plan.steps:
        places.setdefault(same.get(step.module, step.module), []).append(step)
    return list(places.values())


# -- one pair --------------------------------------------------------------------------------------
def changes(pair: Pair, plan: Plan) -> list[str]:
    """Return the changes to the graph of a plan that put the component in its place."""
    sets = []
    for name in pair.names:
        where = f"{pair.section}.{name}"
        width = plan.step(name).outputs if pair.section == "nodes" else {}
        args = _arguments(found(pair.component), [pattern.tokens[-1] for pattern in width.values()])
        sets += [f"{where}.use={pair.component}"]
        sets += [f"{where}.args.{key}={json.dumps(value)}" for key, value in args.items()]
    return sets


def _arguments(component: type[ModuleComponent], widths: Sequence[int | str]) -> dict[str, Any]:
    """Return the arguments that have no default and are not inferred, and the width of the first output."""
    known = arguments(component)
    open_ones = [name for name in known if name not in _words(component.inputs)]
    args = {n: component.example[n] for n in open_ones if known[n].required and n in component.example}
    output = next(iter(component.outputs.items()))
    own = [word for word in _words(dict([output])) if word in open_ones]
    if own and widths and isinstance(widths[0], int):
        args[own[-1]] = widths[0]
    return args


def _words(ports: Mapping[str, str]) -> list[str]:
    return [word for port in parse_ports(ports).values() for word in port.pattern.words]


def outcome(pair: Pair) -> Outcome:
    """Compile a pair."""
    try:
        compile_plan(load_config(pair.graph, changes(pair, plan_of(pair.graph)), [own_configs()]), load_plugins())
    except VadkitError as error:
        return refusal(pair, error)
    except Exception as error:  # noqa: BLE001 - what must not happen, and is looked for
        return Outcome(pair, DEFECT, message=f"{type(error).__name__}: {error}")
    return Outcome(pair, WORKS)


def refusal(pair: Pair, error: VadkitError) -> Outcome:
    """Return why a pair was refused: a defect unless every sentence names a port or an argument."""
    causes = [cause_of(problem.message) for problem in error.problems]
    sentences = "; ".join(problem.message for problem in error.problems)
    first = causes[0]
    if first is None or None in causes:
        return Outcome(pair, DEFECT, message=sentences)
    return Outcome(pair, REFUSED, *first, sentences)


def cause_of(sentence: str) -> tuple[str, str] | None:
    """Return the cause that a sentence states and the port or argument; None if it names none."""
    for cause, pattern in CAUSES.items():
        if (match := re.search(pattern, sentence)) is None:
            continue
        if "name" in match.groupdict():
            return cause, match["name"]
        names = _names(found(match["use"]))
        named = [word for word in re.findall(r"\w+", match["text"]) if word in names]
        return (cause, named[0]) if named else None
    return None


def _names(component: type[ModuleComponent]) -> set[str]:
    return {*parse_ports(component.inputs), *parse_ports(component.outputs), *arguments(component)}


# -- all of them -----------------------------------------------------------------------------------
def every_pair(systems: Sequence[str] = ()) -> list[Pair]:
    graphs = {name: graph for name, graph in largest_graphs().items() if not systems or name in systems}
    return [pair for name, graph in graphs.items() for pair in pairs(name, graph)]


def compiled(every: Sequence[Pair], workers: int) -> Iterator[Outcome]:
    """Yield what becomes of each pair, in order."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, spawn, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        yield from pool.map(outcome, every, chunksize=8)


def rows(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Return the counts of each system, and of all."""
    systems = {o.pair.system: o.pair.graph for o in outcomes}
    groups = {name: [o for o in outcomes if o.pair.system == name] for name in systems} | {"all": list(outcomes)}
    return [{"system": name, "graph": systems.get(name, ""), **_counts(group)} for name, group in groups.items()]


def _counts(group: Sequence[Outcome]) -> dict[str, int]:
    causes = Counter(o.cause for o in group if o.state == REFUSED)
    states = Counter(o.state for o in group)
    places = {(o.pair.graph, o.pair.place) for o in group}
    return {
        "places": len(places),
        "pairs": len(group),
        WORKS: states[WORKS],
        REFUSED: states[REFUSED],
        **{cause: causes[cause] for cause in CAUSES},
        DEFECT: states[DEFECT],
    }


def by_place(outcomes: Sequence[Outcome]) -> dict[str, dict[str, Any]]:
    """Return for each place the components that work, and the others by cause and port."""
    found: dict[str, dict[str, Any]] = {}
    for o in outcomes:
        place = found.setdefault(o.pair.graph, {}).setdefault(o.pair.place, {})
        key = WORKS if o.state == WORKS else f"{o.cause}: {o.port}" if o.state == REFUSED else o.message
        place.setdefault(key, []).append(o.pair.component)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--systems", nargs="*", default=[], help="default: all")
    parser.add_argument("--out", type=Path, default=FILE, help="default: benchmarks/results/swap_matrix")
    args = parser.parse_args()
    began = time.perf_counter()
    every = every_pair(args.systems)
    outcomes = list(compiled(every, args.workers))
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = round(sum(each.ru_utime + each.ru_stime for each in spent))
    conditions = {"workers": args.workers, "seconds": round(time.perf_counter() - began), "CPU seconds of all": cpu}
    return report(outcomes, conditions, args.out)


def report(outcomes: Sequence[Outcome], conditions: dict[str, Any], out: Path) -> int:
    """Write and print the counts; return the exit code."""
    body, where = rows(outcomes), machine(torch.device("cpu"))
    data = {"title": TITLE, "rows": body, "conditions": conditions, "machine": where, "places": by_place(outcomes)}
    out.parent.mkdir(parents=True, exist_ok=True)
    out.with_suffix(".json").write_text(json.dumps(data, separators=(",", ":")) + "\n")
    used = [key for key in body[-1] if body[-1][key] != 0 or key == DEFECT]
    out.with_suffix(".md").write_text(markdown(TITLE, [{k: row[k] for k in used} for row in body], conditions, where))
    counts = body[-1]
    states = f"{counts[WORKS]:,} work, {counts[REFUSED]:,} are refused"
    print(f"{counts['pairs']:,} pairs of {len(body) - 1} systems: {states}")
    for cause in CAUSES:
        print(f"  {counts[cause]:6,}  {cause}")
    defects = [o for o in outcomes if o.state == DEFECT]
    for o in defects:
        print(f"defect: {o.pair.title}: {o.message}")
    return 1 if defects else 0


if __name__ == "__main__":
    sys.exit(main())
