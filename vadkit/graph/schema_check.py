"""Check a config against the schema: unknown keys, values of the wrong type, keys that exclude one another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from vadkit.graph.schema import (
    BY_KEY,
    LARGEST,
    MANY,
    NAMED,
    NAMES_WILL_DO,
    ONE_OR_MANY,
    RECIPE_KEYS,
    SECTIONS,
    TEXT,
    TEXTS,
    TOP_KEYS,
    TRUTH,
    Row,
    Type,
    children,
    moved_key,
)
from vadkit.graph.source import Source, as_meant
from vadkit.graph.wording import say, shorten
from vadkit.problems import SHOWN, Note, Problem, Problems, did_you_mean, unknown

Path = tuple[str | int, ...]
MOST_ENTRIES = 500  # inputs, nodes or losses; the largest graph that comes with vadkit has 20
# What people write for data.args.root.
ROOT = ("root", "path", "dir", "folder", "store", "features")
FLATTERS = "val keeps the best on validation videos; test_best picks by the test videos themselves, so figures flatter"


def check_keys(source: Source) -> list[Problem]:
    """Return what is wrong with the keys and values of a config, as far as no component has a say in it.

    The config is a graph, or a recipe of rounds.
    """
    problems = Problems(source.place)
    if too_many(source, problems):
        return problems.found
    top = RECIPE_KEYS if is_recipe(source) else TOP_KEYS
    _unknown_keys(source, source.data, (), top, problems)
    source = source.as_meant(top)
    problems.locate = source.place
    about = source.data.get("about")
    if about is not None and not isinstance(about, str):
        problems.add(f"about must be text, got {say(about)}", ("about",))
    for section in NAMED:
        _check_entries(source, section, problems)
    for section in SECTIONS:
        if source.data.get(section) is not None:
            _check_mapping(source, source.data[section], (section,), problems)
    _check_together(source.data, problems)
    return [*(problem.settled() for problem in problems.found[:SHOWN]), *problems.found[SHOWN:]]


def is_recipe(source: Source) -> bool:
    """Return whether a config is a recipe of rounds, not a graph."""
    return "rounds" in source.data


def refuse_recipe(source: Source, problems: Problems) -> bool:
    """Note a recipe where a graph is needed."""
    if not is_recipe(source):
        return False
    hint = "'vadkit train' and 'vadkit build' take recipes; all else takes one of the configs that it trains"
    problems.add("this is a recipe of rounds, and a graph is needed", ("rounds",), hint, key=True)
    return True


def too_many(source: Source, problems: Problems) -> bool:
    """Note each section that has more entries than any graph; to check them all would take long."""
    found = [
        (section, len(entries))
        for section in NAMED
        if isinstance(entries := source.data.get(section), dict) and len(entries) > MOST_ENTRIES
    ]
    for section, count in found:
        said = f"the graph has {count:,} {section}; it can have at most {MOST_ENTRIES}"
        problems.add(said, (section,), "join several graphs, or repeat layers inside of a component", key=True)
    return bool(found)


def dotted(path: Path) -> str:
    """Return a path as ``--set`` takes it, fit for a message."""
    return ".".join(shorten(str(step), 40) for step in path)


def _pattern(path: Path) -> str:
    named, steps = path[:1] and path[0] in NAMED, list[str]()
    for i, step in enumerate(path):
        if not isinstance(step, int) or ".".join(steps) not in ONE_OR_MANY:
            steps.append("*" if isinstance(step, int) or (named and i == 1) else str(step))
    return ".".join(steps)


def _unknown_keys(
    source: Source, mapping: Mapping[str, Any], path: Path, known: Iterable[str], problems: Problems
) -> None:
    known = list(known)

    def hint(key: str) -> str | None:
        if "rounds" in known and key in TOP_KEYS:
            return "a recipe has rounds in place of a graph; this belongs in the configs that the rounds train"
        if path == ("data",) and key in ROOT:
            return "did you mean 'data.args.root'? --data DIR is short for it"
        moved = moved_key(key) if path[:1] not in [(name,) for name in NAMED] else None
        return f"did you mean '{moved}'?" if moved else unknown(key, known, "key").settled().hint

    for key in mapping:
        if key not in known:
            problems.add(f"unknown key '{dotted((*path, key))}'", (*path, key), partial(hint, key), key=True)


def _check_entries(source: Source, section: str, problems: Problems) -> None:
    """Check the keys of each input, node or loss. A shape of an input is checked by the compiler."""
    entries = source.data.get(section)
    if entries is None or entries == {}:
        return
    if not isinstance(entries, dict):
        problems.add(f"{section} must be {BY_KEY[section].type.says}, got {say(entries)}", (section,))
        return
    for name, entry in entries.items():
        if section != "inputs" or isinstance(entry, dict):
            _check_mapping(source, entry, (section, name), problems)


def _check_mapping(source: Source, mapping: object, path: Path, problems: Problems) -> None:
    known = children(_pattern(path))
    if not isinstance(mapping, dict):
        problems.add(f"{dotted(path)} must be a mapping, got {say(mapping)}", path, _mapping_hint(mapping, known))
        return
    _unknown_keys(source, mapping, path, known, problems)
    meant = as_meant(mapping, known)
    for key in known:
        if key in mapping:
            _check_value(source, mapping[key], (*path, key), problems)
        row = BY_KEY.get(f"{_pattern(path)}.{key}")
        if row and row.required and meant.get(key) is None:
            problems.add(f"{dotted(path)} needs '{key}': {row.meaning}", path, key=True)


def _mapping_hint(value: object, keys: list[str]) -> str | None:
    """``sampler: segment_mean`` is not a short form, but what it means is clear."""
    return f"write {{use: {value}}}" if "use" in keys and isinstance(value, str) and value.isidentifier() else None


def _check_value(source: Source, value: Any, path: Path, problems: Problems) -> None:
    pattern = _pattern(path)
    row = BY_KEY.get(pattern)
    if value is None:  # null means the default
        return
    if row and not row.type.accepts(value):
        _wrong(row, value, path, problems)
    elif isinstance(value, list) and (f"{pattern}.*" in MANY or pattern in ONE_OR_MANY):
        for i, item in enumerate(value):
            if not (isinstance(item, str) and pattern in NAMES_WILL_DO):
                _check_mapping(source, item, (*path, i), problems)
    elif children(pattern) and (row is None or isinstance(value, dict)):
        _check_mapping(source, value, path, problems)


def _wrong(row: Row, value: Any, path: Path, problems: Problems) -> None:
    """Note a value of the wrong type; of a list, each wrong item."""
    item, wrong = row.type.item, []
    if item is not None and isinstance(value, list):
        wrong = [(i, entry, item) for i, entry in enumerate(value) if not item.accepts(entry)]
    for i, entry, wanted in wrong:
        at = (*path, i)
        problems.add(f"{dotted(at)} must be {wanted.says}, got {say(entry)}", at, _value_hint(wanted, entry))
    if not wrong:
        null = f"{',' * (', ' in row.type.says)} or null" if row.null else ""
        said = f"{dotted(path)} must be {row.type.says}{null}, got {_got(row, value)}"
        hint = _mapping_hint(value, children(row.key)) or _value_hint(row.type, value)
        problems.add(said, path, FLATTERS if row.key == "train.select" else hint)


def _got(row: Row, value: Any) -> str:
    if isinstance(value, dict) and row.type is TEXTS:
        wrong = next(key for key, item in value.items() if not TEXTS.accepts({key: item}))
        return f"{say(value[wrong])} for '{shorten(wrong, 40)}'"
    return say(value)


def _value_hint(wanted: Type, value: Any) -> str | None:
    if isinstance(value, str) and wanted.says.startswith("one of"):
        return did_you_mean(value, wanted.says.removeprefix("one of ").split(", "))
    if isinstance(value, int) and not isinstance(value, bool) and value > LARGEST:
        return "implausibly large; check for an extra digit"
    if wanted is TRUTH and isinstance(value, str) and value.lower() in ("yes", "no", "on", "off"):
        return f"write {'true' if value.lower() in ('yes', 'on') else 'false'}"
    if wanted.says.startswith("a list") and isinstance(value, str):
        return f"write [{value}]"
    return None


# -- keys that depend on one another ------------------------------------------------------------
def _check_together(config: Mapping[str, Any], problems: Problems) -> None:
    train, data = config.get("train"), config.get("data")
    if isinstance(train, dict):
        _epochs_or_steps(train, problems)
        _patience(train, problems)
        if isinstance(config.get("nodes"), dict):
            _node_names(train, config["nodes"], problems)
    if isinstance(data, dict) and isinstance(data.get("streams"), dict) and isinstance(config.get("inputs"), dict):
        _streams(data["streams"], config["inputs"], problems)


def _epochs_or_steps(train: Mapping[str, Any], problems: Problems) -> None:
    if train.get("epochs") is not None and train.get("steps") is not None:
        note = Note("epochs is set here", problems.locate(("train", "epochs"), True))
        problems.add("train takes epochs or steps, not both", ("train", "steps"), notes=(note,), key=True)


def _patience(train: Mapping[str, Any], problems: Problems) -> None:
    if train.get("patience") is not None and train.get("select") in (None, "last"):
        hint = "add select: val; test_best stops by the test videos themselves, so its figures flatter"
        problems.add("train.patience needs an evaluation to wait for", ("train", "patience"), hint, key=True)


def _node_names(train: Mapping[str, Any], nodes: Mapping[str, Any], problems: Problems) -> None:
    seen: dict[str, Path] = {}
    shared = {name: _share(node) for name, node in nodes.items()}
    modules = {key or name: None for name, key in shared.items()}
    for path, name in _named_nodes(train):
        if name not in modules and shared.get(name):
            said = f"the weights of node '{name}' are shared under '{shared[name]}'"
            problems.add(said, path, f"write {shared[name]}")
        elif name not in modules:
            where, place = f"in {dotted(path[:-1])}", problems.locate(path, False)
            problems.found.append(unknown(name, modules, "node", where, place))
        elif path[1] == "groups" and name in seen:
            note = Note("the first is here", problems.locate(seen[name], False))
            problems.add(f"node '{name}' is in two groups", path, notes=(note,))
        elif path[1] == "groups":
            seen[name] = path


def _share(node: Any) -> str | None:
    share = node.get("share") if isinstance(node, dict) else None
    return share if isinstance(share, str) else None


def _named_nodes(train: Mapping[str, Any]) -> list[tuple[Path, str]]:
    groups = train.get("groups") if isinstance(train.get("groups"), list) else []
    places: list[tuple[Path, Any]] = [(("train", "groups", i), group) for i, group in enumerate(groups or [])]
    warm = train.get("warm_start")
    places += [(("train", "warm_start", i), entry) for i, entry in enumerate(warm if isinstance(warm, list) else [])]
    places.append((("train", "warm_start"), warm))
    found = []
    for path, mapping in places:
        names = mapping.get("nodes") if isinstance(mapping, dict) else None
        if isinstance(names, list):
            found += [((*path, "nodes", i), name) for i, name in enumerate(names) if isinstance(name, str) and name]
    blend = train.get("blend") if isinstance(train.get("blend"), list) else []
    for i, entry in enumerate(blend or []):
        for key in ("into", "from") if isinstance(entry, dict) else ():
            if TEXT.accepts(entry.get(key)):
                found.append((("train", "blend", i, key), entry[key]))
    return found


def _streams(streams: Mapping[str, Any], inputs: Mapping[str, Any], problems: Problems) -> None:
    wrong = [name for name in streams if name not in inputs]
    for name in wrong:
        place = problems.locate(("data", "streams", name), True)
        problems.found.append(unknown(name, inputs, "input", "in data.streams", place))
    for name in inputs if not wrong else ():
        if name not in streams:
            hint = f"add {name}: STREAM, or leave streams out if the names are the same"
            problems.add(f"data.streams does not map input '{name}'", ("data", "streams"), hint, key=True)
