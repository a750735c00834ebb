"""``vadkit.train``: train a graph on features, or a recipe of rounds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from vadkit.api.arguments import Changes, Config, as_changes, as_config, as_device, as_names, as_path
from vadkit.api.progress import Callback, showing
from vadkit.engine.progress import Progress as Listener
from vadkit.engine.results import TrainResult
from vadkit.engine.train import train as run_training
from vadkit.plugin_manager import load_plugins
from vadkit.problems import fail
from vadkit.rounds import recipe_source, train_recipe

__all__ = ["Interrupted", "TrainResult", "train"]


class Interrupted(KeyboardInterrupt):
    """Ctrl-C or SIGTERM ended a training between two steps. The run is saved: ``resume=True`` continues it.

    Attributes: ``steps`` that are done, the number of the ``signal``, and ``out``, the folder of the run.
    """

    def __init__(self, steps: int, signal: int, out: Path) -> None:
        self.steps, self.signal, self.out = steps, signal, out
        super().__init__(f"stopped after step {steps} and saved; resume=True continues the run in {out}")


def train(
    config: Config,
    *,
    out: str | PathLike[str],
    set: Changes = (),
    resume: bool = False,
    overwrite: bool = False,
    device: str | torch.device | None = None,
    seed: int | None = None,
    without: str | Iterable[str] = (),
    progress: bool | Callback | Listener | None = None,
) -> TrainResult:
    """Train a graph on features, and write the model, its log and its figures into a folder.

    A recipe trains its rounds one after the other, each into a folder of its name in ``out``, and the result is that
    of the last. With ``resume`` it skips finished rounds; ``set`` changes the graph of every round, but for keys that
    begin with ``rounds``.

    Args:
        config: the name of a graph or recipe, the path of a YAML file, or its contents as a mapping.
        out: folder of the run: model.safetensors, result.json, log.jsonl, config.yaml, checkpoints/.
        set: changes such as "train.optimizer.lr=1e-4", one or a list, applied last.
        resume: continue the run in ``out`` bit for bit; start it if there is none yet.
        overwrite: replace the run in ``out``, which is deleted once the new one has a checkpoint or a model.
        device: "cpu", "cuda", "cuda:1", ...; None is a GPU if there is one.
        seed: replaces ``train.seed``.
        without: plugins to leave out.
        progress: True for a bar, a function (steps done, steps in all, losses or a note), or a
            ``vadkit.engine.progress.Progress``, which also hears every record of the log.

    Returns:
        ``TrainResult``: ``model`` (in eval mode), ``model_path``, ``figures`` by name on ``eval.split`` ("ap", "auc",
        ...; None where one is not defined), ``history`` (the log's records), ``steps``, ``chosen``, ``note`` and
        ``warnings``.

    Raises:
        VadkitError: for whatever does not fit; a run in ``out`` is then as it was.
        Interrupted: a KeyboardInterrupt, after a first Ctrl-C or SIGTERM; the run is saved. A second one raises
            KeyboardInterrupt at once; the last checkpoint remains. Signal handlers are restored in either case.
            Signals are watched in the main thread only.

    Example:
        >>> result = vadkit.train("seed_xd_rgb", out="runs/rgb", set="data.args.root=STORE")
        >>> result.figures["ap"], result.model_path
        (0.81, PosixPath('runs/rgb/model.safetensors'))
    """
    if resume and overwrite:
        fail("resume and overwrite cannot be combined", "resume continues a run, overwrite replaces it")
    folder = as_path(out, "out")
    read, changes, names = as_config(config), as_changes(set), as_names(without, "without")
    with as_listener(progress) as listener:
        if recipe_source(read, load_plugins(names)):
            if overwrite:
                fail("a recipe cannot be overwritten", "choose another out, or delete the folders of the rounds")
            result = train_recipe(read, changes, folder, resume, as_device(device), seed, listener, names)
        else:
            result = run_training(read, changes, folder, resume, overwrite, as_device(device), seed, listener, names)
    if result.signal is not None:
        raise Interrupted(result.steps, result.signal, folder)
    return result


@contextmanager
def as_listener(progress: bool | Callback | Listener | None) -> Iterator[Listener]:
    """Give what a training reports to, of what a caller may pass as ``progress``."""
    with showing(None if isinstance(progress, Listener) or progress is True else progress, "training") as callback:
        yield _listener(progress, callback)


def _listener(progress: bool | Callback | Listener | None, callback: Callback) -> Listener:
    if isinstance(progress, Listener):
        return progress
    if progress is True:
        from vadkit.api.train_progress import TrainProgress

        return TrainProgress()
    return _Steps(callback)


class _Steps(Listener):
    """Passes what a training reports to a function."""

    def __init__(self, callback: Callback) -> None:
        self.callback = callback
        self.done, self.losses = 0, ""
        self.steps: int | None = None

    def round(self, name: str, number: int, count: int) -> None:
        self.note(f"round {number} of {count}, {name}")

    def labelling(self, done: int, videos: int) -> None:
        self.callback(done, videos, "labelling")

    def begin(self, step: int, steps: int) -> None:
        self.done, self.steps = step, steps
        self.callback(step, steps, "")

    def step(self, step: int) -> None:
        self.done = step
        self.callback(step, self.steps, self.losses)

    def record(self, record: dict[str, Any]) -> None:
        if record["kind"] == "train":
            self.losses = " ".join(f"{name} {value:.4g}" for name, value in record["losses"].items() if "." not in name)

    def note(self, text: str) -> None:
        self.callback(self.done, self.steps, text)
