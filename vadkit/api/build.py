"""``vadkit.build``: the model that a graph describes."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from pathlib import Path

import torch

from vadkit.api.arguments import Changes, Config, as_changes, as_config, as_names
from vadkit.devices import seed_torch
from vadkit.graph import model_file
from vadkit.graph.compiler import compile_config
from vadkit.graph.load import load_config
from vadkit.graph.module import VadModel
from vadkit.plugin_manager import load_plugins
from vadkit.problems import VadkitError, fail
from vadkit.results_folder import claim

SEEDS = 2**32 - 1


def build(
    config: Config,
    *,
    set: Changes = (),
    out: str | PathLike[str] | None = None,
    seed: int | None = None,
    without: str | Iterable[str] = (),
) -> VadModel:
    """Return the model that a graph describes, with fresh weights.

    Args:
        config: the name of a graph that comes with vadkit or a plugin ("seed_xd_rgb"), the path of
            a YAML file, or its contents as a mapping.
        set: changes such as "nodes.context.use=gl_mhsa", one or a list, applied last.
        out: a .safetensors file to write the model to, if wanted.
        seed: of the weights; None draws them from torch's global generator.
        without: plugins to leave out.

    Returns:
        A ``VadModel``. It takes each stream as float32 (b, t, width), b bags x crops and t snippets, widths in
        ``model.input_sizes``, and returns scores (b, t).

    Raises:
        VadkitError: with every problem of the file, each at its place.

    Example:
        >>> model = vadkit.build("seed_xd_rgb", set="nodes.context.use=gl_mhsa")
        >>> scores = model(rgb=torch.rand(5, 40, 1024), clip=torch.rand(5, 40, 512))  # (5, 40)
    """
    check_seed(seed)
    path = None if out is None else Path(out)
    if path is not None and path.suffix != ".safetensors":
        fail(f"{path}: a model file ends in .safetensors")
    plugins = load_plugins(as_names(without, "without"))
    source = load_config(as_config(config), as_changes(set), plugins.config_folders)
    if path is not None:
        _refuse_trained(path)
        claim([path], source.files, ours=_is_model)
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            seed_torch(seed)
        model = compile_config(source, plugins)
    if path is not None:
        model_file.save(model, path, {"seed": seed, "trained": False})
    return model


def _refuse_trained(path: Path) -> None:
    """Refuse to replace trained weights by fresh ones."""
    if _is_model(path) and model_file.read_header(path)["extra"].get("trained") is not False:
        fail(f"{path} is a trained model, and would be replaced by one with fresh weights", "choose another name")


def check_seed(seed: int | None) -> None:
    """Raise VadkitError for a seed that torch does not take."""
    if seed is not None and not 0 <= seed <= SEEDS:
        fail(f"seed must be from 0 to {SEEDS}, got {seed}")


def _is_model(path: Path) -> bool:
    try:
        return path.is_file() and bool(model_file.read_header(path))
    except (VadkitError, OSError):
        return False
