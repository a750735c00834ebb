"""What a command imports: seconds that each call of it would take."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from vadkit.graph.without_compiler import OF_SIZES, without_compiler

# Of what vadkit depends on: the compiler of torch, training, extraction. ``vadkit build`` needs none.
HEAVY = "torch._dynamo torch._inductor sympy torch.distributed.fsdp triton mmengine.hooks librosa numba timm cv2 av"
NO_TORCH = """
import sys

class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "numpy", "mmengine"):
            raise AssertionError(f"imports {name}")

sys.meta_path.insert(0, NoTorch())
from vadkit.cli import main
raise SystemExit(main(sys.argv[1:]))
"""


def run(code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment})


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a cache folder in which the catalogue is kept."""
    folder = tmp_path_factory.mktemp("catalogue")
    ran = run("from vadkit.cli import main; raise SystemExit(main(['list', 'temporal']))", XDG_CACHE_HOME=str(folder))
    assert ran.returncode == 0, ran.stderr
    assert list(folder.rglob("catalogue-*.json")), "nothing was kept: a plugin's files are not known"
    yield folder


@pytest.mark.parametrize(
    "arguments",
    (
        "--help",
        "list",
        "list plugins",
        "list temporal",
        "list configs",
        "info tca",
        "info tca --json",
        "info seed_xd_rgb",
        "info train.precision",
        "build --help",
        "train --help",
    ),
)
def test_commands_that_only_look_up_do_without_torch(cache: Path, arguments: str) -> None:
    ran = run(NO_TORCH, *arguments.split(), XDG_CACHE_HOME=str(cache))
    assert ran.returncode == 0, ran.stderr
    assert len(ran.stdout) > 100


# -- the modules in the place of the compiler --------------------------------------------------------
def test_build_imports_neither_the_compiler_nor_the_engine_and_its_table_is_the_same() -> None:
    """In processes of their own, because other tests import the compiler."""
    code = "import sys\n{}from vadkit.cli import main\ncode = main(['build', 'ur_dmu_xd', '--json'])\n"
    code += f"print(code, [name for name in {HEAVY.split()} if name in sys.modules])"
    without, with_it = (run(code.format(first)) for first in ("", "import torch._dynamo\n"))
    table, found = without.stdout.rstrip("\n").rsplit("\n", 1)
    assert found == "0 []", without.stderr
    assert table == with_it.stdout.rstrip("\n").rsplit("\n", 1)[0]


def test_the_compiler_is_there_when_something_needs_it() -> None:
    code = """
import sys, torch
from vadkit.graph.without_compiler import without_compiler
x = torch.zeros(2, 3, device="meta")
with without_compiler():
    torch.addmm(torch.zeros(2, device="meta"), x, x.T)
    assert not hasattr(sys.modules["torch._dynamo"], "__file__")
    assert torch._dynamo.config.cache_size_limit > 0
    assert sys.modules["torch._dynamo"].__file__
    import sympy
    assert sympy.Integer(3) + 1 == 4
torch.addmm(torch.zeros(2, device="meta"), x, x.T)
double = torch.compile(lambda x: x * 2, backend="eager")
assert double(torch.ones(2)).tolist() == [2, 2]
"""
    ran = run(code)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.filterwarnings("ignore:guard_size_oblivious will be removed")
def test_questions_about_sizes_are_answered_as_torch_answers_them() -> None:
    import torch.fx.experimental.symbolic_shapes as real

    for name, answer in OF_SIZES.items():
        given = {"sym_eq": [(1, 1), (1, 2), ((1, 2), [1, 2])], "sym_and": [(True, False)], "sym_or": [(True, False)]}
        single = [(3,)] if "int" in name or "hint" in name else [(True,), (False,)]
        if not hasattr(real, name):  # of another version of torch
            continue
        for values in given.get(name, single):
            assert answer(*values) == getattr(real, name)(*values), name


def test_nothing_is_replaced_where_the_compiler_is_imported() -> None:
    import torch._dynamo

    with without_compiler():
        assert sys.modules["torch._dynamo"] is torch._dynamo


def test_a_diagram_needs_no_weights(tmp_path: Path) -> None:
    from vadkit.cli import main

    with redirect_stdout(io.StringIO()):
        assert main(["build", "seed_xd_rgb", "--diagram", str(tmp_path / "graph.svg")]) == 0
    assert "<svg" in (tmp_path / "graph.svg").read_text()
