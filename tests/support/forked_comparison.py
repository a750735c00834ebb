"""Comparisons in processes that are killed, that share a folder, and whose components change.

Run as a program: torch is imported once, and every comparison is a fork of this process. The first argument is a JSON
list of steps; what each step did is printed as a JSON list. A step has ``run``, the arguments of ``bench swap``, of one
process or of several at once, and perhaps

kill: [where, count]  kill the process with SIGKILL at the count-th call: "train" before a training, "trained" after
                      it, "step" in one, "table" before the tables are written
edit: text            is appended to the plugin first
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

PLUGIN = '''
import torch
from vadkit import Temporal, hookimpl


class Mine(Temporal):
    """Pass on."""

    name = "mine"
    fidelity = "ours"
    inputs = {"x": "b t dim"}
    outputs = {"x": "b t dim"}

    def __init__(self, *, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return FACTOR * x


class Flat(Mine):
    """Forget what it sees."""

    name = "flat"

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 0 * x


class Trap(Mine):
    """Raise in training."""

    name = "trap"

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training and x.shape[0] > 2:
            raise RuntimeError("the trap has sprung")
        return x


FACTOR = 1.0


@hookimpl
def vadkit_components() -> list[type]:
    return [Mine, Flat, Trap]
'''


def steps(folder: Path, *wanted: dict[str, Any]) -> list[dict[str, Any]]:
    """Run steps in a fresh process; return the exit codes of each, its output, and the runs that it trained."""
    import subprocess

    (folder / "vadkit_mine.py").write_text(PLUGIN)
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    env = {**os.environ, "VADKIT_PLUGINS": "vadkit_mine", "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, __file__, json.dumps(wanted)], cwd=folder, env=env, capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return found


def _counted(call: Callable[..., Any], where: str, kill: list[Any]) -> Callable[..., Any]:
    left = [kill[1] if kill[0] == where else -1]

    def counted(*args: Any, **more: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*args, **more)

    return counted


def _child(arguments: list[str], kill: list[Any], trained: Path, output: Path) -> None:
    from vadkit.bench.comparison import one_run, runs
    from vadkit.cli import main
    from vadkit.engine import session

    train = one_run.train

    def noted(*args: Any, **more: Any) -> Any:
        with trained.open("a") as file:
            file.write(f"{more['out']}\n")
        return train(*args, **more)

    one_run.train = _counted(noted, "train", kill)
    one_run._collapsed = _counted(one_run._collapsed, "trained", kill)
    runs.write_comparison = _counted(runs.write_comparison, "table", kill)
    session.Session.run = _counted(session.Session.run, "step", kill)  # type: ignore[method-assign]
    with output.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        code = main(["bench", "swap", "--device", "cpu", "--no-timing", *arguments])
        sys.stdout.flush()
    os._exit(code)


def _step(step: dict[str, Any], number: int) -> dict[str, Any]:
    if "edit" in step:
        with Path("vadkit_mine.py").open("a") as file:
            file.write(step["edit"])
    trained, children = Path(f"trained{number}"), []
    for index, arguments in enumerate(step["run"]):
        output = Path(f"output{number}-{index}")
        child = os.fork()
        if child == 0:
            try:
                _child(arguments, step.get("kill", ["", 0]), trained, output)
            finally:
                os._exit(99)
        children.append((child, output))
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child, _ in children]
    lines = trained.read_text().splitlines() if trained.exists() else []
    return {"codes": codes, "trained": lines, "output": [output.read_text() for _, output in children]}


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    import vadkit.engine.train  # noqa: F401 - once for all forks
    from vadkit.plugin_manager import load_plugins

    wanted = json.loads(sys.argv[1])
    if not any("edit" in step for step in wanted):
        load_plugins()
    print(json.dumps([_step(step, number) for number, step in enumerate(wanted)]))
