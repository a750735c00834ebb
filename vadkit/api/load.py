"""``vadkit.load``: the model of a file."""

from __future__ import annotations

from os import PathLike

import torch

from vadkit.api.arguments import as_device, as_model
from vadkit.devices import choose_device
from vadkit.graph import model_file
from vadkit.graph.module import VadModel


def load(path: str | PathLike[str], *, device: str | torch.device = "cpu") -> VadModel:
    """Return a trained model from its .safetensors file, in eval mode on ``device``.

    Args:
        path: a file that ``vadkit.train`` or ``vadkit train`` wrote, or the folder of a run. One that was interrupted
            has the weights of its newest checkpoint.
        device: "cpu", "cuda", "cuda:1", ..., or "auto", a GPU if there is one.

    Returns:
        A ``VadModel``; ``model.spec`` is the resolved graph it was trained with. No pickle is read.

    Raises:
        VadkitError: for a file that is missing, damaged, pickled, or needs a plugin that is not installed,
            and for a device that cannot be used here.

    Example:
        >>> model = vadkit.load("runs/rgb/model.safetensors")
        >>> model.input_sizes
        {'rgb': 1024, 'clip': 512}
    """
    return model_file.load(as_model(path, "path"), choose_device(as_device(device)))
