"""Arguments that several verbs share: configs, changes to them, devices, paths."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vadkit.problems import fail

if TYPE_CHECKING:
    import torch

Config = str | os.PathLike[str] | Mapping[str, Any]
Changes = str | Iterable[str]


def as_config(config: Config) -> str | Path | dict[str, Any]:
    """Return a config as the graph reader takes it: a name, a path, or plain nested dicts."""
    if isinstance(config, Mapping):
        return {key: _plain(value) for key, value in config.items()}
    if isinstance(config, str):
        return config
    if isinstance(config, os.PathLike):
        return Path(config)
    fail(
        f"config is of type {type(config).__name__}",
        "give the name of a graph, the path of a YAML file, or its contents as a dict",
    )


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def as_changes(changes: Changes | None) -> list[str]:
    """Return ``set=`` as a list; a bare string is one change, not a list of letters."""
    if changes is None:
        return []
    if isinstance(changes, str):
        return [changes]
    listed = list(changes) if isinstance(changes, Iterable) and not isinstance(changes, Mapping) else None
    if listed is None or not all(isinstance(change, str) for change in listed):
        fail(f"set is {changes!r}", "give 'key=value', or a list of such strings, as set=['train.optimizer.lr=1e-4']")
    return listed


def as_names(names: str | Iterable[str], what: str) -> list[str]:
    """Return one name or several as a list."""
    listed = [names] if isinstance(names, str) else list(names)
    if not all(isinstance(name, str) for name in listed):
        fail(f"{what} is {names!r}; it must be a name, or a list of names")
    return listed


def as_path(path: Any, what: str) -> Path:
    """Return a path. Raises VadkitError, naming the argument, for anything that is none."""
    if isinstance(path, str | os.PathLike) and str(path):
        return Path(path)
    fail(f"{what} is {path!r}; it must be the path of a {'folder' if what == 'out' else 'file'}")


def as_model(path: Any, what: str) -> Path:
    """Return the path of a model file; of the folder of a run it is the run's."""
    from vadkit.engine.unfinished import as_model_file

    return as_model_file(as_path(path, what))


def as_paths(paths: Any, what: str) -> list[Path]:
    """Return one path or several as a list."""
    if isinstance(paths, str | os.PathLike):
        return [Path(paths)]
    if not isinstance(paths, Iterable):
        fail(f"{what} is {paths!r}; it must be a path, or a list of paths")
    return [as_path(path, f"{what}[{i}]") for i, path in enumerate(paths)]


def as_device(device: str | torch.device | None) -> str:
    """Return a device's name; None is "auto", a GPU if there is one."""
    return "auto" if device is None else str(device)
