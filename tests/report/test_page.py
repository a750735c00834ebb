from __future__ import annotations

import base64
import hashlib
import math
import re
from html.parser import HTMLParser
from itertools import combinations

import numpy as np
import pytest
from jinja2 import UndefinedError
from markupsafe import Markup
from page_colours import DARK, LIGHT, PAPER

from vadkit.report import render
from vadkit.report.plot import DASHES, SERIES

# Linear RGB as seen without long, middle or short cones (Machado et al. 2009, severity 1).
SIGHT = {
    "all": np.eye(3),
    "no long": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no middle": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "no short": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def linear(colour: str) -> np.ndarray:
    value = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def luminance(rgb: np.ndarray) -> float:
    return float(rgb @ [0.2126, 0.7152, 0.0722])


def lab(rgb: np.ndarray) -> np.ndarray:
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x, y, z = (to_xyz @ np.clip(rgb, 0, 1)) / [0.9505, 1, 1.089]
    f = [v ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116 for v in (x, y, z)]
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize(("scheme", "colours"), [("light", LIGHT), ("dark", DARK)])
def test_colours_stand_out_from_the_page(scheme: str, colours: tuple[str, ...]) -> None:
    for colour in colours:
        low, high = sorted(luminance(linear(c)) for c in (colour, PAPER[scheme]))
        assert (high + 0.05) / (low + 0.05) >= 3, colour


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("colours", [LIGHT, DARK])
def test_colours_are_distinct_with_and_without_colour_vision(sight: str, colours: tuple[str, ...]) -> None:
    seen = {c: lab(np.array(SIGHT[sight]) @ linear(c)) for c in colours}
    for a, b in combinations(colours, 2):
        assert math.dist(seen[a], seen[b]) >= 11.5, (a, b)


def test_every_series_has_a_colour_and_a_dash() -> None:
    assert len(LIGHT) == len(DARK) == SERIES == len(set(DASHES))


def test_a_page_loads_nothing_from_elsewhere_and_runs_only_its_own_script() -> None:
    script = "document.title += '!'"
    text = render("page.html", title="<T>", subtitle="a & b", script=Markup(script))
    tags = Tags()
    tags.feed(text)
    policy = next(a["content"] for t, a in tags.found if a.get("http-equiv") == "Content-Security-Policy") or ""
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    own = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == f"'sha256-{own}'"
    assert f"<script>{script}</script>" in text
    assert not re.search(r"https?:", policy)
    assert [t for t, a in tags.found if a.get("src") or (a.get("href") or "").startswith("http")] == []
    assert "<title>&lt;T&gt;</title>" in text and "a &amp; b" in text
    assert "width=device-width" in text and "prefers-color-scheme" in text


def test_a_page_without_a_script_runs_none() -> None:
    text = render("page.html", title="T", subtitle="")
    assert "script-src 'none'" in text and "<script" not in text


def test_a_missing_value_is_an_error_and_not_a_gap() -> None:
    with pytest.raises(UndefinedError, match="subtitle"):
        render("page.html", title="T")
