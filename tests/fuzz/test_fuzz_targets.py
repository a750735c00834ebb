"""A small part of the fuzz tests. ``python -m tests.fuzz`` tries 5,000 mutants of each target."""

import random
from pathlib import Path

import pytest

import vadkit
from vadkit.plugin_manager import load_plugins
from vadkit.problems import fail
from vadkit.rounds import read_recipe

from .harness import run
from .targets import TARGETS

pytestmark = pytest.mark.guards("5.8", "5.3", "D3", "D15", "D16", "D21")

MUTANTS = 60
LEAST = {
    "graphs": 40,
    "stores": 25,
    "models": 30,
    "arrays": 10,
    "tables": 30,
    "manifests": 5,
    "systems": 40,
    "specs": 30,
    "beginnings": 20,
    "scores": 20,
    "cameras": 20,
    "event_logs": 10,
}


@pytest.mark.parametrize("name", TARGETS)
def test_mutants(name, cases):
    outcome = run(TARGETS[name], range(cases(MUTANTS)))
    assert not outcome.findings, "\n".join(map(str, outcome.findings[:10]))
    assert outcome.fine == outcome.mutants == cases(MUTANTS)
    assert len(outcome.messages) >= LEAST[name]  # damage that is always the same, or never seen, tests nothing


def test_the_graphs_that_are_damaged_are_sound(tmp_path, monkeypatch):
    """What follows from a first problem is not looked at, so damage to an unsound graph tests little."""
    TARGETS["graphs"].prepare(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert vadkit.build("small.yaml").plan.weights
    read_recipe("rounds.yaml", [], load_plugins())


def test_a_mutant_follows_from_its_seed(tmp_path):
    written = []
    for time in ("first", "second"):
        folder = tmp_path / time
        folder.mkdir()
        TARGETS["tables"].prepare(folder)
        TARGETS["tables"].mutate(folder, tmp_path, random.Random("tables 5"))
        written.append({path.name: path.read_bytes() for path in folder.glob("*.*")})
    assert written[0] == written[1]


class Wild:
    """A target whose verb does what ``deed`` does."""

    name = "wild"

    def __init__(self, deed):
        self.deed = deed

    def prepare(self, folder):
        (folder / "x").touch()

    def mutate(self, folder, canary, rng):
        return [lambda: self.deed(folder, canary)]


@pytest.mark.parametrize(
    ("deed", "cause"),
    [
        (lambda folder, canary: (folder / "x").unlink(), None),
        (lambda folder, canary: 1 // 0, "ZeroDivisionError"),
        (lambda folder, canary: (canary / "new").touch(), "changed outside of its folder: canary/new"),
        (lambda folder, canary: (canary / "precious.txt").unlink(), "changed outside of its folder: canary/precious"),
        (lambda folder, canary: Path("here").touch(), "changed outside of its folder: here/here"),
        (lambda folder, canary: bytearray(4 << 30), "MemoryError"),
        (lambda folder, canary: fail(" "), "an error without a message"),
        (lambda folder, canary: fail("wrong"), None),
        (lambda folder, canary: 3, "exit code 3"),
    ],
)
def test_what_a_mutant_must_not_do_is_found(deed, cause):
    outcome = run(Wild(deed), range(1))
    assert [finding.cause.startswith(cause) for finding in outcome.findings] == ([True] if cause else [])
    assert all("--target wild --seed 0 --mutants 1" in str(finding) for finding in outcome.findings)
