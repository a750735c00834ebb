"""``vadkit.evaluate``: score a data set with a trained model and report figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import torch

from vadkit.api.arguments import Changes, as_changes, as_device, as_model, as_path
from vadkit.api.progress import Progress, showing
from vadkit.components import takes_presence
from vadkit.data.absent import Lost
from vadkit.data.from_config import open_dataset
from vadkit.devices import choose_device
from vadkit.evaluate.evaluation import FILES
from vadkit.evaluate.evaluation import Evaluation as Result
from vadkit.evaluate.score import evaluate_as_configured
from vadkit.files import make_folder
from vadkit.graph import model_file
from vadkit.graph.load import load_config
from vadkit.graph.module import VadModel
from vadkit.graph.schema import with_defaults
from vadkit.graph.schema_check import check_keys
from vadkit.problems import VadkitError, as_sentence, did_you_mean, fail
from vadkit.results_folder import claim
from vadkit.store.recipes import cut_otherwise, meaningless_warnings, other_recipes
from vadkit.video import SPLITS

Model = str | PathLike[str] | VadModel


@dataclass(frozen=True)
class Evaluation(Result):
    """Figures by name, scores (t,) by video name, and every choice that was made.

    ``note`` is the sentence that the model's file carries about its figures, if any; ``notice`` one that must not be
    missed, such as that the features are stand-ins. ``model`` is the model's name.
    """

    note: str | None = None
    notice: str | None = None
    model: str = "a loaded model"

    def as_json(self) -> dict[str, Any]:
        """Return all but the single scores as plain data."""
        return {**super().as_json(), "note": self.note, "notice": self.notice}

    def page(self) -> str:
        """Return the page as HTML."""
        from vadkit.evaluate.evaluation_page import evaluation_page  # slow to import: it loads the templates

        return evaluation_page(self, self.model, self.note, self.notice)


def evaluate(
    model: Model,
    *,
    set: Changes = (),
    split: str | None = None,
    out: str | PathLike[str] | None = None,
    device: str | torch.device | None = None,
    absent: Mapping[str, Lost] | None = None,
    progress: Progress = None,
) -> Evaluation:
    """Score a data set with a trained model and report AP, AUC and related figures.

    Data set, split and smoothing are those the model was trained with, unless ``set`` changes them.

    Args:
        model: a .safetensors file, or a model that ``vadkit.load`` or ``vadkit.train`` returned.
        set: changes to ``data`` and ``eval``, such as "data.args.root=STORE", one or a list.
        split: "train", "val" or "test"; None is the model's own.
        out: folder for results.json, scores.csv and a page of curves and of the worst videos, if wanted.
        device: "cpu", "cuda", "cuda:1", ...; None is a GPU if there is one, and for a loaded model where it is.
        absent: streams that the videos lose, by input: True for all of it, a function (video name, t) -> bool (t,) that
            is True where a snippet is lost (``vadkit.data.absent.lost_blocks``), or such arrays by video name.
        progress: True for a bar, or a function (videos done, videos in all, name of the last).

    Returns:
        ``Evaluation``: ``figures`` by name ("ap", "auc", ..., "per_class"; None where one is not defined, and
        ``figures["undefined"]`` says why), ``floors`` (figures of scores without a model, by name), ``sources``
        (figures of the videos that share their film or camera with training, and of the others), ``scores`` float32
        (t,) by video name, ``protocol``, ``details`` (scores with their ground truth), ``warnings``, ``note`` and
        ``notice``.

    Raises:
        VadkitError: for a file that is no sound model, a change to anything but ``data`` and ``eval``, and
            features that are missing or do not fit the model.

    Example:
        >>> found = vadkit.evaluate("runs/rgb/model.safetensors", set="data.args.root=STORE")
        >>> found.figures["ap"], found.scores["video_01"].shape
        (0.81, (40,))
    """
    if split is not None and split not in SPLITS:
        fail(f"there is no split '{split}'", did_you_mean(str(split), SPLITS) or f"there are {', '.join(SPLITS)}")
    if not isinstance(model, VadModel):
        model = as_model(model, "model")
    header = _header(model)
    sections = configured(header["spec"], as_changes(set))
    dataset = open_dataset(sections["data"], None, takes_presence(header["spec"]))
    extra, recipes = header.get("extra") or {}, getattr(dataset, "recipes", {})
    other_cut = cut_otherwise(extra.get("recipes") or {}, recipes)
    if other_cut is not None:
        fail(other_cut, f"extract them as the model wants: vadkit extract VIDEOS --like {model} --out STORE")
    if isinstance(model, VadModel):
        where, system = None if device is None else choose_device(as_device(device)), model
    else:
        where = choose_device(as_device(device))
        system = model_file.load(as_path(model, "model"), where)
    if out is not None:
        make_folder(as_path(out, "out"))  # now, rather than after all is scored
        read = () if isinstance(model, VadModel) else (as_path(model, "model"),)
        claim([as_path(out, "out") / name for name in FILES], read)
    with showing(progress, "scoring") as callback:
        found = evaluate_as_configured(
            system,
            dataset,
            sections["eval"],
            split=split,
            align=sections["data"]["align"],
            device=where,
            in_full=True,
            absent=absent,
            on_progress=callback,
        )
    changed = other_recipes(extra.get("recipes") or {}, recipes)
    warnings = [*found.warnings, *changed, *filter(None, [extra.get("unfinished")])]
    result = Evaluation(
        found.figures,
        found.scores,
        found.protocol,
        found.details,
        warnings,
        found.floors,
        found.sources,
        note=extra.get("note"),
        notice=_notice(extra, getattr(dataset, "notice", None), recipes),
        model=Evaluation.model if isinstance(model, VadModel) else Path(fspath(model)).name,
    )
    if out is not None:
        result.save(as_path(out, "out"))
    return result


def _header(model: Model) -> dict[str, Any]:
    return {"spec": model.spec} if isinstance(model, VadModel) else model_file.read_header(as_path(model, "model"))


def _notice(extra: Mapping[str, Any], of_data: str | None, recipes: Mapping[str, Any]) -> str | None:
    """Return why the figures mean little: what the model was trained on, what it is tested on, random weights."""
    trained, tested = (meaningless_warnings(known, "input") for known in (extra.get("recipes") or {}, recipes))
    texts = filter(None, (extra.get("notice"), of_data, *trained, *tested))
    return " ".join(dict.fromkeys(as_sentence(text) for text in texts)) or None


def configured(spec: Mapping[str, Any], changes: Sequence[str]) -> dict[str, Any]:
    """Return a trained model's spec with changes to its data and eval sections.

    Raises VadkitError for changes to anything else, unknown keys and values that do not fit.
    """
    for change in changes:
        if change.partition("=")[0].partition(".")[0].strip() not in ("data", "eval"):
            fail(
                f"--set {change}: only keys of data and eval can be changed for a trained model",
                hint="for example --set data.args.root=DIR",
            )
    source = load_config(dict(spec), changes)
    problems = check_keys(source)
    if problems:
        raise VadkitError(problems)
    return with_defaults(source.data)
