"""Finished runs side by side: which runs are of one variant, and whether all of them can be compared."""

from __future__ import annotations

import glob
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vadkit import json_file
from vadkit.bench.comparison.one_run import CONTENT, OUTCOME, OutcomeJson, read_result
from vadkit.bench.comparison.provenance import provenance
from vadkit.bench.comparison.rows import NOT_TIMED, counted_costs, figures_of, run_entry
from vadkit.bench.comparison.scores import RunScores
from vadkit.bench.comparison.summary import scores_of, summarised
from vadkit.engine import run_folder
from vadkit.engine.results import ResultJson
from vadkit.engine.run_folder import MODEL, RESULT
from vadkit.graph import model_file
from vadkit.graph.flat import flat, under
from vadkit.problems import Note, VadkitError, fail

SEED = re.compile(r"(seed|run)?[-_ ]?\d+")  # names of folders that say nothing of the variant
# Runs of one variant may differ in these: their seed, where files are, and what is reported on the way.
FREE = (
    *sorted(set(run_folder.FREE) - {*run_folder.LENGTH, "data.prompts", "data.targets"}),
    "train.seed",
    "train.warm_start",
)
PROTOCOL = {"data_set": "the data set", "split": "the split", "truth": "the truth", "tail": "the tail"}


@dataclass(frozen=True)
class Run:
    """A run that ended: ``failed`` says why it does not count."""

    folder: Path
    seed: int
    spec: Mapping[str, Any]
    result: ResultJson
    failed: str | None


@dataclass
class Group:
    """The runs of a variant, by seed."""

    name: str
    runs: dict[int, Run]

    @property
    def first(self) -> Run:
        return next(iter(self.runs.values()))

    def add(self, run: Run) -> None:
        """Take a run. Raises VadkitError for a second one of its seed, or another graph."""
        if changed := differing(self.first.spec, run.spec):
            fail(
                f"{run.folder} is not of the same graph as {self.first.folder}: {', '.join(changed[:3])} "
                f"{'differs' if len(changed) == 1 else 'differ'}",
                "runs of one variant differ in their seed only",
            )
        if (other := self.runs.get(run.seed)) is not None:
            fail(
                f"{other.folder} and {run.folder} are of the same graph and seed {run.seed}",
                "name the variants, such as before=DIR after=DIR, or leave one out",
            )
        self.runs[run.seed] = run


def compared(
    arguments: Sequence[str],
    names: Sequence[str] = (),
    out: Path | None = None,
    device: str = "cpu",
    root: str | None = None,
    report: Callable[[str], None] = lambda text: None,
) -> tuple[dict[str, Any], dict[tuple[str, int], RunScores]]:
    """Return what the table and the page show of finished runs, as plain data, and their scores.

    Args:
        arguments: folders of runs, their models, or folders of such folders, each with ``NAME=`` in front or not.
            Those without a name are of one variant if their graphs are the same but for the seed.
        names: of the variants, in their order.
        out: the folder that paths are relative to; None is the current one.
        device, root: where to compute scores that are not kept, and where the data set is now.
        report: called before the scores of each run are read or computed.

    Raises VadkitError for runs that cannot be compared.
    """
    groups = grouped(arguments)
    _rename(groups, names)
    check_comparable(groups)
    base = out or Path()
    runs = [run for group in groups for run in group.runs.values()]
    measured_on, notice = provenance(run.folder / RESULT for run in runs if run.failed is None)
    results = {
        "about": f"{groups[0].name} against {', '.join(group.name for group in groups[1:])}",
        "base": groups[0].name,
        "measured_on": measured_on,
        "notice": notice,
        "seeds": sorted({run.seed for run in runs}),
        "machine": None,
        "trained_on": _trained_on(runs),
        "load": None,
        "variants": [_row(group, base) for group in groups],
    }
    try:
        scores = scores_of(results, base, device, root, report)
    except VadkitError as error:
        problem = error.problems[0]
        notes = [*problem.notes, Note("scores that a run does not hold are computed from its model and its data")]
        fail(error.first, problem.hint or "if the features have moved, say where they are with --data", notes=notes)
    return summarised(results, scores), scores


# -- which runs ----------------------------------------------------------------------------------
def grouped(arguments: Sequence[str], least: int = 2) -> list[Group]:
    """Return the variants, ``least`` at least, in the order of their first runs. Raises VadkitError."""
    groups: list[Group] = []
    unnamed: list[Group] = []
    for argument in arguments:
        name, pattern = _split(argument)
        known = next((group for group in groups if group.name == name), None) if name else None
        for folder in _folders(pattern):
            run = _run(folder)
            if name is None:
                known = next((group for group in unnamed if not differing(group.first.spec, run.spec)), None)
            if known is not None:
                known.add(run)
                continue
            known = Group(name or _name(folder), {run.seed: run})
            groups.append(known)
            if name is None:
                unnamed.append(known)
    if len(groups) < least:
        found = f"the runs are all of one variant, '{groups[0].name}'" if groups else "there are no runs"
        fail(f"{found}: a comparison takes two", "name the variants, such as before=DIR after=DIR")
    return groups


def _split(argument: str) -> tuple[str | None, str]:
    name, equals, pattern = argument.partition("=")
    return (name, pattern) if equals and name and not os.path.lexists(argument) else (None, argument)


def _folders(pattern: str) -> list[Path]:
    """Return the folders of runs that an argument names."""
    paths = [pattern] if os.path.lexists(pattern) else sorted(glob.glob(pattern))
    found = [folder for path in paths for folder in _inside(Path(path))]
    if not found:
        fail(
            f"'{pattern}' is not a finished run: there is no {RESULT}" if paths else f"there is no '{pattern}'",
            f"give the folder of a run, with {RESULT}, its {MODEL}, or a folder of such folders",
        )
    return found


def _inside(path: Path) -> list[Path]:
    folder = path.parent if path.is_file() else path
    if _has_ended(folder):
        return [folder]
    return (
        [] if path.is_file() or not path.is_dir() else [each for each in sorted(folder.iterdir()) if _has_ended(each)]
    )


def _has_ended(folder: Path) -> bool:
    return (folder / RESULT).is_file()


def _run(folder: Path) -> Run:
    result = read_result(folder)
    failed = json_file.read(folder / OUTCOME, OutcomeJson).why if (folder / OUTCOME).is_file() else None
    return Run(folder, result.seed, model_file.read_header(folder / MODEL)["spec"], result, failed)


def _name(folder: Path) -> str:
    """Return a name for the variant of a run, from its folder, or from the comparison that it is of."""
    if (folder / CONTENT).is_file():
        content = json_file.load(folder / CONTENT)
        if isinstance(content, dict) and isinstance(content.get("variant"), str):
            return str(content["variant"])
    whole = Path(os.path.abspath(folder))
    return whole.parent.name if SEED.fullmatch(whole.name) else whole.name


def _rename(groups: Sequence[Group], names: Sequence[str]) -> None:
    if names and len(names) != len(groups):
        own = ", ".join(group.name for group in groups)
        fail(f"--names has {len(names)} for {len(groups)} variants: {own}", "give one name for each, in this order")
    for group, name in zip(groups, names):
        group.name = name
    listed = [group.name for group in groups]
    twice = next((name for name in listed if listed.count(name) > 1), None)
    if twice is not None:
        folders = [str(group.first.folder) for group in groups if group.name == twice]
        fail(f"{len(folders)} variants are named '{twice}': {', '.join(folders)}", "name them with --names")


# -- what can be compared ------------------------------------------------------------------------
def check_comparable(groups: Sequence[Group]) -> None:
    """Raise VadkitError unless all runs were trained and measured on the same data by the same protocol."""
    first = groups[0].first
    for run in (run for group in groups for run in group.runs.values()):
        own, other = _measured(run), _measured(first)
        changed = [key for key in own if own[key] != other[key]]
        if changed:
            notes = [Note(f"{key}: {json.dumps(other[key])} there, {json.dumps(own[key])} here") for key in changed]
            fail(
                f"{run.folder} cannot be compared with {first.folder}: {', '.join(changed)} "
                f"{'is' if len(changed) == 1 else 'are'} not the same",
                "only runs of the same data and protocol can be compared",
                notes=notes,
            )


def _measured(run: Run) -> dict[str, Any]:
    if run.result.protocol is None:
        fail(f"{run.folder} was not measured: it had no test videos")
    own = {what: run.result.protocol.get(key) for key, what in PROTOCOL.items()}
    return {**own, "the training videos": run.result.data.get("sha256")}


def differing(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    """Return the keys in which two resolved graphs differ, but for those that runs of one variant may differ in."""
    one, other = flat(first), flat(second)
    return sorted(key for key in one.keys() | other.keys() if one.get(key) != other.get(key) and not under(key, FREE))


# -- the results ---------------------------------------------------------------------------------
def _row(group: Group, out: Path) -> dict[str, Any]:
    runs = [_entry(run, out) for _, run in sorted(group.runs.items())]
    return {
        "name": group.name,
        "runs": runs,
        "figures": figures_of(runs),
        "note": group.first.result.note,
        "floors": group.first.result.floors,
        **counted_costs(model_file.load(group.first.folder / MODEL)),
        **NOT_TIMED,
    }


def _entry(run: Run, out: Path) -> dict[str, Any]:
    return run_entry(run.seed, Path(os.path.relpath(run.folder, out)).as_posix(), run.failed, run.result.figures)


def _trained_on(runs: Sequence[Run]) -> str:
    found: dict[str, None] = {}
    for run in runs:
        versions = ", ".join(f"{name} {number}" for name, number in run.result.versions.items())
        found[f"{run.result.device}, {versions}"] = None
    return "; ".join(found)
