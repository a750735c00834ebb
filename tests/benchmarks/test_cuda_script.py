"""benchmarks/cuda.sh without a GPU: what it plans, that every command of the plan exists, and what it refuses."""

from __future__ import annotations

import argparse
import importlib
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "benchmarks" / "cuda.sh"
SHELLS = [shell for shell in ("sh", "bash", "dash") if shutil.which(shell)]


def run(*arguments, shell="sh", **env):
    command = [shell, str(SCRIPT), *map(str, arguments)]
    kept = {**os.environ, "PYTHON": sys.executable, "CUDA_VISIBLE_DEVICES": "", **env}
    return subprocess.run(command, capture_output=True, text=True, env=kept, timeout=60, check=False)


def plan(*arguments):
    done = run(10, "--dry-run", *arguments)
    assert done.returncode == 0, done.stderr
    return [line.split("\t") for line in done.stdout.splitlines()]


STEPS = plan()


@pytest.mark.parametrize("shell", SHELLS)
def test_the_plan_is_the_same_in_every_shell(shell):
    assert run(10, "--dry-run", shell=shell).stdout == run(10, "--dry-run").stdout
    assert subprocess.run([shell, "-n", str(SCRIPT)], capture_output=True, check=False).returncode == 0


def test_the_first_ten_minutes_hold_what_is_worth_most():
    names = [name for name, _, _ in STEPS]
    assert len(set(names)) == len(names)
    minutes = [int(most) for _, most, _ in STEPS]
    first = names[: next(n for n in range(1, len(names)) if sum(minutes[: n + 1]) > 10)]
    assert "step of UR-DMU" in first and "tests: captured runs" in first
    assert names.index("a minute of video") < names.index("all systems")


@pytest.mark.parametrize(("name", "command"), [(name, command) for name, _, command in STEPS])
def test_every_command_of_the_plan_exists(name, command):
    python, *words = shlex.split(command)
    assert python == sys.executable
    if words[:2] == ["-m", "pytest"]:
        assert all((ROOT / word).exists() for word in words[2:] if word.startswith("tests/"))
    elif words[:2] == ["-m", "vadkit"]:
        verb, sub, *rest = words[2:]
        parser = argparse.ArgumentParser(exit_on_error=False)
        importlib.import_module(f"vadkit.cli.{verb}_{sub}").add_arguments(parser)
        parser.parse_args(rest)
    else:
        shown = subprocess.run([python, words[0], "--help"], cwd=ROOT, capture_output=True, text=True, check=False)
        assert shown.returncode == 0, shown.stderr
        assert all(word in shown.stdout for word in words[1:] if word.startswith("--"))


def test_every_graph_of_the_plan_exists():
    known = {path.stem for path in (ROOT / "registry_configs" / "graphs").rglob("*.yaml")}
    named = {word for _, _, command in STEPS for word in shlex.split(command) if word in known}
    assert {"seed_xd_rgb", "ur_dmu_xd", "pel4vad_xd", "seed_xd_three_stream"} <= named


def test_device_and_folder_reach_the_commands(tmp_path):
    for name, _, command in plan("--device", "cuda:3", "--out", tmp_path):
        assert "cuda:3" in command or "pytest" in command or name.startswith("store"), name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "say how many minutes there are"),
        ((9,), "9 minutes are too few: give 10 at least"),
        (("soon",), "MINUTES is a whole number, not soon"),
        ((10, 20), "one number of minutes is enough"),
        ((10, "--fast"), "unknown option --fast"),
        ((10, "--out"), "--out needs a value"),
        ((10, "--find-links", "/nowhere"), "there is no folder /nowhere"),
    ],
)
def test_wrong_arguments(arguments, message):
    done = run(*arguments)
    assert done.returncode == 2 and message in done.stderr and not done.stdout


def test_without_a_gpu_it_says_so(tmp_path):
    done = run(10, "--out", tmp_path / "results")
    assert done.returncode == 2 and "finds no GPU here" in done.stderr and not (tmp_path / "results").exists()


FAKE = """#!/bin/sh
case "$1" in -c) exit 0 ;; esac
echo "$@" >>"$CALLS"
case "$*" in *FAILING*) exit 3 ;; esac
"""


def test_it_runs_the_plan_and_resumes(tmp_path):
    """A python that notes what it is asked to do, and fails at one step the first time."""
    fake = tmp_path / "python"
    fake.write_text(FAKE.replace("FAILING", "tvl1.py"))
    fake.chmod(0o755)
    calls, env = tmp_path / "calls", {"PYTHON": str(fake), "CALLS": str(tmp_path / "calls"), "TMPDIR": str(tmp_path)}
    done = run(10, "--out", tmp_path / "out", **env)
    assert done.returncode == 1 and f"{len(STEPS) - 1} of {len(STEPS)} steps done, 1 failed, 0 left" in done.stdout
    assert "== TV-L1: failed with exit code 3" in done.stdout
    assert len(calls.read_text().splitlines()) == len(STEPS)
    fake.write_text(FAKE.replace("FAILING", "nothing"))
    calls.unlink()
    again = run(10, "--out", tmp_path / "out", **env)
    assert again.returncode == 0 and f"{len(STEPS)} of {len(STEPS)} steps done" in again.stdout
    assert len(calls.read_text().splitlines()) == 1 and "== TV-L1 (at most 120 s" in again.stdout
