"""The mark ``cuda``: a test that needs a GPU. ``pytest -m cuda`` runs all of them.

Without a GPU they are skipped, and counted. VADKIT_TEST_DEVICE=cpu runs them on the CPU instead, which shows that
the tests themselves are right; another value, such as cuda:1, chooses the GPU.

How many random cases are tried: few by default, many with VADKIT_THOROUGH=1.

The summary says how many of them there were.

And the mark ``guards("D7")``: a test that keeps a defect of tests/guards.md from coming back. The summary counts the
tests that passed for each.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

if "PYTEST_XDIST_WORKER" in os.environ:  # tests in several processes share the cores; read when torch is imported
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch
from hypothesis import settings

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a job in the background; commands would inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)

THOROUGH = os.environ.get("VADKIT_THOROUGH", "0") not in ("", "0")

# Files whose tests take more than 20 seconds together.
LONG = (
    "tests/walk/",
    "tests/zoo/test_graphs_run.py",
    "tests/demo/test_study.py",
    "tests/test_components.py",
    "tests/reference/test_reference_cases.py",
    "tests/extract/test_extract_interrupted.py",
    "tests/bench/",
    "tests/benchmarks/",
    "tests/diff/",
    "tests/test_registry_configs.py",
    "tests/fuzz/",
)

# What a test of this name counts in the summary. With several processes, only this file's summary is printed.
TRAINED = {
    "test_a_graph_trains_evaluates_and_is_saved": "graphs",
    "test_a_recipe_trains_evaluates_and_is_saved": "recipes",
}

# Machines that test are often busy, so time is no criterion.
settings.register_profile("small", max_examples=25, deadline=None)
settings.register_profile("thorough", max_examples=1000, deadline=None)
settings.load_profile("thorough" if THOROUGH else "small")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--checkpoints", type=Path, help="folder of released weights, which are not in the repository")


def chosen_device() -> str | None:
    """Return the device for tests marked ``cuda``, or None if there is none."""
    return os.environ.get("VADKIT_TEST_DEVICE") or ("cuda" if torch.cuda.is_available() else None)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("cuda") and chosen_device() is None:
        pytest.skip("there is no CUDA device; VADKIT_TEST_DEVICE=cpu runs this test on the CPU")


@pytest.fixture(scope="session", autouse=True)
def cache_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Leave the user's cache alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def path_of_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Undo what a test adds to the path, such as its folder for VADKIT_PLUGINS."""
    monkeypatch.setattr(sys, "path", [*sys.path])


@pytest.fixture(autouse=True)
def environment() -> Iterator[None]:
    """Undo what a test leaves in the environment, such as plugins that a command was given."""
    before = dict(os.environ)
    yield
    if before != dict(os.environ):
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(scope="session")
def device() -> str:
    """Return what tests marked ``cuda`` give to --device."""
    name = chosen_device()
    assert name is not None, "only tests marked 'cuda' may ask for the device"
    return name


@pytest.fixture(scope="session")
def thorough() -> bool:
    """Return whether time matters less than what is found."""
    return THOROUGH


@pytest.fixture(scope="session")
def cases(thorough: bool) -> Callable[[int], int]:
    """Return how many random cases to try, given what is usual: ten times as many if thorough."""
    return lambda usual: usual * 10 if thorough else usual


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))
    for item in items:
        for mark in item.iter_markers("guards"):
            item.user_properties += [("guards", number) for number in mark.args]
        if item.get_closest_marker("cuda"):
            item.user_properties += [("cuda", "")]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give each process whole files, for what tests of a file share, and one process all tests of the contract.

    Files that take long come first, so that no process is left with one when the others have ended.
    """
    from xdist.scheduler import LoadScopeScheduling

    config.option.loadscopereorder = False  # by how many tests a file has

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return "tests/testing" if file.startswith("tests/testing/") else file

    return ByFile(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    passed = terminalreporter.stats.get("passed", ())
    tests = [report.nodeid.rpartition("::")[2].partition("[")[0] for report in passed]
    trained = {what: tests.count(name) for name, what in TRAINED.items()}
    if any(trained.values()):
        said = " and ".join(f"{count} {what}" for what, count in trained.items())
        terminalreporter.write_line(f"{said}: trained, evaluated, saved and loaded to equal scores")
    counts = Counter(number for report in passed for key, number in report.user_properties if key == "guards")
    if counts:
        shown = (f"{number} {counts[number]}" for number in sorted(counts, key=_natural))
        terminalreporter.write_line("tests that guard: " + ", ".join(shown))
    reports = {state: terminalreporter.stats.get(state, ()) for state in ("passed", "failed", "skipped")}
    states = {
        state: sum(("cuda", "") in getattr(report, "user_properties", ()) for report in found)
        for state, found in reports.items()
    }
    if any(states.values()):
        shown = (f"{count} {state}" for state, count in states.items() if count)
        terminalreporter.write_line("tests that need a GPU: " + ", ".join(shown))


def _natural(number: str) -> list[tuple[bool, int, str]]:
    """Return a key that sorts D2 before D10, and 5.2 before 5.10."""
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in re.split(r"(\d+)", number)]
