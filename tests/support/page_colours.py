"""The colours of the pages, as the style sheet defines them."""

from __future__ import annotations

import re
from importlib.resources import files

_SHEET = files("vadkit").joinpath("templates/pages/page.css").read_text("utf-8")
_LIGHT, _DARK = re.findall(r":root \{(.*?)\}", _SHEET, re.DOTALL)


def _series(block: str) -> tuple[str, ...]:
    return tuple(re.findall(r"--s\d: (#\w{6});", block))


def _paper(block: str) -> str:
    return re.findall(r"--paper: (#\w{6});", block)[0]  # type: ignore[no-any-return]


LIGHT, DARK = _series(_LIGHT), _series(_DARK)
PAPER = {"light": _paper(_LIGHT), "dark": _paper(_DARK)}
