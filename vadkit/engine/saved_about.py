"""What a run adds to its checkpoints: what it is of and what it runs on."""

from __future__ import annotations

from typing import Any

import msgspec

from vadkit.engine.checkpoints import Checkpoint, Damaged
from vadkit.engine.fingerprint import FingerprintJson
from vadkit.graph.stored_config import check_config
from vadkit.problems import VadkitError


class SavedAbout(msgspec.Struct):
    """The config, the training data, how features were extracted, and the machine."""

    spec: dict[str, Any]
    data: FingerprintJson
    features: dict[str, Any]
    device: str
    processes: int
    versions: dict[str, str]


def check_spec(checkpoint: Checkpoint) -> None:
    """Raise Damaged for a checkpoint without a sound config."""
    try:
        check_config(checkpoint.state["spec"], f"{checkpoint.folder / 'state.json'}: state.spec")
    except VadkitError as error:
        raise Damaged(error.problems[0].message) from error
