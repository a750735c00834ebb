"""The authors' checkpoint as a model of ours: read without running code, translated, checked, all faults at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from vadkit.backbones.weights import read_weights
from vadkit.graph.wording import shorten
from vadkit.problems import Later, Problem, VadkitError, fail, nearest
from vadkit.systems.names_table import Names

IDLE = "num_batches_tracked"  # counts steps; no score depends on it


@dataclass
class Imported:
    """What an import took over: tensors of ours by name, and what the authors never use."""

    state: dict[str, Tensor] = field(default_factory=dict)
    unused: list[str] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)  # file -> prefix

    def __str__(self) -> str:
        values = sum(tensor.numel() for tensor in self.state.values())
        dropped = f"; {len(self.unused)} that the authors never use were left out" if self.unused else ""
        return f"{len(self.state)} tensors ({values:,} values){dropped}"


@dataclass
class _Given:
    """A tensor under its official name, and the file that it is from."""

    file: str
    name: str
    tensor: Tensor

    @property
    def where(self) -> str:
        return f"{self.file}: '{shorten(self.name, 200)}'"


def translate(names: Names, files: Sequence[str], wanted: Mapping[str, Tensor]) -> Imported:
    """Return the tensors of official ``files`` under our names. ``wanted`` is the state dict of our model.

    A file is a path, or PREFIX=PATH. Raises VadkitError with everything that is unknown, missing, of another shape or
    contradictory.
    """
    found, prefixes = _read(names, files)
    problems: list[Problem] = []
    result = Imported(files=prefixes)
    taken: set[str] = set()
    unknown: list[_Given] = []
    aliases: list[tuple[_Given, str]] = []
    for given in found.values():
        name = names.find(given.name)
        if name is not None and name.alias is not None:
            aliases.append((given, name.alias))
        elif name is not None and (name.ours is None or (name.optional and name.ours not in wanted)):
            result.unused.append(given.name)
        elif name is None or name.ours is None or name.ours not in wanted:
            unknown += [] if given.name.endswith(IDLE) else [given]
        else:
            taken.add(name.ours)
            problems += _fit(given, name.ours, name.transposed, wanted[name.ours], result.state)
    problems += _aliases(aliases, found, names, wanted, result.state)
    missing = [own for own in wanted if own not in {*taken, *result.state} and not own.endswith(IDLE)]
    problems += _unmatched(unknown, missing, names, wanted)
    if problems:
        raise VadkitError(problems)
    return result


def _read(names: Names, files: Sequence[str]) -> tuple[dict[str, _Given], dict[str, str]]:
    found: dict[str, _Given] = {}
    prefixes: dict[str, str] = {}
    for entry in files:
        prefix, path = _prefix(names, entry)
        prefixes[path] = prefix
        for plain, tensor in read_weights(path).items():
            name = prefix + plain.removeprefix("module.")
            if name in found:
                hint = "give each file its prefix, as PREFIX=FILE" if found[name].file != path else None
                fail(f"{path}: '{shorten(name, 200)}' is also in {found[name].file}", hint)
            found[name] = _Given(path, name, tensor)
    return found, prefixes


def _prefix(names: Names, entry: str) -> tuple[str, str]:
    """Return the prefix and the path of "FILE" or "PREFIX=FILE"; a file of the table has its own."""
    prefix, equals, path = entry.partition("=")
    if equals and not Path(entry).exists():
        return (prefix if prefix.endswith(".") or not prefix else f"{prefix}."), path
    return names.files.get(Path(entry).name, ""), entry


def _fit(given: _Given, own: str, transposed: bool, wanted: Tensor, state: dict[str, Tensor]) -> list[Problem]:
    """Add a tensor of theirs to the state under our name, or say why it does not fit."""
    tensor, where = given.tensor, given.where
    if transposed and tensor.dim() == 2:
        tensor = tensor.t()
    if own in state:
        return [Problem(f"{where} is a second one for our '{own}'")]
    if not same_layout(tensor.shape, wanted.shape):
        needed = wanted.t() if transposed and wanted.dim() == 2 else wanted
        said = f"{_size(given.tensor)}, and {_size(needed)} is needed for our"
        return [Problem(f"{where} is {said} '{own}'", hint="the graph has another size; see its arguments")]
    if tensor.is_complex() or tensor.is_floating_point() and not bool(tensor.isfinite().all()):
        return [Problem(f"{where} holds numbers that are not finite, for our '{own}'")]
    state[own] = tensor.reshape(wanted.shape).to(wanted.dtype).contiguous()
    return []


def same_layout(one: Sequence[int], other: Sequence[int]) -> bool:
    """Return whether two shapes are the same but for axes of size 1."""
    return [n for n in one if n != 1] == [n for n in other if n != 1]


def _size(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "a number"


def _aliases(
    aliases: list[tuple[_Given, str]],
    found: Mapping[str, _Given],
    names: Names,
    wanted: Mapping[str, Tensor],
    state: dict[str, Tensor],
) -> list[Problem]:
    """Compare tensors that are registered twice. Where a file has only the second name, that one counts."""
    problems = []
    for given, target in aliases:
        other = found.get(target)
        name = names.find(target)
        if other is not None and not torch.equal(given.tensor, other.tensor):
            said = "holds other numbers than"
            problems.append(Problem(f"{given.where} {said} '{target}'", hint="they are one tensor"))
        elif other is None and name is not None and name.ours is not None and name.ours not in state:
            problems += _fit(given, name.ours, name.transposed, wanted[name.ours], state)
    return problems


def _unmatched(unknown: list[_Given], missing: list[str], names: Names, wanted: Mapping[str, Tensor]) -> list[Problem]:
    """Say which names are left over on either side, each with the nearest on the other."""
    official = {own: names.official(own) for own in missing}
    theirs = [name for name in official.values() if name is not None]
    known = theirs or [name for name in map(names.official, wanted) if name is not None]
    left = [given.name for given in unknown]
    remark = "is missing" if theirs else "is its weight"

    def near(name: str, among: list[str], said: str) -> Later:
        def hint() -> str | None:
            found = nearest(name, among)
            return said.format(shorten(found, 200)) if found else None

        return hint

    problems = []
    for given in unknown:
        hint = near(given.name, known, f"'{{}}' {remark}")
        problems.append(Problem(f"{given.where} is not a weight of this graph", later=hint))
    for own, name in official.items():
        if name is None:
            problems.append(Problem(f"our '{own}' has no official name in the table of names"))
        else:
            problems.append(Problem(f"'{name}' is missing: it is our '{own}'", later=near(name, left, "there is '{}'")))
    return problems
