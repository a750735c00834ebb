"""The two calls of the Python interface: build a graph, load a trained one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from vadkit.graph import model_file
from vadkit.graph.compiler import compile_config
from vadkit.graph.load import load_config
from vadkit.graph.module import VadModel
from vadkit.plugin_manager import load_plugins


def build(config: str | Path | dict[str, Any], set: Sequence[str] = (), *, without: Iterable[str] = ()) -> VadModel:
    """Return the model that a YAML graph describes, with fresh weights.

    Args:
        config: the name of a graph that comes with vadkit or a plugin ("seed_xd_rgb"), the path of
            a YAML file, or its contents as a dict.
        set: changes such as "nodes.context.use=gl_mhsa", applied last.
        without: plugins to leave out.

    The model takes each stream as float32 (b, t, size), b bags x crops and t snippets, sizes in
    ``model.input_sizes``, and returns scores (b, t).

    Raises:
        VadkitError: with every problem of the file, each at its place.

    Example:
        >>> model = vadkit.build("seed_xd_rgb", set=["nodes.context.use=gl_mhsa"])
        >>> scores = model(rgb=torch.rand(5, 40, 1024), clip=torch.rand(5, 40, 512))  # (5, 40)
    """
    plugins = load_plugins(without)
    return compile_config(load_config(config, set, plugins.config_folders), plugins)


def load(path: str | Path, device: str = "cpu") -> VadModel:
    """Return a trained model from its .safetensors file, in eval mode on ``device``.

    ``model.spec`` is the resolved graph it was trained with. No pickle is read. Raises VadkitError
    for a file that is missing, damaged, pickled, or needs a plugin that is not installed.
    """
    return model_file.load(path, device)
