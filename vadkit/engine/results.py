"""What a finished run leaves: the selected model with its figures, and the same figures as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import torch

from vadkit import json_file
from vadkit.engine import distributed, numerics
from vadkit.engine.run_folder import LOG, MODEL, RESULT
from vadkit.engine.run_log import plain, read_log
from vadkit.engine.run_record import Step
from vadkit.engine.selection import label
from vadkit.engine.session import Outcome, Session
from vadkit.engine.unfinished import forget_unfinished
from vadkit.evaluate.score import evaluate_as_configured
from vadkit.evaluate.uninformed import Floors
from vadkit.graph.model_file import load, save
from vadkit.graph.module import VadModel
from vadkit.plugin_manager import Plugins
from vadkit.results_folder import recording
from vadkit.store.recipes import meaningless_warnings
from vadkit.video import VideoDataset, with_label


class FiguresJson(msgspec.Struct):
    """The figures of result.json that others compare; None where one is undefined or nothing was measured."""

    ap: float | None = None
    auc: float | None = None
    auc_abnormal: float | None = None
    ap_abnormal: float | None = None
    far: float | None = None


class ResultJson(msgspec.Struct):
    """result.json of a finished run."""

    figures: FiguresJson
    select: str
    protocol: dict[str, Any] | None
    seed: int
    steps: Step
    chosen_step: Step
    selected_by: dict[str, Any] | None
    warm_start: dict[str, Any] | list[dict[str, Any]] | None
    seconds: float
    warnings: list[str]
    data: dict[str, Any]
    device: str
    processes: Step
    versions: dict[str, str]
    note: str | None = None
    floors: Floors = {}
    sources: dict[str, Any] | None = None


@dataclass(frozen=True)
class TrainResult:
    """What a training run produced.

    Attributes:
        model: the trained model in eval mode; where ``signal`` is set, the model as it was then.
        model_path: OUT/model.safetensors; None if a signal ended the run early.
        figures: of the selected weights on ``eval.split``; see ``vadkit.evaluate``.
        history: the records of log.jsonl.
        steps, chosen: updates done, and the one after which the selected weights were taken.
        note: a sentence about the figures if they flatter (select: test_best) or mean nothing (made-up features).
        warnings: what the data set and the evaluation want the user to know.
        signal: the signal that ended the run early, or None.
    """

    model: VadModel
    model_path: Path | None
    figures: dict[str, Any]
    history: list[dict[str, Any]]
    steps: int
    chosen: int
    note: str | None
    warnings: list[str]
    signal: int | None


def interrupted(model: VadModel, outcome: Outcome) -> TrainResult:
    """Return the result of a run that a signal ended early."""
    return TrainResult(model, None, {}, outcome.history, outcome.steps, outcome.chosen, None, [], outcome.signal)


def read_result(out: Path, device: torch.device) -> TrainResult:
    """Return the result of the finished run in a folder. Raises VadkitError for files that are none of a run."""
    model, result = load(out / MODEL, device), json_file.read(out / RESULT, ResultJson)
    figures = json_file.load(out / RESULT)["figures"]
    history = read_log(out / LOG)
    return TrainResult(
        model, out / MODEL, figures, history, result.steps, result.chosen_step, result.note, result.warnings, None
    )


def finish(
    model: VadModel, dataset: VideoDataset, plugins: Plugins, session: Session, outcome: Outcome, out: Path
) -> TrainResult:
    """Measure the selected weights on ``eval.split``, and write model.safetensors and result.json."""

    def once() -> tuple[dict[str, Any], list[str]]:
        section = model.spec["eval"]
        if not with_label(dataset.videos(section["split"])):
            warnings = ["there were no videos to measure on"]
            measured: dict[str, Any] = {"figures": {}, "floors": {}, "protocol": None, "warnings": warnings}
        else:
            # Not strict: the training is over, and must not be lost for an operation of the evaluation.
            with numerics.settings(session.train, session.device, strict=False):
                found = evaluate_as_configured(
                    model, dataset, section, plugins=plugins, device=session.device, in_full=True
                )
            measured = {"figures": plain(found.figures.items()), "floors": found.floors}
            measured |= {"sources": found.sources} if found.sources else {}
            measured |= {"protocol": found.protocol, "warnings": found.warnings}
            record = session.evaluation(outcome.chosen, section["split"], measured["figures"])
            session.log.write({**record, "final": True})
        about = _summary(session, outcome, measured) | session.about["features"]
        # The model's file says the rest of the note by its recipes and notice.
        own, note = label(session.train["select"]), _note(session)
        took = {"seconds": round(outcome.seconds, 3)}  # not in the model's file: equal runs give equal files
        with recording(out / MODEL, out / RESULT):  # ``prepare`` has looked at them
            save(model, out / MODEL, ({"note": own} if own else {}) | about)
            json_file.write(out / RESULT, ({"note": note} if note else {}) | about | took, indent=2)
        forget_unfinished(out)
        return measured["figures"], measured["warnings"]

    figures, warnings = distributed.first(once)
    return TrainResult(
        model,
        out / MODEL,
        figures,
        outcome.history,
        outcome.steps,
        outcome.chosen,
        _note(session),
        warnings,
        None,
    )


def _note(session: Session) -> str | None:
    """Return what must be said wherever the figures appear: that they flatter, or mean nothing."""
    features = session.about["features"]
    meaningless = meaningless_warnings(features["recipes"], "input")
    return "; ".join(filter(None, (label(session.train["select"]), features.get("notice"), *meaningless))) or None


def features_of(dataset: VideoDataset, model: VadModel) -> dict[str, Any]:
    """Return how the features were extracted, by input, where the data set knows, and its notice: for predict."""
    known = getattr(dataset, "recipes", {})
    recipes = {name: known[name] for name in model.input_sizes if known.get(name)}
    notice = getattr(dataset, "notice", None)
    found = {"snippet_frames": dataset.snippet_frames, "recipes": recipes}
    return {**found, "notice": notice} if notice else found


def _summary(session: Session, outcome: Outcome, measured: dict[str, Any]) -> dict[str, Any]:
    """Return what result.json and the model's header say of the run."""
    return {
        **measured,
        "select": session.train["select"],
        "seed": session.train["seed"],
        "steps": outcome.steps,
        "chosen_step": outcome.chosen,
        "selected_by": None if outcome.best is None else {session.metric: outcome.best, "split": session.split},
        "warm_start": session.train["warm_start"],
        **{key: session.about[key] for key in ("data", "device", "processes", "versions")},
    }
