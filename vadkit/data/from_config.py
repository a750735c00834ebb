"""From the ``data`` and ``eval`` sections of a config to a dataset and samplers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vadkit.components import build_component, find_component
from vadkit.graph.arguments import arguments
from vadkit.kinds import Sampler
from vadkit.plugin_manager import Plugins
from vadkit.video import VideoDataset


def open_dataset(data: Mapping[str, Any], plugins: Plugins | None = None, partial: bool = False) -> VideoDataset:
    """Return the dataset of a ``data`` section (keys use, args, streams).

    A dataset whose constructor takes ``streams`` is given ``data.streams``, the dataset's stream for each input of the
    graph. ``partial`` is for a graph that takes ``presence``: a dataset whose constructor takes an argument of this
    name may then have videos that lack streams. Raises VadkitError for an unknown component or bad arguments, and
    whatever the dataset finds wrong with its files.
    """
    args = dict(data.get("args") or {})
    component = find_component(data.get("use") or "feature_store", "dataset", plugins)
    if "streams" in arguments(component) and data.get("streams"):
        args.setdefault("streams", dict(data["streams"]))
    if partial and "partial" in arguments(component):
        args.setdefault("partial", True)
    return build_component(component, args, "data")  # type: ignore[no-any-return]


def build_sampler(data: Mapping[str, Any], plugins: Plugins | None = None) -> Sampler:
    """Return the sampler of a ``data`` section (key sampler: use, args)."""
    return _sampler(data.get("sampler") or {}, "data.sampler", plugins)


def build_eval_sampler(section: Mapping[str, Any], plugins: Plugins | None = None) -> Sampler | None:
    """Return the sampler of an ``eval`` section; None if videos are scored as a whole."""
    sampler = section.get("sampler")
    return _sampler(sampler, "eval.sampler", plugins) if sampler else None


def _sampler(section: Mapping[str, Any], where: str, plugins: Plugins | None) -> Sampler:
    component = find_component(section.get("use") or "uniform_pad", "sampler", plugins)
    return build_component(component, section.get("args") or {}, where)  # type: ignore[no-any-return]
