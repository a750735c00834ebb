"""``vadkit.distill``: train a smaller graph on what a trained model says."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike, fspath

import torch

from vadkit.api.arguments import Changes, as_changes, as_device, as_model, as_names, as_path
from vadkit.api.progress import Callback
from vadkit.api.train import Interrupted, as_listener
from vadkit.distill.run import Distilled
from vadkit.distill.run import distill as run_distillation
from vadkit.engine.progress import Progress as Listener
from vadkit.problems import fail


def distill(
    teacher: str | PathLike[str],
    *,
    student: str | PathLike[str],
    data: str | PathLike[str],
    out: str | PathLike[str],
    set: Changes = (),
    features: tuple[str, str] | bool = True,
    resume: bool = False,
    overwrite: bool = False,
    device: str | torch.device | None = None,
    seed: int | None = None,
    without: str | Iterable[str] = (),
    progress: bool | Callback | Listener | None = None,
) -> Distilled:
    """Train a student on the scores and features of a trained model, besides its own losses.

    The teacher scores every training video as it is evaluated. Its scores become the targets of a loss
    ``distill_scores``; what its head takes becomes a stream that a loss ``distill_features`` compares with what the
    head of the student takes, through a projection that training alone needs. ``set`` changes them as any other key:
    "losses.distill_features.weight=0.1". A student may take fewer streams than its teacher.

    Args:
        teacher: a .safetensors file, or the folder of a run; its scores are probabilities.
        student: the name of a graph, or the path of a YAML file.
        data: the folder of the store that both take their features from.
        out: folder for model.safetensors, the student alone; the run is in its folder ``training``, and what the
            teacher says in ``teacher``.
        set: changes to the graph of the student, one or a list, applied last.
        features: False learns from the scores alone; a pair names the value of the teacher and that of the student
            which are compared, instead of what their heads take.
        resume: continue what is in ``out``, bit for bit.
        overwrite: replace the training in ``out``; what the teacher said is kept.
        device: "cpu", "cuda", "cuda:1", ...; None is a GPU if there is one.
        seed: replaces ``train.seed``.
        without: plugins to leave out.
        progress: as for ``vadkit.train``.

    Returns:
        A ``Distilled``: ``model``, ``model_path``, ``training`` (a ``TrainResult``, with the figures), ``features``,
        and the sizes of ``teacher`` and ``student``.

    Raises:
        VadkitError: for whatever does not fit.
        Interrupted: as ``vadkit.train``.

    Example:
        >>> found = vadkit.distill("TEACHER.safetensors", student="demo_student", data="STORE", out="runs/student")
        >>> found.student.parameters, found.training.figures["ap"]
        (38210, 0.77)
    """
    if resume and overwrite:
        fail("resume and overwrite cannot be combined", "resume continues a run, overwrite replaces it")
    folder = as_path(out, "out")
    with as_listener(progress) as listener:
        found = run_distillation(
            as_model(teacher, "teacher"),
            fspath(student),
            as_path(data, "data"),
            folder,
            as_changes(set),
            features,
            resume,
            overwrite,
            as_device(device),
            seed,
            listener,
            as_names(without, "without"),
        )
    if found.training.signal is not None:
        raise Interrupted(found.training.steps, found.training.signal, folder)
    return found
