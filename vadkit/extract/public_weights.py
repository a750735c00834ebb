"""Which public weight files the backbones read, and which of them a file is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from vadkit.backbones.weights import read_weights, sha256
from vadkit.extract.one_video import try_out
from vadkit.graph.arguments import arguments
from vadkit.kinds import Backbone, PublicWeights
from vadkit.plugin_manager import load_plugins
from vadkit.problems import VadkitError

FRAMES = 16  # of the snippet that a backbone is tried with
DIGITS = 64  # of a whole SHA-256 in hex


@dataclass(frozen=True)
class Fit:
    """A backbone, with its arguments, that a file was loaded into: ``cause`` says why it does not fit, if so."""

    backbone: str
    args: dict[str, Any]
    cause: str | None


@dataclass(frozen=True)
class Checked:
    """What is known of a weight file: its digest, the public files that have it, the backbones it was tried with."""

    sha256: str
    known: list[tuple[str, PublicWeights]]
    fits: list[Fit]


def published() -> list[tuple[str, PublicWeights]]:
    """Return (backbone, file) for every public file that a backbone names."""
    return [(backbone.name, file) for backbone in _backbones() for file in backbone.public_weights]


def check(path: str) -> Checked:
    """Compare a file's digest with the published ones, and try the backbones that take a weight file.

    Raises VadkitError if the file cannot be read as weights.
    """
    digest = sha256(path)
    read_weights(path)
    known = [(name, file) for name, file in published() if file.sha256 and digest.startswith(file.sha256)]
    return Checked(digest, known, list(_tried(path)))


def _tried(path: str) -> Iterator[Fit]:
    for backbone in _backbones():
        if "weights" not in arguments(backbone):
            continue  # it has its own
        tried: list[dict[str, Any]] = []
        for file in backbone.public_weights:
            if file.args not in tried:
                tried.append(dict(file.args))
                yield Fit(backbone.name, dict(file.args), _why_not(backbone, {"weights": path, **file.args}))


def _why_not(backbone: type[Backbone], args: dict[str, Any]) -> str | None:
    try:
        try_out(backbone.name, backbone(**args), FRAMES)
    except VadkitError as error:
        return error.problems[0].message
    return None


def _backbones() -> list[type[Backbone]]:
    components = load_plugins().components
    found = (components.find(name, "backbone") for name in components.names("backbone"))
    return [backbone for backbone in found if backbone is not None]  # type: ignore[misc]
