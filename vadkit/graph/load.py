"""Find and read a config: names and paths, ``extends``, overrides."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vadkit.files import read_bytes
from vadkit.graph import former_keys
from vadkit.graph.dict_reader import ROOT, read_dict
from vadkit.graph.merge import Log, apply_sets, merge
from vadkit.graph.source import Key, Source
from vadkit.graph.wording import one_line, say, shorten
from vadkit.graph.yaml_reader import Reading, Tree, read_text
from vadkit.plugin_manager import CARDS, RESULTS
from vadkit.problems import Note, Place, Problem, VadkitError, did_you_mean

SUFFIXES = (".yaml", ".yml")
BYTES = 64 * 1024  # more than ten times the largest config; a larger file is a mistake and takes long to parse
CHAIN = 50  # files that extend one another, or that one file extends


def load_config(
    config: str | Path | dict[str, Any],
    sets: Sequence[str] = (),
    folders: Sequence[Path] = (),
    named_at: Place | None = None,
) -> Source:
    """Read a config, what it extends, and apply the overrides ``sets`` (``key.path=value``).

    ``config`` is a path, a name to look for in the current folder and in ``folders`` (and their
    sub-folders), or the content as a dict. If another file names it, at the place ``named_at``, it is looked for as
    what that file extends would be. Raises VadkitError with every problem found.
    """
    loader = _Loader(folders)
    tree = loader.dict(config) if isinstance(config, dict) else loader.named(str(config), named_at)
    if not loader.problems and tree is not None:
        _drop_empty(tree)
        apply_sets(tree, list(sets), loader.log)
    if loader.problems or tree is None:
        raise VadkitError(loader.problems)
    source = Source(tree.plain(), files=loader.files, deleted=loader.log.deleted)
    _note_places(source, tree, ())
    return source


def _drop_empty(tree: Tree) -> None:
    """``losses:`` without a value is the same as no ``losses``."""
    assert isinstance(tree.value, dict)
    tree.value = {key: child for key, child in tree.value.items() if child.value is not None}


def _note_places(source: Source, tree: Tree, path: Key) -> None:
    source.places[path] = tree.place
    if tree.key_place:
        source.key_places[path] = tree.key_place
    children = enumerate(tree.value) if isinstance(tree.value, list) else ()
    if isinstance(tree.value, dict):
        children = tree.value.items()  # type: ignore[assignment]
    for key, child in children:
        _note_places(source, child, (*path, key))


def shown(path: str | Path) -> str:
    """Return a path as its user would write it: relative to the current folder if it is inside."""
    real, here = os.path.realpath(path), os.path.realpath(os.curdir)
    inside = os.path.relpath(real, here) if real.startswith(here.rstrip(os.sep) + os.sep) else None
    return inside or str(path)


class _Loader:
    """Reads the files of one ``load_config`` call, each once."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = [Path(folder) for folder in folders]
        self.log = Log()
        self.problems = self.log.problems
        self.files: list[str] = []
        self.layers: dict[str, list[tuple[str, Tree]]] = {}  # a file, and what it extends goes before it

    def named(self, name: str, place: Place | None = None) -> Tree | None:
        """Return the merged tree of the config that the user, or a file at a place, asked for."""
        in_file = place is not None and place.column > 0 and os.path.isfile(place.file)
        found = self._find(name, Path(place.file).parent if place and in_file else Path(os.curdir), place)
        return self._merged(self._file(found, ())) if found else None

    def dict(self, config: dict[str, Any]) -> Tree | None:
        """Return the merged tree of a dict."""
        self.files.append(ROOT)
        return self._merged(self._layers(read_dict(config), ROOT, Path(os.curdir), ()))

    def _merged(self, layers: list[tuple[str, Tree]]) -> Tree | None:
        merged: Tree | None = None
        for _, layer in layers:
            merged = layer if merged is None else merge(merged, layer, self.log)
        return merged

    def _file(self, path: Path, chain: tuple[str, ...]) -> list[tuple[str, Tree]]:
        real = os.path.realpath(path)
        if real not in self.layers:
            name = shown(path)
            self.files.append(name)
            reading = _read_file(path, name)
            self.layers[real] = self._layers(reading, name, path.parent, (*chain, real))
        return self.layers[real]

    def _layers(self, reading: Reading, name: str, folder: Path, chain: tuple[str, ...]) -> list[tuple[str, Tree]]:
        """Return what was read and, before it, what it extends: every file once, at its first place.

        So two files that extend the same third one can be extended together: the third is below both
        and does not undo what the first of them changed.
        """
        self.problems += reading.problems
        tree = reading.tree
        if tree is None or not isinstance(tree.value, dict):
            if not reading.problems:
                self.problems.append(_not_a_config(tree, name))
            return []
        former_keys.rename(tree)
        extends = tree.value.pop("extends", None)
        layers: dict[str, Tree] = {}
        for entry in self._entries(extends):
            for file, layer in self._base(entry, folder, chain):
                layers.setdefault(file, layer)
        return [*layers.items(), (chain[-1] if chain else name, tree)]

    def _entries(self, extends: Tree | None) -> list[Tree]:
        if extends is None or extends.value is None:
            return []
        entries = extends.value if isinstance(extends.value, list) else [extends]
        if len(entries) > CHAIN:
            said = f"extends names {len(entries):,} files; it can name at most {CHAIN}"
            self.problems.append(Problem(said, extends.place))
            return []
        for entry in entries:
            if not isinstance(entry.value, str):
                said = f"extends must be the name of a config or a list of names, got {say(entry.plain())}"
                self.problems.append(Problem(said, entry.place))
        return [entry for entry in entries if isinstance(entry.value, str)]

    def _base(self, entry: Tree, folder: Path, chain: tuple[str, ...]) -> list[tuple[str, Tree]]:
        found = self._find(str(entry.value), folder, entry.place)
        if found is None:
            return []
        real = os.path.realpath(found)
        if real in chain:
            names = [shown(path) for path in (*chain[chain.index(real) :], real)]
            self.problems.append(Problem(f"extends cycle: {' -> '.join(names)}", entry.place))
            return []
        if len(chain) >= CHAIN:
            self.problems.append(Problem(f"more than {CHAIN} files extend one another", entry.place))
            return []
        return self._file(found, chain)

    def _find(self, name: str, folder: Path, place: Place | None) -> Path | None:
        """Return the file that ``name`` means. ``place`` is that of the ``extends``, if it is one."""
        suffix = os.path.splitext(name)[1]
        if suffix in (".safetensors", ".pt", ".pth", ".ckpt", ".onnx", ".json", ".py", ".toml"):
            self.problems.append(_wrong_suffix(name, place))
            return None
        found = self._candidates(name, folder, place)
        different = _without_copies(found)
        if len(different) > 1:
            self.problems.append(_ambiguous(name, different, place))
        elif not different:
            self.problems.append(self._unknown(name, folder, place))
        return different[0] if len(different) == 1 else None

    def _candidates(self, name: str, folder: Path, place: Place | None) -> list[Path]:
        """A path means one file. A bare name is looked for everywhere and must be unique."""
        files = [name] if name.endswith(SUFFIXES) else [name + suffix for suffix in SUFFIXES]
        is_bare = os.path.basename(name) == name and not name.endswith(SUFFIXES)
        near = [folder / file for file in files if os.path.isfile(folder / file)]
        if near and not is_bare:
            return near
        far = [folder / file for folder in self._places() for file in files]
        found = [path for path in far if os.path.isfile(path)] + near
        if found or place is None:
            return found
        # What a file extends must not depend on the current folder, so this comes last.
        return [Path(file) for file in files if os.path.isfile(file)]

    def _places(self) -> list[Path]:
        """Return the folders for configs and, sorted, all folders in them."""
        places = []
        for folder in self.folders:
            places.append(folder)
            none = [folder / CARDS, folder / RESULTS]
            inner = (Path(root, name) for root, names, _ in os.walk(folder) for name in names)
            places += sorted(path for path in inner if path not in none and path.parent not in none)
        return places

    def _unknown(self, name: str, folder: Path, place: Place | None) -> Problem:
        if os.path.isdir(folder / name):
            return Problem(f"'{shorten(name)}' is a folder", place, "name a file in it")
        notes = [Note("looked in the current folder")]
        if place is not None and os.path.realpath(folder) != os.path.realpath(os.curdir):
            notes.append(Note(f"looked next to the file that extends it, in {shown(folder)}"))
        notes += [Note(f"looked in {shown(folder)} and its sub-folders") for folder in self.folders]
        hint = did_you_mean(os.path.splitext(os.path.basename(name))[0], self._known((folder / name).parent))
        if any(os.path.isfile(folder / CARDS / f"{name}.yaml") for folder in self.folders):  # also for long names
            hint = f"it is a system of several graphs: see 'vadkit models info {name}'"
        what = "file" if name.endswith(SUFFIXES) or os.path.basename(name) != name else "config"
        return Problem(f"no {what} '{shorten(name, 300)}'", place, hint, tuple(notes))

    def _known(self, folder: Path) -> set[str]:
        folders = [Path(os.curdir), folder, *self._places()]
        files = [file for folder in folders if os.path.isdir(folder) for file in os.listdir(folder)]
        return {os.path.splitext(file)[0] for file in files if file.endswith(SUFFIXES)}


def _without_copies(found: list[Path]) -> list[Path]:
    """Return the first of each set of files with the same bytes.

    In a clone next to an installed vadkit every config exists twice.
    """
    files = list({os.path.realpath(path): path for path in found}.values())
    if len(files) < 2:
        return files
    with contextlib.suppress(OSError):
        files = list({path.read_bytes(): path for path in reversed(files)}.values())[::-1]
    return files


def _wrong_suffix(name: str, place: Place | None) -> Problem:
    hint = "a config ends in .yaml or .yml"
    if name.endswith(".safetensors"):
        hint = "this looks like a trained model; vadkit.load and --model open those"
    return Problem(f"'{shorten(name)}' is not a YAML file", place, hint)


def _ambiguous(name: str, found: list[Path], place: Place | None) -> Problem:
    notes = tuple(Note(f"here: {shown(path)}") for path in found)
    hint = "give the path of the one you mean"
    return Problem(f"there are {len(found)} configs '{shorten(name)}'", place, hint, notes)


def _not_a_config(tree: Tree | None, name: str) -> Problem:
    hint = "a config needs at least inputs, nodes and output, or extends"
    if tree is None or tree.value is None:
        return Problem("the file is empty", Place(name, 1, 1), hint)
    what = "a list" if isinstance(tree.value, list) else say(tree.value)
    return Problem(f"a config is a mapping of keys to values, and this is {what}", tree.place, hint)


def _read_file(path: Path, name: str) -> Reading:
    """Read one file, or say why it cannot be read."""
    place = Place(name, 1, 1)
    try:
        size = os.path.getsize(path)
        raw = read_bytes(path) if size <= BYTES else b""
    except OSError as error:
        return Reading(None, [Problem(f"the file cannot be read: {error.strerror}", place)])
    if size > BYTES:
        said = f"the file has {size:,} bytes; a config has at most {BYTES:,}"
        return Reading(None, [Problem(said, place)])
    try:
        return read_text(raw.decode("utf-8-sig"), name)
    except UnicodeDecodeError as error:
        said = f"the file is not UTF-8 text: byte 0x{raw[error.start]:02x}"
        return Reading(None, [Problem(said, _byte_place(raw, error.start, name), "save it as UTF-8")])


def _byte_place(raw: bytes, index: int, name: str) -> Place:
    start = raw.rfind(b"\n", 0, index) + 1
    line = one_line(raw[start:].split(b"\n", 1)[0].decode("utf-8", "replace").replace("\ufffd", "?"))
    column = len(raw[start:index].decode("utf-8", "replace")) + 1
    return Place(name, raw.count(b"\n", 0, index) + 1, column, line)
