"""What ``vadkit.diff`` gives as a reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Certainty = Literal["certain", "likely", "possible"]


@dataclass(frozen=True)
class Cause:
    """Why B differs. ``field`` is the recipes' field that says so, if they differ in it."""

    name: str
    text: str
    certainty: Certainty
    field: str | None = None
