"""Training a recipe: each round into a folder of its own, by the ordinary training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch

from vadkit import json_file
from vadkit.data.from_config import open_dataset
from vadkit.data.targets import read_targets
from vadkit.devices import current
from vadkit.engine import distributed, random_state
from vadkit.engine.fingerprint import fingerprint
from vadkit.engine.progress import Progress
from vadkit.engine.results import ResultJson, TrainResult, read_result
from vadkit.engine.run_folder import FILES, FOLDERS, MODEL, RESULT, claimed, held, refuse_changes
from vadkit.engine.train import train_source
from vadkit.files import write_atomically
from vadkit.graph.model_file import read_header
from vadkit.graph.yaml_reader import write_text
from vadkit.plugin_manager import Plugins, load_plugins
from vadkit.presence import STREAM as PRESENCE
from vadkit.problems import Note, Problem, VadkitError, fail
from vadkit.results_folder import writing
from vadkit.rounds.label import made_by, weights_digest, write_labels
from vadkit.rounds.recipe import TARGETS, Recipe, Round, read_recipe, with_files

RECIPE, BEGUN = "recipe.yaml", "round.json"
HEADING = "# The resolved recipe of the rounds in this folder, written by vadkit train.\n"
HINT = "continue with the recipe that the rounds began with, or choose another --out; a round whose folder is deleted, "
HINT += "and those of the rounds after it, is run again"


def train_recipe(
    config: str | Path | dict[str, Any],
    sets: Sequence[str] = (),
    out: str | Path = "run",
    resume: bool = False,
    device: str = "auto",
    seed: int | None = None,
    progress: Progress | None = None,
    without: Sequence[str] = (),
    checkpoint_seconds: float = 60.0,
) -> TrainResult:
    """Train the rounds of a recipe, each into the folder of its name in ``out``; return the result of the last.

    Arguments are those of ``vadkit.engine.train.train``; changes that do not begin with ``rounds`` are made to the
    graph of every round. With ``resume``, finished rounds are skipped and a begun one goes on; VadkitError names
    what is not as it was when they began. A signal ends it early: the result is that of the round it met.
    """
    plugins = load_plugins(without)
    changes = [*sets, *([] if seed is None else [f"train.seed={seed}"])]
    recipe = read_recipe(config, changes, plugins)
    where = distributed.local_device(device)
    with current(where), random_state.isolated(), ExitStack() as stack:
        distributed.join(where)
        shown = progress if progress and distributed.rank() == 0 else Progress()
        rounds = _Rounds(recipe, plugins, Path(out), device, where, shown, checkpoint_seconds)
        distributed.first(lambda: rounds.begin(stack, resume or distributed.restarted()))
        return rounds.train()


class _Rounds:
    """The rounds of a recipe and their folder."""

    def __init__(
        self,
        recipe: Recipe,
        plugins: Plugins,
        out: Path,
        device: str,
        where: torch.device,
        progress: Progress,
        seconds: float,
    ) -> None:
        self.recipe, self.plugins, self.out = recipe, plugins, out
        self.device, self.where, self.progress, self.seconds = device, where, progress, seconds

    def begin(self, stack: ExitStack, resume: bool) -> None:
        """Hold the folder, and look at what can be wrong with it and with the data before hours have passed."""
        stack.enter_context(claimed(self.out))
        if names := held(self.out):
            fail(f"{self.out} holds a run ({', '.join(names)}), not rounds", "choose another --out")
        rounds = [each.name for each in self.recipe.rounds if self._exists(each)]
        if rounds and not resume:
            fail(
                f"{self.out} already holds rounds ({', '.join(rounds)})",
                hint="--resume continues them, or choose another --out",
            )
        self._check_videos()
        with writing(self.out / RECIPE, inputs=self.recipe.files):
            write_atomically(self.out / RECIPE, (HEADING + write_text(self.recipe.spec())).encode())

    def _exists(self, each: Round) -> bool:
        folder = self.out / each.name
        return bool(held(folder)) or any((folder / name).exists() for name in (TARGETS, BEGUN))

    def _check_videos(self) -> None:
        """Refuse rounds that are labelled by a round of other training videos."""
        digests: dict[str, str] = {}
        for each in self.recipe.rounds:
            dataset = open_dataset(each.plan.spec["data"], self.plugins, each.plan.takes(PRESENCE))
            digests[each.name] = fingerprint(dataset, "train")["sha256"]
            for other in self.recipe.labelled_from(each):
                if digests[other.name] != digests[each.name]:
                    fail(
                        f"round '{each.name}' is labelled by round '{other.name}', whose training videos are others",
                        "give both configs the same data set",
                    )

    def train(self) -> TrainResult:
        result: TrainResult | None = None
        for number, each in enumerate(self.recipe.rounds, 1):
            self.progress.round(each.name, number, len(self.recipe.rounds))
            folder = self.out / each.name
            if distributed.first(lambda each=each: self._labelled(each)):  # type: ignore[misc]
                self.progress.note(f"round {number} of {len(self.recipe.rounds)}, {each.name}: finished before")
                result = None
                continue
            result = self._trained(each, folder)
            if result.signal is not None:
                return result
        last = self.out / self.recipe.rounds[-1].name
        return result if result is not None else read_result(last, self.where)

    def _trained(self, each: Round, folder: Path) -> TrainResult:
        source = with_files(
            each.source,
            folder / TARGETS if each.labels is not None else None,
            self.out / each.start / MODEL if each.start is not None else None,
        )
        with _named(each):
            return train_source(source, self.plugins, folder, True, False, self.device, self.progress, self.seconds)

    # -- what a round begins with ----------------------------------------------------------------
    def _labelled(self, each: Round) -> bool:
        """Bring the targets of a round into its folder; return whether it is finished already."""
        folder = self.out / each.name
        with _named(each):
            targets = self._targets(each)
            begun = {
                "start": None if each.start is None else weights_digest(self.out / each.start / MODEL),
                "targets": None if targets is None else read_targets(targets).sha256,
            }
            if any((folder / name).exists() for name in (*FILES, *FOLDERS)):
                self._refuse_another(folder, begun)
            if (folder / MODEL).exists() and (folder / RESULT).exists():
                self._refuse_changed(each, folder, begun["targets"])
                return True
            folder.mkdir(parents=True, exist_ok=True)
            with writing(folder / BEGUN):
                json_file.write(folder / BEGUN, begun)
        return False

    def _targets(self, each: Round) -> Path | None:
        if each.labels is None:
            return None
        path = self.out / each.name / TARGETS
        made = made_by(self.recipe, each, each.labels, self.out, self.plugins)
        if path.exists():
            _refuse(f"{path} was written from other inputs", read_targets(path).made_by, made)
            return path
        of = " and ".join(made["from"])
        self.progress.note(f"round {each.name}: labelling with the scores of {of}")
        try:
            write_labels(
                self.recipe, each, each.labels, self.out, made, self.plugins, self.where, self.progress.labelling
            )
        finally:
            self.progress.end()
        return path

    def _refuse_another(self, folder: Path, begun: Mapping[str, Any]) -> None:
        """Refuse a run that began from other weights or targets."""
        path = folder / BEGUN
        before = json_file.read(path, dict[str, Any]) if path.exists() else dict.fromkeys(begun)
        _refuse(f"the run in {folder} began from others", before, begun)

    def _refuse_changed(self, each: Round, folder: Path, targets: str | None) -> None:
        """Refuse a finished run of another config or other videos."""
        header, spec = read_header(folder / MODEL), each.plan.spec
        refuse_changes(header["spec"], spec, spec["train"]["select"], finished=True)
        json_file.read(folder / RESULT, ResultJson)
        partial = each.plan.takes(PRESENCE)
        dataset = open_dataset(spec["data"], self.plugins, partial)
        data = {**fingerprint(dataset, "train", presence=partial), "targets": targets}
        before = header["extra"].get("data") or {}
        if spec["train"]["select"] != "val":  # which holds some of the videos out
            _refuse(f"the run in {folder} is of other training videos", {"targets": None, **before}, data)


def _refuse(what: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise VadkitError with what differs between two flat mappings, if anything does."""
    differing = [key for key in now if before.get(key) != now[key]]
    if differing:
        notes = [Note(f"{key}: {before.get(key)} then, {now[key]} now") for key in differing]
        fail(f"{what}: {', '.join(differing)} differ{'s' * (len(differing) == 1)}", HINT, notes=notes)


@contextmanager
def _named(each: Round) -> Iterator[None]:
    """Say in the problems of a round which one it is, and what to do where it is not as it was."""
    try:
        yield
    except VadkitError as error:
        raise VadkitError(_of(each, problem) for problem in error.problems) from error


def _of(each: Round, problem: Problem) -> Problem:
    hint = HINT if "--overwrite" in (problem.hint or "") else problem.hint
    return Problem(f"round '{each.name}': {problem.message}", problem.place, hint, problem.notes)
