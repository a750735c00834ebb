"""The model of a run that has not finished: the weights of its newest checkpoint, as a model file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from vadkit.engine import checkpoints
from vadkit.engine.checkpoints import Checkpoint
from vadkit.engine.run_folder import CHECKPOINTS, LOG, MODEL, UNFINISHED
from vadkit.engine.run_log import read_log
from vadkit.engine.run_state import SavedRun
from vadkit.engine.saved_about import SavedAbout, check_spec
from vadkit.engine.selection import label
from vadkit.graph.compiler import compile_config
from vadkit.graph.load import load_config
from vadkit.graph.model_file import save
from vadkit.plugin_manager import load_plugins
from vadkit.problems import VadkitError, fail
from vadkit.results_folder import recording

FOR_MODEL = ("inputs", "nodes", "losses", "output")


def model_of_run(run: Path) -> Path:
    """Return the model file of the run in a folder.

    Of a run that has not finished it is ``unfinished.safetensors``, written from the newest checkpoint: the best
    weights so far where the run selects some, else those of the moving average, else the last. Raises VadkitError
    for a folder that holds neither a model nor a checkpoint.
    """
    if (run / MODEL).exists():
        return run / MODEL
    checkpoint = checkpoints.latest(run / CHECKPOINTS, types=(SavedAbout, SavedRun), check=check_spec)
    if checkpoint is None:
        fail(
            f"{run} is a folder without {MODEL} and without checkpoints",
            "give the .safetensors file, or the folder of a run of vadkit train; of a recipe, that of one round",
        )
    return _write(run, checkpoint)


def _write(run: Path, checkpoint: Checkpoint) -> Path:
    state = checkpoint.state
    step, weights = _weights(checkpoint)
    config = {key: state["spec"][key] for key in FOR_MODEL if key in state["spec"]}
    try:
        model = compile_config(load_config(config), load_plugins())
        model.load_state_dict(weights)
    except (RuntimeError, VadkitError) as error:
        cause = error.problems[0].message if isinstance(error, VadkitError) else str(error).splitlines()[-1].strip()
        fail(f"{checkpoint.folder}: its model cannot be built here: {cause}")
    model.spec = model.plan.spec = state["spec"]
    train = state["spec"]["train"]
    extra = {
        "unfinished": _sentence(run, checkpoint, step),
        "note": label(train["select"]),
        "select": train["select"],
        "seed": train["seed"],
        "steps": checkpoint.step,
        "chosen_step": step,
        **{key: state[key] for key in ("data", "device", "processes", "versions")},
        **state["features"],
    }
    with recording(run / UNFINISHED):
        return save(model, run / UNFINISHED, extra)


def _weights(checkpoint: Checkpoint) -> tuple[int, Mapping[str, Tensor]]:
    """Return the weights that the run would end with if it ended now, and the step that they are of."""
    state = checkpoint.state
    model: dict[str, Tensor] = state["model"]
    if state["best"] is not None:
        return state["best"]["step"], state["best"]["weights"]
    if state["ema"] is not None:  # the average is of the parameters, not of buffers
        average = {key.removeprefix("module.graph."): value for key, value in state["ema"].items()}
        return checkpoint.step, {name: average.get(name, value) for name, value in model.items()}
    return checkpoint.step, model


def _sentence(run: Path, checkpoint: Checkpoint, step: int) -> str:
    """Say of which step and epoch the weights are."""
    trained = [record for record in read_log(run / LOG) if record["kind"] == "train" and record["step"]]
    per_step = trained[-1]["epoch"] / trained[-1]["step"] if trained else None

    def at(step: int) -> str:
        return f"step {step}" if per_step is None else f"step {step} (epoch {step * per_step:.2f})"

    best = "" if checkpoint.state["best"] is None else f", the best up to {at(checkpoint.step)}"
    return f"the run has not finished; its weights are those of {at(step)}{best}"


def as_model_file(path: Path) -> Path:
    """Return the model file that a path names: itself, or that of the run in a folder."""
    return model_of_run(path) if path.is_dir() else path


def forget_unfinished(run: Path) -> None:
    """Remove what ``model_of_run`` wrote; the run has finished."""
    (run / UNFINISHED).unlink(missing_ok=True)
