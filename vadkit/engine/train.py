"""Training into a folder: everything that ``vadkit train`` does."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from vadkit import __version__
from vadkit.data.batches import TrainBatches
from vadkit.data.clicks import check_clicks
from vadkit.data.from_config import build_sampler, open_dataset
from vadkit.data.shape_checks import check_videos
from vadkit.data.targets import Targets, read_targets
from vadkit.data.validation_split import with_validation
from vadkit.data.whole_videos import no_video
from vadkit.devices import current
from vadkit.engine import checkpoints, distributed, old_run, precision, random_state
from vadkit.engine.checkpoints import Checkpoint
from vadkit.engine.fingerprint import fingerprint
from vadkit.engine.loggers import open_logger
from vadkit.engine.progress import Progress
from vadkit.engine.results import TrainResult, features_of, finish, interrupted
from vadkit.engine.run_folder import CONFIG, HEADING, LOG, LOGS, claimed, own_config, prepare, refuse_changes
from vadkit.engine.run_log import JsonLines, Log
from vadkit.engine.run_state import SavedRun
from vadkit.engine.saved_about import SavedAbout, check_spec
from vadkit.engine.selection import watched_split
from vadkit.engine.session import Session
from vadkit.engine.warm_start import entries, start_from
from vadkit.evaluate.score import evaluate_as_configured
from vadkit.evaluate.selection_metric import metric_for
from vadkit.files import write_atomically
from vadkit.graph.compiler import compile_config
from vadkit.graph.load import load_config
from vadkit.graph.module import VadModel
from vadkit.graph.plan import needs
from vadkit.graph.schema import BY_KEY
from vadkit.graph.source import Source
from vadkit.graph.yaml_reader import write_text
from vadkit.plugin_manager import Plugins, load_plugins
from vadkit.problems import Problem, VadkitError, fail
from vadkit.results_folder import WRITING, record, recording
from vadkit.video import VideoDataset, unlabelled_note, with_label


def train(
    config: str | Path | dict[str, Any],
    sets: Sequence[str] = (),
    out: str | Path = "run",
    resume: bool = False,
    overwrite: bool = False,
    device: str = "auto",
    seed: int | None = None,
    progress: Progress | None = None,
    without: Sequence[str] = (),
    checkpoint_seconds: float = 60.0,
) -> TrainResult:
    """Train a graph on features and write model, log, config and figures into ``out``.

    Args:
        config: name of a graph, path of a YAML file, or its contents.
        sets: changes such as "train.optimizer.lr=1e-4", applied last.
        out: the folder: model.safetensors, result.json, log.jsonl, config.yaml, checkpoints/.
        resume: continue the run in ``out``; begin it if there is none yet.
        overwrite: replace the run in ``out``, which is deleted once the new one has a checkpoint or a model.
        device: auto, cpu, cuda or cuda:N.
        seed: instead of ``train.seed``.
        progress: receives steps, records and notes.
        without: plugins to leave out.
        checkpoint_seconds: least time between two checkpoints.

    Under torchrun all processes train together; ``vadkit.engine.distributed`` says what that equals.
    Raises VadkitError for whatever does not fit; a run in ``out`` is then as it was.
    """
    sets = [*sets, *([] if seed is None else [f"train.seed={seed}"])]
    plugins = load_plugins(without)
    source = load_config(config, sets, plugins.config_folders)
    return train_source(source, plugins, Path(out), resume, overwrite, device, progress, checkpoint_seconds)


def train_source(
    source: Source,
    plugins: Plugins,
    out: Path,
    resume: bool = False,
    overwrite: bool = False,
    device: str = "auto",
    progress: Progress | None = None,
    checkpoint_seconds: float = 60.0,
) -> TrainResult:
    """Train a config that is read already; see ``train``."""
    where = distributed.local_device(device)
    with current(where), random_state.isolated():
        distributed.join(where)
        model = _build(source, plugins)
        shown = progress if progress and distributed.rank() == 0 else Progress()
        with _held(out, resume, overwrite, _inputs(model, source), shown.note) as (resume, own_config):
            run = _Run(model, plugins, out, where, shown)
            return run.train(resume, overwrite, own_config, checkpoint_seconds)


def _inputs(model: VadModel, source: Source) -> list[Path | str]:
    """Return the files that a run reads: none of them may be replaced."""
    warm, data = entries(model.spec["train"]["warm_start"]), model.spec["data"]
    files = [data[key] for key in ("prompts", "targets") if isinstance(data[key], str)]
    return [*source.files, *(entry["file"] for entry in warm), *files]


def _build(source: Source, plugins: Plugins) -> VadModel:
    """Return the model, its weights drawn from ``train.seed``."""
    section = source.data.get("train")
    seed: Any = section.get("seed") if isinstance(section, dict) else None
    if not BY_KEY["train.seed"].type.accepts(seed):  # absent, or wrong: then the compiler reports it
        seed = BY_KEY["train.seed"].default
    random_state.seed_all(seed)
    return compile_config(source, plugins)


@contextmanager
def _held(
    out: Path, resume: bool, overwrite: bool, inputs: list[Path | str], report: Callable[[str], None]
) -> Iterator[tuple[bool, Path | None]]:
    """Hold the folder; process 0 does it for all. Give whether to resume, and the config of the folder if it is read.

    What torchrun has restarted is resumed, unless it had not yet begun to replace the run in the folder.
    """

    def first() -> tuple[bool, Path | None]:
        stack.enter_context(claimed(out))
        again = distributed.restarted() and (not overwrite or old_run.has_begun(out))
        old_run.settle(out, report)
        prepare(out, resume or again, overwrite, inputs, report)
        if again and overwrite:
            old_run.mark(out)  # so that a second restart is resumed, too
        return resume or again, own_config(out, inputs)

    with ExitStack() as stack:
        yield distributed.first(first)


class _Run:
    """One run and its folder."""

    def __init__(self, model: VadModel, plugins: Plugins, out: Path, device: torch.device, progress: Progress) -> None:
        self.model, self.plugins, self.out, self.device, self.progress = model, plugins, out, device, progress
        self.spec = model.spec
        self.select = self.spec["train"]["select"]
        self.dataset = self._dataset()
        self.targets = self._targets()
        self.final_split = self.spec["eval"]["split"]
        self.split = watched_split(self.select, self.final_split)
        self.metric = self._metric()
        self._check_splits()
        self.about = self._about()

    def train(self, resume: bool, overwrite: bool, own_config: Path | None, seconds: float) -> TrainResult:
        self._refuse_empty()
        precision.check(self.spec["train"]["precision"], self.device)
        checkpoint = self._checkpoint() if resume else None
        if checkpoint is None:
            self._warm_start()
        with ExitStack() as stack:
            batches = stack.enter_context(self._batches())
            if overwrite:  # nothing before this line has changed the folder
                stack.enter_context(old_run.replaced(self.out, own_config, self.progress.note, begun=resume))
            distributed.first(lambda: self._write_config(own_config))
            log = stack.enter_context(self._log(checkpoint))
            session = Session(
                self.model,
                batches,
                self.spec["train"],
                self.device,
                evaluate=self._evaluate if with_label(self.dataset.videos(self.split)) else None,
                metric=self.metric,
                split=self.split,
                folder=self.out / "checkpoints",
                about=self.about,
                checkpoint_seconds=seconds,
                checkpoint=checkpoint,
                log=log,
                plugins=self.plugins,
            )
            outcome = session.run()
            if outcome.signal is not None:
                return interrupted(self.model, outcome)
            return finish(self.model, self.dataset, self.plugins, session, outcome, self.out)

    def _evaluate(self, graph: nn.Module) -> dict[str, Any]:
        return evaluate_as_configured(
            graph, self.dataset, self.spec["eval"], split=self.split, plugins=self.plugins, device=self.device
        ).figures

    def _refuse_empty(self) -> None:
        """Raise VadkitError if nothing has filled a value of the batch that the graph needs."""
        empty = self.model.plan.empty(self.spec)
        if empty:
            raise VadkitError([Problem(needs(step, name)) for step, name, _ in empty])

    # -- what a run begins with ----------------------------------------------------------------
    def _dataset(self) -> VideoDataset:
        dataset = open_dataset(self.spec["data"], self.plugins, self.model.takes_presence)
        if self.select == "val":
            dataset, _ = with_validation(dataset, self.spec["data"]["val_fraction"], self.spec["train"]["seed"])
        for warning in getattr(dataset, "warnings", []):
            self.progress.note(warning)
        for note in check_clicks(dataset) if self.spec["data"]["clicks"] else ():
            self.progress.note(note)
        return dataset

    def _targets(self) -> Targets | None:
        file = self.spec["data"]["targets"]
        if file is None:
            return None
        targets = read_targets(file)
        targets.check(self.dataset, with_label(self.dataset.videos("train")), list(self.model.training_sizes))
        return targets

    def _metric(self) -> str:
        """Return the figure to select by; it is of whole videos where no intervals are known."""
        metric, note = metric_for(self.dataset.videos(self.split), self.spec["eval"]["metric"])
        if note and self.select != "last":
            self.progress.note(note)
        return metric

    def _check_splits(self) -> None:
        """Look at the videos to measure on now, rather than when hours of training are over."""
        for split in dict.fromkeys(("train", self.split, self.final_split)):
            for note in unlabelled_note(self.dataset.videos(split), split):
                self.progress.note(note)
        for split in dict.fromkeys((self.split, self.final_split)):
            videos = self.dataset.videos(split)
            if not with_label(videos):
                what, hint = no_video(self.dataset, split)
                if self.select != "last" and split == self.split:
                    fail(f"train.select is {self.select}, but {what}", hint)
                self.progress.note(f"{what}: no figures will be computed")
            sizes = self.model.input_sizes
            check_videos(self.dataset, videos, list(sizes), sizes, self.model.takes_presence)

    def _about(self) -> dict[str, Any]:
        return {
            "spec": self.spec,
            "data": fingerprint(
                self.dataset, "train", self.targets, self.spec["data"]["clicks"], self.model.takes_presence
            ),
            "features": features_of(self.dataset, self.model),
            "device": self.device.type,
            "processes": distributed.world_size(),
            "versions": {"vadkit": __version__, "torch": str(torch.__version__), "python": platform.python_version()},
        }

    def _warm_start(self) -> None:
        for entry in entries(self.spec["train"]["warm_start"]):
            loaded = start_from(self.model, entry["file"], entry["nodes"])
            self.progress.note(f"warm start: took {loaded} from {entry['file']}")

    def _write_config(self, own: Path | None) -> None:
        if own is not None:
            self.progress.note(f"{own} is the input of this run and stays as it is; the model has the resolved config")
            return
        path = self.out / CONFIG
        with recording(path):  # ``prepare`` has looked at it
            write_atomically(path, (HEADING + write_text(self.spec)).encode())

    def _checkpoint(self) -> Checkpoint | None:
        """Return the newest whole checkpoint. Refuses one of another config or other training videos."""
        found = checkpoints.latest(self.out / "checkpoints", self.progress.note, (SavedAbout, SavedRun), check_spec)
        if found is None:
            self.progress.note(f"there is no checkpoint in {self.out} yet; beginning the run")
            return None
        refuse_changes(found.state["spec"], self.spec, self.select)
        self._refuse_other_data(found.state["data"], self.about["data"])
        self._note_differences(found.state)
        return found

    def _refuse_other_data(self, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
        if any(before[key] != now[key] for key in ("videos", "sha256")):
            fail(
                "the training videos are not those the run began with",
                hint="give data.args.root the old data, or begin again with --overwrite",
            )
        if before.get("targets") != now.get("targets"):
            file = self.spec["data"]["targets"]
            fail(
                f"data.targets: {'null' if file is None else file} is not what the run began with",
                hint="give it the targets of then, or begin again with --overwrite",
            )

    def _note_differences(self, before: Mapping[str, Any]) -> None:
        for key in ("device", "processes", "versions"):
            if before[key] != self.about[key]:
                self.progress.note(
                    f"{key}: {before[key]} before, {self.about[key]} now; the run continues, but not bit for bit "
                    "as it would have"
                )

    # -- what it runs on ----------------------------------------------------------------------------
    def _batches(self) -> TrainBatches:
        data = self.spec["data"]
        return TrainBatches(
            self.dataset,
            build_sampler(data, self.plugins),
            list(self.model.training_sizes),
            data["batch"],
            self.spec["train"]["seed"],
            sizes=self.model.training_sizes,
            crops=data["crops"],
            align=data["align"],
            paired=data["paired"],
            listed=data["order"] == "listed",
            classes=data["classes"],
            prompts=data["prompts"],
            several=data["several_classes"],
            targets=None if self.targets is None else self.targets.of,
            clicks=data["clicks"],
            accumulate=self.spec["train"]["accumulate"],
            workers=data["workers"],
            rank=distributed.rank(),
            world_size=distributed.world_size(),
            pin=self.device.type == "cuda",
            presence=self.model.takes_presence,
        )

    @contextmanager
    def _log(self, checkpoint: Checkpoint | None) -> Iterator[Log]:
        """Open the logs; those of a resumed run continue after the checkpoint's step."""
        keep = None if checkpoint is None else checkpoint.step
        with ExitStack() as stack:
            log = Log(progress=self.progress)
            stack.callback(log.close)
            if distributed.rank() == 0:
                self._open_logs(log, keep)
            log.write(self._opening(checkpoint))
            yield log

    def _open_logs(self, log: Log, keep: int | None) -> None:
        record([self.out / LOG], WRITING)  # which it always is
        lines = JsonLines(self.out / LOG, keep, self.progress.note)
        log.writers.append(lines)
        log.history += lines.kept
        for entry in self.spec["train"]["log"]:
            log.writers.append(open_logger(entry, self.out / LOGS, keep, self.plugins))

    def _opening(self, checkpoint: Checkpoint | None) -> dict[str, Any]:
        """Return the first record of this process."""
        return {
            "kind": "start" if checkpoint is None else "resume",
            "step": 0 if checkpoint is None else checkpoint.step,
            "seed": self.spec["train"]["seed"],
            "select": self.select,
            **{key: self.about[key] for key in ("device", "processes", "versions")},
        }


__all__ = ["TrainResult", "train", "train_source"]
