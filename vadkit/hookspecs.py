"""The hooks a plugin may implement. A plugin is one importable module with ``@hookimpl`` functions."""

from __future__ import annotations

from pathlib import Path

import pluggy

hookspec = pluggy.HookspecMarker("vadkit")
hookimpl = pluggy.HookimplMarker("vadkit")


@hookspec
def vadkit_components() -> list[type]:  # type: ignore[empty-body]
    """Return the component classes of this plugin.

    Each is a class of one of the kinds in ``vadkit`` (Temporal, Fusion, Head, Loss, ...) with a
    unique ``name``. Returning the list must not load weights, read files or change anything.
    """


@hookspec
def vadkit_configs() -> Path:  # type: ignore[empty-body]
    """Return the folder with this plugin's YAML graphs, so that ``vadkit build NAME`` finds them."""


@hookspec
def vadkit_restatements() -> list[type]:  # type: ignore[empty-body]
    """Return classes of ``vadkit.Restatement``: published systems in plain torch, as their authors run them.

    ``vadkit bench speed`` times each next to the graphs that its ``graphs`` names.
    """
