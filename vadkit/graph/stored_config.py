"""The resolved config inside a model file or a checkpoint."""

from __future__ import annotations

from typing import Any

import msgspec

from vadkit import json_file
from vadkit.graph.load import load_config
from vadkit.graph.schema_check import check_keys
from vadkit.problems import VadkitError, fail


class ConfigJson(msgspec.Struct, forbid_unknown_fields=True):
    """The sections of a resolved config. It extends nothing; what is inside of a section is in the schema."""

    inputs: dict[str, Any]
    nodes: dict[str, dict[str, Any]]
    output: str
    data: dict[str, Any]
    train: dict[str, Any]
    eval: dict[str, Any]
    losses: dict[str, dict[str, Any]] = {}
    about: str | None = None


def check_config(config: dict[str, Any], where: str, hint: str | None = None) -> None:
    """Check every key of a config that was read from a file. Raises VadkitError that begins with ``where``."""
    json_file.typed(config, ConfigJson, where, hint=hint)
    try:
        problems = check_keys(load_config(config))
    except VadkitError as error:
        problems = error.problems
    if problems:
        fail(f"{where}: {problems[0].message}", hint)
