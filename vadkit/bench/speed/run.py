"""Measure a grid, write the file after each point, and go on where an earlier run of the same code stopped."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from vadkit.bench.speed import growth as growing
from vadkit.bench.speed.clocks import clocks
from vadkit.bench.speed.grid import Grid, Point
from vadkit.bench.speed.measure import Care, of_components, of_point
from vadkit.bench.speed.nodes import names_in
from vadkit.bench.speed.result import KIND, Missing, Row, Run, differing, here, read, row_key, write
from vadkit.devices import current
from vadkit.engine import precision
from vadkit.graph.compiler import compile_plan
from vadkit.graph.load import load_config
from vadkit.graph.module import VadModel, model_of
from vadkit.graph.plan import Plan
from vadkit.plugin_manager import Plugins
from vadkit.problems import VadkitError, fail
from vadkit.restatement import Restatement

Report = Callable[[str], None]
SEED = 0
GROWTH_TIMEOUT = 20  # times the ceiling of one length, for all lengths of a graph


@dataclass(frozen=True)
class Wanted:
    """What to measure, and how long to go on."""

    graphs: Sequence[str]
    grid: Grid
    named: Sequence[str] = ()  # those that the user chose
    steps: bool = True
    components: bool = False
    lengths: Sequence[int] = ()  # of growth
    seconds: float = 12.0  # ceiling of one length
    mib: float = 4096.0  # ceiling of one length
    minutes: float | None = None
    care: Care = field(default_factory=Care)


@dataclass
class _Task:
    key: str
    says: str
    run: Callable[[], None]


def open_run(path: Path, device: torch.device, care: Care, again: bool) -> Run:
    """Return the run in a file, to go on with, or an empty one. Raises VadkitError if its machine was another."""
    now = here(device)
    if path.is_file() and not again:
        found = read(path)
        if other := differing(found.machine, now):
            before = ", ".join(f"{key} {getattr(found.machine, key)}" for key in other)
            fail(
                f"{path}: was measured with {before}", "choose another --out, or measure everything again with --again"
            )
        return found
    conditions = {"seed": SEED, "rounds": care.rounds, "clocks": clocks(device), "optimizer": "Adam"}
    return Run(KIND, now, conditions)


def measure_all(wanted: Wanted, run: Run, path: Path, device: torch.device, plugins: Plugins, report: Report) -> bool:
    """Measure what the run lacks and write it to ``path``. Return whether everything is there."""
    start, done = time.monotonic(), True
    with current(device):
        work = _Tasks(wanted, run, device, plugins, report)
        for graph in wanted.named:  # a wrong file or name ends the command before anything is measured
            work.plan(graph)
        tasks = list(work)
        for number, task in enumerate(tasks, 1):
            if wanted.minutes is not None and time.monotonic() - start > 60 * wanted.minutes:
                report(f"{wanted.minutes:g} minutes are over, {number - 1} of {len(tasks)} points are measured")
                done = False
                break
            report(f"[{number}/{len(tasks)}] {task.says}")
            try:
                task.run()
            except Exception as error:  # noqa: BLE001 - one graph that fails must not cost the others their figures
                cause = error.first if isinstance(error, VadkitError) else f"{type(error).__name__}: {error}"
                run.missing[task.key] = Missing(task.says, " ".join(cause.split())[:300])
                report(f"  not measured: {run.missing[task.key].why}")
            write(run, path)
            gc.collect()
    return done


class _Tasks:
    """What is still to measure, in order."""

    def __init__(self, wanted: Wanted, run: Run, device: torch.device, plugins: Plugins, report: Report) -> None:
        self.wanted, self.output, self.device, self.plugins, self.report = wanted, run, device, plugins, report
        self.plans: dict[str, Plan] = {}
        self.restated: dict[str, type[Restatement]] = restatements(plugins)

    def __iter__(self) -> Iterator[_Task]:
        tasks = [*self._growth(), *self._steps(), *self._components()]
        first = list(self._steps_first(tasks))
        return (task for task in first if task.key not in self.output.missing)

    def _steps_first(self, tasks: Iterable[_Task]) -> list[_Task]:
        """Return the first size of every graph, then growth and components, then the other sizes."""
        steps = [task for task in tasks if task.key.startswith("step ")]
        count = len(self.wanted.graphs)
        others = [task for task in tasks if not task.key.startswith("step ")]
        return [*steps[:count], *others, *steps[count:]]

    # -- steps ---------------------------------------------------------------------------------------
    def _steps(self) -> Iterator[_Task]:
        for point in self.wanted.grid.points(self.wanted.graphs) if self.wanted.steps else ():
            size = "" if point.snippets is None else f" x {point.snippets}"
            says = f"{point.graph}, {point.bags} bags{size}, {point.precision}, {point.mode}"
            key = f"step {point.graph} {point.bags} {point.snippets} {point.precision} {point.mode}"
            if not self._is_known(point):
                yield _Task(key, says, lambda point=point: self._step(point))  # type: ignore[misc]

    def _is_known(self, point: Point) -> bool:
        return any(
            (row.subject, row.bags, row.precision, row.mode, row.what)
            == (point.graph, point.bags, point.precision, point.mode, "train" if point.mode == "captured" else "score")
            and row.snippets == (point.snippets or row.snippets)
            for row in self.output.rows.values()
        )

    def _step(self, point: Point) -> None:
        precision.check(point.precision, self.device)
        if point.mode == "captured" and self.device.type != "cuda":
            fail("a train step can be captured on a CUDA device only")
        for row in of_point(
            self._model(point.graph), self.restated.get(point.graph), point, self.device, self.wanted.care
        ):
            self._keep(row)

    def _keep(self, row: Row) -> None:
        key = row_key(row.subject, row.what, row.bags, row.snippets, row.precision, row.mode)
        self.output.rows[key] = row
        self.report(f"  {key}: {row.ms:,.1f} ms, {row.over_limit:.1f} x the limit" + _ratio(row))

    # -- components ----------------------------------------------------------------------------------
    def _components(self) -> Iterator[_Task]:
        """Yield a task per graph that has components which no earlier graph has."""
        seen: set[str] = {row.subject for row in self.output.rows.values() if row.kind != "graph"}
        for graph in self.wanted.graphs if self.wanted.components else ():
            names = names_in(self.plan(graph)) - seen
            seen |= names
            if names:
                says = f"components of {graph}: {', '.join(sorted(names))}"
                yield _Task(f"components {graph}", says, lambda g=graph, n=names: self._nodes(g, n))  # type: ignore[misc]

    def _nodes(self, graph: str, names: set[str]) -> None:
        grid = self.wanted.grid
        point = Point(graph, grid.bags[0], grid.snippets[0], "fp32", "eager")
        for row in of_components(self._model(graph), names, point, self.device, self.wanted.care):
            self._keep(row)

    # -- growth --------------------------------------------------------------------------------------
    def _growth(self) -> Iterator[_Task]:
        """Yield a task per graph that has no growth, or one that a lower ceiling of time stopped."""
        for graph in self.wanted.graphs if self.wanted.lengths else ():
            known = self.output.growth.get(graph)
            if known is None or (known.stopped and known.seconds < self.wanted.seconds):
                yield _Task(f"growth {graph}", f"growth of {graph}", lambda graph=graph: self._grow(graph))  # type: ignore[misc]

    def _grow(self, graph: str) -> None:
        wanted, spec = self.wanted, self.plan(graph).spec
        job = growing.Job(spec, str(self.device), list(wanted.lengths), wanted.seconds, wanted.mib)
        found = growing.growth(graph, job, GROWTH_TIMEOUT * wanted.seconds)
        self.output.growth[graph] = found
        last = found.sizes[-1]
        memory = "" if last.peak_mib is None else f", {last.peak_mib / 1024:.2f} GiB"
        self.report(f"  {last.snippets:,} snippets: {last.ms / 1e3:,.2f} s{memory}")
        if found.stopped:
            self.report(f"  {found.stopped}")

    def plan(self, graph: str) -> Plan:
        if graph not in self.plans:
            self.plans[graph] = compile_plan(load_config(graph, (), self.plugins.config_folders), self.plugins)
        return self.plans[graph]

    def _model(self, graph: str) -> VadModel:
        torch.manual_seed(SEED)
        return model_of(self.plan(graph))


def _ratio(row: Row) -> str:
    return "" if row.ratio is None else f", the authors' way takes {row.ratio:.2f} x as long"


def restatements(plugins: Plugins) -> dict[str, Any]:
    """Return the restatement of each graph that has one."""
    return {graph: r for plugin in plugins.plugins for r in plugin.restatements for graph in r.graphs}  # type: ignore[attr-defined]
