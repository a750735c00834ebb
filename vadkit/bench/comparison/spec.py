"""The variants of a graph to compare, from swapping one node's component or from a spec file."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vadkit import files
from vadkit.graph.compiler import compile_plan
from vadkit.graph.load import load_config
from vadkit.graph.plan import Plan
from vadkit.graph.yaml_reader import read_text
from vadkit.plugin_manager import load_plugins
from vadkit.problems import Problem, VadkitError, did_you_mean, fail

KEYS = ("about", "config", "set", "seeds", "variants")


@dataclass(frozen=True)
class Variant:
    """One row of the table: a graph and the changes to it, in which ``{seed}`` is replaced by each run's seed."""

    name: str
    config: str
    sets: tuple[str, ...] = ()

    def plan(self) -> Plan:
        """Return the checked graph. Raises VadkitError."""
        plugins = load_plugins()
        return compile_plan(load_config(self.config, self.sets, plugins.config_folders), plugins)


@dataclass(frozen=True)
class Suite:
    """The variants, the seeds each is trained with, a sentence about the comparison, and the file that describes it."""

    about: str
    variants: tuple[Variant, ...]
    seeds: tuple[int, ...]
    inputs: tuple[Path, ...] = ()

    def check(self) -> dict[str, Plan]:
        """Return every variant's checked graph by name. Raises VadkitError with the problems of all variants."""
        plans, problems = {}, []
        for variant in self.variants:
            try:
                plans[variant.name] = variant.plan()
            except VadkitError as error:
                problems += [
                    Problem(f"variant '{variant.name}': {p.message}", p.place, p.hint, p.notes) for p in error.problems
                ]
        if problems:
            raise VadkitError(problems)
        return plans


def swap(config: str, node: str, components: Sequence[str], sets: Sequence[str], seeds: int) -> Suite:
    """Return a suite in which ``node`` uses each of ``components`` in turn."""
    names = list(dict.fromkeys(c.strip() for c in components if c.strip()))
    if not names:
        fail("--with lists no component", "for example --with tca,gl_mhsa,transformer")
    variants = [Variant(name, config, (*sets, f"nodes.{node}.use={name}")) for name in names]
    return Suite(f"node {node} of {config}", tuple(variants), tuple(range(seeds)))


def from_file(path: Path, sets: Sequence[str], seeds: int | None) -> Suite:
    """Return the suite that a spec file describes. Raises VadkitError."""
    data = _read(path)
    variants = data.get("variants")
    if not isinstance(variants, dict) or not variants:
        fail(f"{path}: variants must be a mapping of names", "for example variants: {tca: {set: [...]}}")
    found = [_variant(path, data, str(name), value, sets) for name, value in variants.items()]
    count = data.get("seeds", 3) if seeds is None else seeds
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= 100:
        fail(f"{path}: seeds must be a whole number from 1 to 100, got {count!r}")
    return Suite(str(data.get("about", path.stem)), tuple(found), tuple(range(count)), (path,))


def _read(path: Path) -> dict[str, Any]:
    try:
        text = files.read_text(path)
    except OSError as error:
        fail(f"cannot read {path}: {error.strerror}")
    except UnicodeDecodeError as error:
        fail(f"{path}: is not UTF-8 text (byte {error.start})")
    reading = read_text(text, str(path))
    if reading.problems:
        raise VadkitError(reading.problems)
    data = reading.tree.plain() if reading.tree else None
    if not isinstance(data, dict):
        fail(f"{path}: a spec is a mapping with config, variants and seeds")
    _known(path, data, KEYS)
    return data


def _variant(path: Path, data: dict[str, Any], name: str, value: Any, sets: Sequence[str]) -> Variant:
    value = value or {}
    if not isinstance(value, dict):
        fail(f"{path}: variant '{name}' must be a mapping with config and set")
    _known(path, value, ("config", "set"))
    config = value.get("config", data.get("config"))
    if not isinstance(config, str):
        fail(f"{path}: variant '{name}' has no config", "give one to the variant or to the whole file")
    local = path.parent / config  # a path in the spec is relative to it
    changes = [*_texts(path, data.get("set")), *_texts(path, value.get("set")), *sets]
    return Variant(name, str(local) if local.is_file() else config, tuple(changes))


def _texts(path: Path, value: Any) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        fail(f"{path}: set must be a list of texts such as nodes.context.use=tca")
    return list(value)


def _known(path: Path, data: dict[str, Any], keys: Iterable[str]) -> None:
    for key in data:
        if key not in keys:
            fail(f"{path}: unknown key '{key}'", did_you_mean(str(key), keys))


def fingerprint(plan: Plan) -> str:
    """Return eight letters that change when anything about the graph or its training does."""
    return hashlib.sha256(json.dumps(plan.spec, sort_keys=True).encode()).hexdigest()[:8]


def folder_name(variant: Variant, plan: Plan) -> str:
    """Return a folder name that is safe and unique to this variant."""
    plain = re.sub(r"[^A-Za-z0-9]+", "-", variant.name).strip("-").lower()[:40] or "variant"
    return f"{plain}-{fingerprint(plan)}"
