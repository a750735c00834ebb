"""The shape of the source: imports go one way, plugins stand alone, nothing unsafe is called."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from vadkit import hookspecs
from vadkit.plugin_manager import EXTRA

ROOT = Path(__file__).parent.parent
CORE = sorted(path for path in (ROOT / "vadkit").rglob("*.py"))
PLUGINS = sorted((ROOT / "plugins").rglob("*.py"))
# The house, from the ground up. A part imports what is below it, never what is next to it or above.
LAYERS = (
    ("dropout",),
    ("problems", "shapes", "hookspecs", "layers", "restatement", "templates", "lazy", "tables"),
    (
        "batch_ports",
        "files",
        "cuda_graph",
        "interrupt",
        "devices",
        "labels",
        "memory",
        "numba_cache",
        "opencv",
        "report",
        "terminal",
        "video",
    ),
    ("kinds", "json_file", "npy_header", "presence", "results_folder", "credentials"),
    ("registry", "backbones", "events"),
    ("plugin_manager", "store", "sinks"),
    ("graph",),
    ("components", "testing"),
    ("data", "systems"),
    ("datasets", "evaluate"),
    ("extract", "engine"),
    ("diff", "predict", "rounds"),
    ("corrupt",),
    ("bench", "calibrate", "demo", "distill", "export", "watch"),
    ("rendered",),
    ("api",),
    ("cli",),
    ("__main__",),
)
RANKS = {part: rank for rank, parts in enumerate(LAYERS) for part in parts}
# What plugins may import, and nothing below it: names that are promised to third parties.
FOR_PLUGINS = {
    "vadkit",
    "vadkit.layers",
    "vadkit.backbones",
    "vadkit.store",
    "vadkit.evaluate",
    "vadkit.sinks",
    "vadkit.testing",
}
HEAVY = ("torch", "numpy", "cv2", "mmengine")


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path))


def imports_of(path: Path) -> Iterator[str]:
    """Yield the modules that a file imports, at any depth, but not those for type checkers alone."""
    for node in outside_type_checking(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} has a relative import"
            yield node.module or ""
            if node.module == "vadkit":  # 'from vadkit import hookspecs' is a module, too
                yield from (f"vadkit.{alias.name}" for alias in node.names if alias.name in RANKS)


def outside_type_checking(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        is_guard = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test)
        if not is_guard:
            yield child
            yield from outside_type_checking(child)


def part_of(module: str) -> str:
    return module.split(".")[1]


def part_of_file(path: Path) -> str:
    return path.relative_to(ROOT / "vadkit").parts[0].removesuffix(".py")


def edges() -> set[tuple[str, str, str]]:
    """Return (file, its part, imported part) for every import inside vadkit."""
    found = set()
    for path in CORE:
        for module in imports_of(path):
            if module.startswith("vadkit.") and path != ROOT / "vadkit" / "__init__.py":
                found.add((str(path.relative_to(ROOT)), part_of_file(path), part_of(module)))
    return found


def test_every_part_has_a_layer() -> None:
    parts = {part_of_file(path) for path in CORE} - {"__init__"}
    assert parts == RANKS.keys(), f"say where {parts ^ RANKS.keys()} belong"


def test_no_part_is_the_whole_house() -> None:
    lines = Counter({part: 0 for part in RANKS})
    for path in CORE:
        lines[part_of_file(path)] += len(path.read_text().splitlines())
    for part, count in lines.most_common():
        print(f"{count:6}  {count / lines.total():4.0%}  {part}")
    part, count = lines.most_common(1)[0]
    assert count <= 0.15 * lines.total(), f"{part} holds more than 15 % of the lines"


def test_imports_go_one_way() -> None:
    for rank, parts in reversed(list(enumerate(LAYERS))):
        print(f"{rank:2}  {'  '.join(parts)}")
    wrong = [(file, to) for file, part, to in sorted(edges()) if part != to and RANKS[to] >= RANKS[part]]
    assert not wrong, f"these import what is next to them or above: {wrong}"


def test_parts_do_not_import_in_a_circle() -> None:
    links = {(part, to) for _, part, to in edges() if part != to}
    left = {part for link in links for part in link}
    while left:
        ends = {part for part in left if not any(a == part and b in left for a, b in links)}
        assert ends, f"a circle among {sorted(left)}: {sorted(link for link in links if set(link) <= left)}"
        left -= ends


def test_only_the_engine_and_the_registry_know_mmengine() -> None:
    users = {part_of_file(path) for path in CORE for m in imports_of(path) if m.split(".")[0] == "mmengine"}
    assert users == {"engine", "registry"}
    assert not [p.name for p in PLUGINS for m in imports_of(p) if m.split(".")[0] == "mmengine"]


def test_the_core_imports_no_plugin() -> None:
    modules = {path.stem for path in PLUGINS}
    assert not [(path.name, m) for path in CORE for m in imports_of(path) if m.split(".")[0] in modules]


@pytest.mark.parametrize("path", PLUGINS, ids=lambda path: path.stem)
def test_a_plugin_stands_alone(path: Path) -> None:
    used = {m for m in imports_of(path) if m.split(".")[0].startswith("vadkit")}
    private = used - FOR_PLUGINS
    assert not private, f"a third party's copy of this file must not need {private}"


def test_every_plugin_file_has_its_entry_point() -> None:
    lines = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["vadkit"]
    assert lines == {path.stem.removeprefix("vadkit_"): path.stem for path in PLUGINS}
    assert all(path.stem.startswith("vadkit_") for path in PLUGINS)


READS_NOTHING = """
import importlib, json, logging, os, random, sys, warnings
import numpy as np, torch
import vadkit.testing
from mmengine.registry import MODELS, HOOKS, DATASETS
names, outside = json.loads(sys.argv[1]), json.loads(sys.argv[2])
for name in outside:  # what these read and change when they are first imported is not the plugin's doing
    importlib.import_module(name)
assert not set(names) & set(sys.modules)

def state():
    return {
        "environment": dict(os.environ), "sys.path": list(sys.path), "sys.meta_path": len(sys.meta_path),
        "torch seed": torch.initial_seed(), "torch random state": torch.get_rng_state().tolist(),
        "numpy random state": str(np.random.get_state()), "random state": random.getstate(),
        "threads": torch.get_num_threads(), "dtype": torch.get_default_dtype(), "warnings": list(warnings.filters),
        "logging": list(logging.getLogger().handlers), "grad": torch.is_grad_enabled(),
        "registries": [len(r.module_dict) for r in (MODELS, HOOKS, DATASETS)],
        "numpy errors": np.geterr(), "deterministic": torch.are_deterministic_algorithms_enabled(),
    }

opened = []
def watch(event, args):
    if event == "open" and not str(args[0]).endswith((".py", ".pyc")) and "__pycache__" not in str(args[0]):
        opened.append(args[0])
    if event in ("socket.connect", "subprocess.Popen", "os.system"):
        opened.append(event)
sys.addaudithook(watch)
before = state()
for name in names:
    opened.clear()
    importlib.import_module(name)
    now = state()
    changed = [key for key in now if now[key] != before[key]]
    before = now
    if opened or changed:
        print(name, "opened", opened, "changed", changed)
print("imported", len(names))
"""


def test_importing_a_plugin_reads_and_changes_nothing() -> None:
    names = [path.stem for path in PLUGINS]
    outside = sorted({m for path in PLUGINS for m in imports_of(path)} - set(names) - {"__future__"})
    words = [sys.executable, "-c", READS_NOTHING, json.dumps(names), json.dumps(outside)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300)
    assert done.stdout == f"imported {len(PLUGINS)}\n", done.stdout + done.stderr


COLD = """
import contextlib, io, sys
from vadkit.cli import main
with contextlib.redirect_stdout(io.StringIO()) as shown:
    code = main(sys.argv[1:])
print(code, len(shown.getvalue()) > 10, [name for name in {heavy} if name in sys.modules])
"""


@pytest.mark.parametrize("words", (["--help"], ["--version"], ["list", "configs"], ["list", "configs", "--json"]))
def test_it_starts_without_heavy_packages(words: list[str]) -> None:
    command = [sys.executable, "-c", COLD.format(heavy=HEAVY), *words]
    environment = {name: value for name, value in os.environ.items() if name != EXTRA}  # plugins of other tests
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.stdout == "0 True []\n", done.stdout + done.stderr


def hooks() -> list[str]:
    return [name for name, value in vars(hookspecs).items() if hasattr(value, "vadkit_spec")]


def test_hooks_are_described_and_tested() -> None:
    tests = (ROOT / "tests" / "test_plugins.py").read_text()
    assert len(hooks()) >= 2
    for name in hooks():
        assert len((getattr(hookspecs, name).__doc__ or "").split()) > 8, f"{name} has no description"
        assert f"def test_hook_{name}(" in tests


# -- what is never called --------------------------------------------------------------------------
FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
FORBIDDEN_CALLS = {"eval", "exec", "__import__", "yaml.unsafe_load", "yaml.full_load", "yaml.load_all", "os.system",
                   "torch.jit.load", "pandas.read_pickle", "Config.fromfile"}  # fmt: skip


def calls_of(path: Path) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def keyword(call: ast.Call, name: str) -> str | None:
    return next((ast.unparse(k.value) for k in call.keywords if k.arg == name), None)


@pytest.mark.parametrize("path", [*CORE, *PLUGINS], ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_unsafe_is_called(path: Path) -> None:
    assert not FORBIDDEN_MODULES & {m.split(".")[0] for m in imports_of(path)}
    for name, call in calls_of(path):
        where = f"{path.name}:{call.lineno}"
        assert name not in FORBIDDEN_CALLS, where
        if name == "torch.load":
            assert keyword(call, "weights_only") == "True", where
        if name == "yaml.load":
            loader = keyword(call, "Loader") or ast.unparse(call.args[1])
            assert "safe" in loader.lower() or "strict" in loader.lower(), where
        if name in ("np.load", "numpy.load"):
            assert keyword(call, "allow_pickle") in (None, "False"), where
        if name.split(".")[0] in ("subprocess",):
            assert keyword(call, "shell") in (None, "False"), where


def test_the_library_never_prints() -> None:
    printing = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path in [*CORE, *PLUGINS]
        if part(path) != "cli"
        for name, call in calls_of(path)
        if name in ("print", "sys.stdout.write", "sys.stderr.write")
    ]
    assert not printing


def part(path: Path) -> str:
    return part_of_file(path) if path in CORE else "plugins"


def test_sources_are_ascii() -> None:
    folders = ("vadkit", "plugins", "registry_configs", "tests", "benchmarks", ".ci")
    files = [
        path
        for folder in folders
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".yaml", ".toml", ".txt", ".md", ".sh") and "wrong" not in path.parts
    ]
    files += [ROOT / "README.md", ROOT / "pyproject.toml"]
    assert len(files) > 50
    assert not [str(path.relative_to(ROOT)) for path in files if not path.read_bytes().isascii()]


def test_no_star_imports_and_no_catch_all_files() -> None:
    stars = [
        path.name
        for path in [*CORE, *PLUGINS]
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ImportFrom) and node.names[0].name == "*"
    ]
    assert not stars
    assert not {"utils", "helpers", "common", "misc"} & {path.stem for path in [*CORE, *PLUGINS]}


def all_imports_of(path: Path) -> Iterator[str]:
    """Yield the modules of vadkit that a file imports, at any depth, and those for type checkers, too."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
            yield node.module


def test_no_two_test_files_have_the_same_name() -> None:
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name, times in names.items() if times > 1] == []  # pytest imports a file by its name alone


def test_files_do_not_import_in_a_circle() -> None:
    """Not even for type checkers. Packages are left out: they name what is below them, and load it when it is used."""
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in CORE if path.stem != "__init__"}
    links = {name: {found for found in all_imports_of(path) if found in names} for name, path in names.items()}
    while ends := {name for name, used in links.items() if not used & links.keys()}:
        links = {name: used for name, used in links.items() if name not in ends}
    assert not links, {name: used & links.keys() for name, used in links.items()}
