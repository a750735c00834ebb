"""Sinks on the command line and in a file: what is built, under which name, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from vadkit.plugin_manager import load_plugins
from vadkit.problems import VadkitError
from vadkit.watch.sink_options import build_sinks


def built(*options: str) -> dict[str, Any]:
    return build_sinks(options, load_plugins())


def test_sinks_have_names_that_stay() -> None:
    sinks = built("stdout", "webhook:url=https://example.org/a?b=1,timeout_s=2", "webhook:url=https://example.org/c")
    assert list(sinks) == ["stdout", "webhook", "webhook-2"]
    assert sinks["webhook"].timeout_s == 2


def test_sinks_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "sinks.yaml"
    path.write_text("sinks:\n  - folder\n  - {use: webhook, args: {url: 'https://example.org/a', timeout_s: 3}}\n")
    sinks = built(str(path), "stdout")
    assert list(sinks) == ["folder", "webhook", "stdout"] and sinks["webhook"].timeout_s == 3


WRONG = """
sinks:
  - {use: webhook, arg: {url: 1}}
  - {args: {}}
  - {use: folder, args: 3}
more: 1
"""


def test_a_wrong_file_gets_every_problem_at_its_place(tmp_path: Path) -> None:
    path = tmp_path / "sinks.yaml"
    path.write_text(WRONG)
    with pytest.raises(VadkitError) as caught:
        built(str(path))
    text = str(caught.value)
    for words in ("did you mean 'args'?", "must be a mapping with use", "args must be a mapping, got 3", "key 'more'"):
        assert words in text, text
    assert f"{path}:3:" in text
    path.write_text("sinks: []\n")
    with pytest.raises(VadkitError, match="names no sink"):
        built(str(path))


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("stdout:", "must be NAME or NAME:argument=value"),
        ("webhook:url", "'url' is not an argument"),
        ("webhok:url=https://example.org", "did you mean 'webhook'"),
        ("webhook:url=https://example.org,timeout=3", "timeout"),
        ("none.yaml", "none.yaml"),
    ],
)
def test_what_is_refused(option: str, words: str) -> None:
    with pytest.raises(VadkitError) as caught:
        built(option)
    assert words in str(caught.value)
