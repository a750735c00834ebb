"""Train, tune and score every cell of a transfer matrix; what is finished is not done again.

OUT/runs/SOURCE/seedN                      a model of each store
OUT/runs/SOURCE/tuned/TEST-K[-clicks]/seedN  the same, tuned on K videos of each label of another store
OUT/stores/TEST-K/seedN                    these videos, as a store that refers to the other one
OUT/scores/...                             scores of the test videos
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from vadkit.bench.comparison import scores as kept
from vadkit.bench.comparison.scores import RunScores, of_evaluation
from vadkit.bench.transfer.cells import Cell, Transfer, cells, chosen, tuning
from vadkit.data.from_config import open_dataset
from vadkit.engine.progress import Progress
from vadkit.engine.run_folder import MODEL, RESULT, refuse_changes
from vadkit.engine.train import train_source
from vadkit.evaluate.score import evaluate_as_configured
from vadkit.graph import model_file
from vadkit.graph.compiler import compile_plan
from vadkit.graph.load import load_config
from vadkit.graph.plan import Plan
from vadkit.plugin_manager import Plugins
from vadkit.problems import VadkitError, fail
from vadkit.store.reference import write_reference
from vadkit.video import SPLITS, VideoDataset, with_label

OnJob = Callable[[str, bool], None]  # what is done, and whether it has ended
Scored = dict[tuple[Cell, int], RunScores]


class Matrix:
    """The runs of a transfer matrix and their scores."""

    def __init__(self, plan: Transfer, out: Path, plugins: Plugins, device: str, on_job: OnJob) -> None:
        plan.check()
        self.plan, self.out, self.plugins, self.device, self.on_job = plan, out, plugins, device, on_job
        self.graph: Plan = compile_plan(load_config(plan.config, plan.sets, plugins.config_folders), plugins)
        self.datasets = {name: self._dataset(path) for name, path in {**plan.stores, **plan.normal}.items()}
        self._refuse_empty()
        self.clicked = {name: _has_clicks(self.datasets[name]) for name in plan.stores}
        self.cells = cells(plan, self.clicked)
        self.tuned_on: dict[Cell, int] = {}  # videos of each label that there were, at most

    @property
    def notice(self) -> str | None:
        """Why the figures mean little, if a store says so."""
        found = [getattr(dataset, "notice", None) for dataset in self.datasets.values()]
        return " ".join(dict.fromkeys(text for text in found if text)) or None

    @property
    def jobs(self) -> int:
        """How many jobs there are: to train and to score each cell with each seed, and to score each normal store."""
        return (2 * len(self.cells) + len(self.plan.normal) * len(self.plan.stores)) * self.plan.seeds

    def run(self) -> tuple[Scored, dict[str, dict[str, list[RunScores]]]]:
        """Return the scores of each cell and seed, and of each normal store those by source, seed by seed."""
        found: Scored = {}
        for cell in sorted(self.cells, key=lambda cell: cell.shots):  # first the models that others are tuned from
            for seed in range(self.plan.seeds):
                folder = self._trained(cell, seed)
                found[cell, seed] = self._scores(folder, cell.test, ("test",))
        normal: dict[str, dict[str, list[RunScores]]] = {}
        for name in self.plan.normal:
            for source in self.plan.stores:
                runs = [self._scores(self._folder(source, seed), name, SPLITS) for seed in range(self.plan.seeds)]
                normal.setdefault(name, {})[source] = [_only_normal(run) for run in runs]
        return found, normal

    # -- data ------------------------------------------------------------------------------------
    def _dataset(self, root: Path) -> VideoDataset:
        section = self.graph.spec["data"]
        return open_dataset({**section, "args": {**(section.get("args") or {}), "root": str(root)}}, self.plugins)

    def _refuse_empty(self) -> None:
        for name in self.plan.stores:
            for split in ("train", "test"):
                labels = {video.label for video in self.datasets[name].videos(split)}
                if not {0, 1} <= labels:
                    fail(
                        f"the {split} split of store '{name}' lacks {'abnormal' if 0 in labels else 'normal'} videos",
                        "training and figures need both; give it as a normal store with --normal, for false alarms",
                    )
        for name in self.plan.normal:
            if not any(video.label == 0 for split in SPLITS for video in self.datasets[name].videos(split)):
                fail(f"store '{name}' has no normal video")

    # -- runs ------------------------------------------------------------------------------------
    def _folder(self, name: str, seed: int) -> Path:
        return self.out / "runs" / name / f"seed{seed}"

    def _trained(self, cell: Cell, seed: int) -> Path:
        """Return the folder of a cell's run, which is trained unless it is finished."""
        folder = self._folder(cell.folder, seed)
        what = f"{cell.name if cell.shots else cell.source}, seed {seed}"
        self.on_job(f"training {what}", False)
        sets = [*self.plan.sets, f"train.seed={seed}"]
        if cell.shots:
            store, count = self._few(cell, seed)
            model = self._folder(cell.source, seed) / MODEL
            config, own = tuning(self.plan, self.graph, cell, model.absolute(), store.absolute(), count)
            sets += own
        else:
            root = str(self.plan.stores[cell.source].absolute())
            config = {"extends": self.plan.config, "data": {"args": {"root": root}}}
        self._train(config, sets, folder, what)
        self.on_job(what, True)
        return folder

    def _train(self, config: dict[str, Any], sets: list[str], folder: Path, what: str) -> None:
        """Train a config into a folder, unless that is done already. Raises VadkitError for a run of another config."""
        source = load_config(config, sets, self.plugins.config_folders)
        if (folder / MODEL).is_file() and (folder / RESULT).is_file():
            spec = compile_plan(source, self.plugins).spec
            refuse_changes(model_file.read_header(folder / MODEL)["spec"], spec, spec["train"]["select"], finished=True)
            return
        try:
            done = train_source(source, self.plugins, folder, True, False, self.device, Progress())
        except VadkitError as error:
            fail(f"{what}: {error.first}", error.problems[0].hint)
        if done.signal is not None:
            raise KeyboardInterrupt

    def _few(self, cell: Cell, seed: int) -> tuple[Path, int]:
        """Return a store with the videos that a cell is tuned on and all test videos, and how many of each label."""
        dataset = self.datasets[cell.test]
        names = chosen(with_label(dataset.videos("train")), cell.shots, seed)
        store = self.out / "stores" / f"{cell.test}-{cell.shots}" / f"seed{seed}"
        tested = [video.name for video in dataset.videos("test")]
        write_reference(self.plan.stores[cell.test], store, {*names, *tested})
        count = max(1, len(names) // 2)
        self.tuned_on[cell] = max(count, self.tuned_on.get(cell, 0))
        return store, count

    # -- scores ----------------------------------------------------------------------------------
    def _scores(self, folder: Path, test: str, splits: tuple[str, ...]) -> RunScores:
        """Return the scores of the videos of a store by the model of a run, kept next to the runs."""
        place = self.out / "scores" / folder.relative_to(self.out / "runs") / test
        self.on_job(f"scoring {test}", False)
        names = {video.name for split in splits for video in self.datasets[test].videos(split)}
        if (place / kept.SCORES).is_file():
            found = kept.read(place)
            if {video.name for video in found.videos} == names:
                self.on_job(f"scoring {test}", True)
                return found
        found = self._computed(folder / MODEL, test, splits)
        place.mkdir(parents=True, exist_ok=True)
        kept.write(place / kept.SCORES, found)
        self.on_job(f"scoring {test}", True)
        return found

    def _computed(self, path: Path, test: str, splits: tuple[str, ...]) -> RunScores:
        model, dataset = model_file.load(path, torch.device(self.device)), self.datasets[test]
        parts = [
            of_evaluation(evaluate_as_configured(model, dataset, model.spec["eval"], split=split, plugins=self.plugins))
            for split in splits
            if dataset.videos(split)
        ]
        return RunScores(tuple(video for part in parts for video in part.videos), parts[0].threshold)


def _has_clicks(dataset: VideoDataset) -> bool:
    return any(video.clicks for video in dataset.videos("train"))


def _only_normal(run: RunScores) -> RunScores:
    return RunScores(tuple(video for video in run.videos if video.label == 0), run.threshold)
