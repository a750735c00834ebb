"""The keys of a config: one table with type, default and meaning of all of ``data``, ``train`` and ``eval``.

The table drives the checks, the defaults and the documentation. ``inputs``, ``nodes``, ``losses``
and ``output`` depend on components and are checked by the compiler.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

from vadkit.graph.source import Source
from vadkit.graph.wording import say
from vadkit.problems import Note, Problem, nearest

TOP_KEYS = ("extends", "about", "inputs", "nodes", "losses", "output", "data", "train", "eval")
SET_KEYS = TOP_KEYS[1:]
SECTIONS = ("data", "train", "eval")
LARGEST = 2**31 - 1
Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Type:
    """What a value must be: ``says`` completes 'must be ...'."""

    says: str
    accepts: Callable[[Any], bool]
    item: Type | None = None  # of a list


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def number(says: str, low: float = -inf, high: float = inf, open_low: bool = False, open_high: bool = False) -> Type:
    """A number from ``low`` to ``high``, without the ends that are ``open``."""

    def accepts(value: Any) -> bool:
        if not _is_number(value) or (open_low and value == low) or (open_high and value == high):
            return False
        return bool(low <= value <= high)

    return Type(f"a number {says}", accepts)


def whole(says: str, low: int, high: int = LARGEST) -> Type:
    """A whole number from ``low`` to ``high``."""
    return Type(
        f"a whole number {says}",
        lambda value: isinstance(value, int) and not isinstance(value, bool) and low <= value <= high,
    )


def choice(*names: str) -> Type:
    """One of a few words."""
    return Type(f"one of {', '.join(names)}", lambda value: isinstance(value, str) and value in names)


def many(item: Type, says: str, count: int | None = None, least: int = 0) -> Type:
    """A list of ``item``."""

    def accepts(value: Any) -> bool:
        if not isinstance(value, list) or len(value) < least or count not in (None, len(value)):
            return False
        return all(item.accepts(entry) for entry in value)

    return Type(says, accepts, item)


TEXT = Type("text", lambda value: isinstance(value, str) and bool(value))
TRUTH = Type("true or false", lambda value: isinstance(value, bool))
POSITIVE = number("above 0", 0, open_low=True)
NOT_NEGATIVE = number("of 0 or more", 0)
SHARE = number("from 0 to below 1", 0, 1, open_high=True)
COUNT = whole("above 0", 1)
NAMES = many(TEXT, "a list of node names", least=1)
MAPPING = Type("a mapping", lambda value: isinstance(value, dict))
TEXTS = Type(
    "a mapping of text to text",
    lambda value: isinstance(value, dict) and all(TEXT.accepts(item) for item in value.values()),
)
RULES = ("adam", "adamw", "nadam", "sgd")
SCHEDULES = ("constant", "cosine", "step", "linear")
ADAM = RULES[:3]


@dataclass(frozen=True)
class Row:
    """One key. ``only`` are the values of the neighbouring ``name`` for which it has a meaning."""

    key: str
    type: Type
    default: Any
    meaning: str
    null: bool = False
    required: bool = False
    only: tuple[str, ...] = ()


# A star stands for every entry of a list.
ROWS = (
    Row("data.use", TEXT, "feature_store", "the dataset component that knows videos and features"),
    Row("data.args", MAPPING, {}, "arguments of the dataset, such as the root of the store"),
    Row("data.streams", TEXTS, None, "input of the graph: stream of the dataset; null is the same names",
        null=True),
    Row("data.sampler.use", TEXT, "uniform_pad", "the sampler that brings a video to training length"),
    Row("data.sampler.args", MAPPING, {}, "arguments of the sampler"),
    Row("data.batch", COUNT, 32, "bags of each class (normal, abnormal) in a step"),
    Row("data.paired", TRUTH, True, "as many normal as abnormal bags in a step; false draws from all videos"),
    Row("data.crops", choice("each", "first", "all"), "each",
        "in training: every crop is a bag of its own, only the first, or all as one bag"),
    Row("data.prompts", TEXT, None, "path of the .npy file (classes, dim) of class text vectors", null=True),
    Row("data.several_classes", choice("first", "mean"), "first",
        "the prompt of a video of several classes: that of its first one, or the mean of all"),
    Row("data.val_fraction", number("above 0, below 1", 0, 1, True, True), 0.2,
        "share of the training videos that select: val sets aside where the data set has no split 'val'"),
    Row("data.workers", whole("of 0 or more", 0, 1024), 2, "threads that fill batches; 0 reads in step"),
    Row("train.epochs", COUNT, 20, "passes over the training videos; or give steps", null=True),
    Row("train.steps", COUNT, None, "optimiser steps in all; or give epochs", null=True),
    Row("train.seed", whole("of 0 or more", 0, 2**32 - 1), 0, "seed of weights, order and noise"),
    Row("train.optimizer.name", choice(*RULES), "adam", "the update rule"),
    Row("train.optimizer.lr", POSITIVE, 1e-4, "learning rate"),
    Row("train.optimizer.weight_decay", NOT_NEGATIVE, 0.0, "weight decay"),
    Row("train.optimizer.betas", many(SHARE, "a list of two numbers from 0 to below 1", 2), [0.9, 0.999],
        "decay of the two moments", only=ADAM),
    Row("train.optimizer.momentum", SHARE, 0.9, "momentum", only=("sgd",)),
    Row("train.groups", Type("a list of mappings", lambda value: isinstance(value, list)), [],
        "nodes that learn at a rate of their own"),
    Row("train.groups.*.nodes", NAMES, None, "names of the nodes of the group", required=True),
    Row("train.groups.*.lr", NOT_NEGATIVE, None, "their learning rate; 0 freezes; null is the optimizer's",
        null=True),
    Row("train.groups.*.weight_decay", NOT_NEGATIVE, None, "their weight decay; null is the optimizer's",
        null=True),
    Row("train.schedule.name", choice(*SCHEDULES), "constant", "how the learning rate moves"),
    Row("train.schedule.warmup", whole("of 0 or more", 0), 0, "steps of linear rise at the start"),
    Row("train.schedule.end_factor", number("from 0 to 1", 0, 1), 0.0,
        "learning rate at the end, as a factor", only=("cosine", "linear")),
    Row("train.schedule.span", COUNT, None, "epochs over which the curve is laid; null is the whole run",
        null=True, only=("cosine", "linear")),
    Row("train.schedule.per", choice("step", "epoch"), "step", "how often the rate moves", only=SCHEDULES[1:]),
    Row("train.schedule.milestones", many(COUNT, "a list of whole numbers above 0"), [],
        "steps at which the rate drops", only=("step",)),
    Row("train.schedule.gamma", number("above 0, at most 1", 0, 1, open_low=True), 0.1,
        "factor of each drop", only=("step",)),
    Row("train.warm_start", MAPPING, None, "weights to begin with", null=True),
    Row("train.warm_start.file", TEXT, None, "path of the model file (.safetensors)", required=True),
    Row("train.warm_start.nodes", NAMES, None, "nodes that take its weights; null is all it has", null=True),
    Row("train.precision", choice("fp32", "tf32", "bf16", "fp16"), "fp32",
        "number format of the forward pass; tf32 is faster and coarser float32 on GPUs"),
    Row("train.accumulate", COUNT, 1, "batches per optimiser step"),
    Row("train.ema", number("above 0, below 1", 0, 1, True, True), None,
        "decay of the running mean of weights; null is off", null=True),
    Row("train.clip_grad", POSITIVE, None, "largest norm of the gradient; null is off", null=True),
    Row("train.select", choice("last", "val", "test_best"), "last",
        "which weights are kept; test_best flatters and is labelled so"),
    Row("train.evaluate_every", COUNT, None,
        "steps between evaluations; null is every epoch, or with select: last only the end", null=True),
    Row("train.log", many(choice("jsonl", "tensorboard"), "a list of jsonl, tensorboard"), ["jsonl"],
        "logs to write"),
    Row("train.deterministic", TRUTH, True,
        "same seed, same device, same weights; what cannot keep that is refused"),
    Row("eval.metric", choice("ap", "auc", "ap_trapezoid"), "ap", "the figure to select by"),
    Row("eval.post", Type("a list of mappings", lambda value: isinstance(value, list)), [],
        "postprocess components, applied in order"),
    Row("eval.post.*.use", TEXT, None, "the postprocess component", required=True),
    Row("eval.post.*.args", MAPPING, {}, "its arguments"),
    Row("eval.threshold", number("from 0 to 1", 0, 1), 0.5, "score above which a snippet alarms"),
    Row("eval.split", choice("train", "val", "test"), "test", "the videos to measure on"),
    Row("eval.tail", choice("real", "full"), "real",
        "a last snippet counts with the frames that the video has, or in full as in published label vectors"),
    Row("eval.crops", choice("mean", "first"), "mean",
        "scores of a video's crops: averaged, or only the first"),
)  # fmt: skip
BY_KEY = {row.key: row for row in ROWS}
OPTIONAL = {"train.warm_start"}  # absent unless written; its rows below have no say then


def schema_rows() -> list[tuple[str, str, str, str]]:
    """Return (key, type, default, meaning) of every key, for the documentation."""
    rows = []
    for row in ROWS:
        kind = row.type.says + (" or null" if row.null else "")
        if row.only:
            kind += f" (for {', '.join(row.only)})"
        default = "required" if row.required else "null" if row.default is None else say_default(row.default)
        rows.append((row.key.replace(".*", "[]"), kind, default, row.meaning))
    return rows


def say_default(value: Any) -> str:
    """Return a default as YAML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "[" + ", ".join(map(str, value)) + "]" if isinstance(value, list) else str(value)


def unknown_keys(source: Source, path: Path, known: Iterable[str], what: str = "key") -> list[Problem]:
    """Return a problem for each key of the mapping at ``path`` that is not ``known``."""
    mapping: Any = source.data
    for step in path:
        mapping = mapping[step]
    known = list(known)
    problems = []
    for key in mapping:
        if key not in known:
            close = _moved(key, path) or nearest(key, known)
            hint = f"did you mean '{close}'?" if close else f"known here: {', '.join(known)}"
            place = source.place((*path, key), key=True)
            problems.append(Problem(f"unknown {what} '{'.'.join(map(str, (*path, key)))}'", place, hint))
    return problems


def _moved(key: str, path: Path) -> str | None:
    """Return the whole name of a key that is known, but not here: ``train.lr``."""
    if path[:1] not in [(), *((section,) for section in SECTIONS)]:
        return None
    names = {row.key for row in ROWS if "*" not in row.key}
    names |= {name.rpartition(".")[0] for name in names}
    found = [name for name in names if name.endswith(f".{key}")]
    return found[0] if len(found) == 1 else None


def check_sections(source: Source) -> list[Problem]:
    """Return what is wrong with the top-level keys and the sections data, train and eval."""
    problems = unknown_keys(source, (), TOP_KEYS)
    about = source.data.get("about")
    if about is not None and not isinstance(about, str):
        problems.append(Problem(f"about must be text, got {say(about)}", source.place(("about",))))
    for section in SECTIONS:
        if source.data.get(section) is not None:
            problems += _check_mapping(source, source.data[section], (section,))
    return problems + _check_together(source)


def _pattern(path: Path) -> str:
    return ".".join("*" if isinstance(step, int) else step for step in path)


def _name(path: Path) -> str:
    return ".".join(str(step) for step in path)


def _children(pattern: str) -> list[str]:
    """Return the keys that stand directly under ``pattern``."""
    deeper = [row.key[len(pattern) + 1 :] for row in ROWS if row.key.startswith(pattern + ".")]
    return list(dict.fromkeys(key.split(".")[0] for key in deeper))


def _check_mapping(source: Source, mapping: object, path: Path) -> list[Problem]:
    if not isinstance(mapping, dict):
        said = f"{_name(path)} must be a mapping, got {say(mapping)}"
        return [Problem(said, source.place(path), _mapping_hint(mapping, _children(_pattern(path))))]
    known = _children(_pattern(path))
    problems = unknown_keys(source, path, known)
    for key in known:
        if key in mapping:
            problems += _check_value(source, mapping, mapping[key], (*path, key))
        row = BY_KEY.get(f"{_pattern(path)}.{key}")
        if row and row.required and mapping.get(key) is None:
            problems.append(Problem(f"{_name(path)} needs '{key}': {row.meaning}", source.place(path, key=True)))
    return problems


def _mapping_hint(value: object, keys: list[str]) -> str | None:
    """``sampler: segment_mean`` is short for nothing, but what it means is clear."""
    key = next((key for key in ("use", "name") if key in keys), None)
    return f"write {{{key}: {value}}}" if key and isinstance(value, str) and value.isidentifier() else None


def _check_value(source: Source, beside: Mapping[str, Any], value: Any, path: Path) -> list[Problem]:
    pattern = _pattern(path)
    row = BY_KEY.get(pattern)
    if value is None:  # null stands for the default
        return []
    if row and not row.type.accepts(value):
        return _wrong_items(source, row, value, path) or [_wrong(source, row, value, path)]
    if row and row.only and (problem := _out_of_place(source, row, beside, path)):
        return [problem]
    if isinstance(value, list) and f"{pattern}.*" in _stars():
        checked = [_check_mapping(source, item, (*path, i)) for i, item in enumerate(value)]
        return [problem for problems in checked for problem in problems]
    return _check_mapping(source, value, path) if _children(pattern) else []


def _wrong(source: Source, row: Row, value: Any, path: Path) -> Problem:
    said = f"{_name(path)} must be {row.type.says}{' or null' if row.null else ''}, got {_got(row, value)}"
    return Problem(said, source.place(path), _value_hint(row.type, value))


def _wrong_items(source: Source, row: Row, value: Any, path: Path) -> list[Problem]:
    """Return a problem for each entry of a list that is not what it must be."""
    item = row.type.item
    if item is None or not isinstance(value, list):
        return []
    return [
        Problem(
            f"{_name((*path, i))} must be {item.says}, got {say(entry)}",
            source.place((*path, i)),
            _value_hint(item, entry),
        )
        for i, entry in enumerate(value)
        if not item.accepts(entry)
    ]


def _stars() -> set[str]:
    return {row.key.rpartition(".")[0] for row in ROWS if ".*." in row.key}


def _got(row: Row, value: Any) -> str:
    if isinstance(value, dict) and row.type is TEXTS:
        wrong = next(key for key, item in value.items() if not TEXT.accepts(item))
        return f"{say(value[wrong])} for '{wrong}'"
    return say(value)


def _value_hint(wanted: Type, value: Any) -> str | None:
    if isinstance(value, str) and wanted.says.startswith("one of"):
        close = nearest(value, wanted.says.removeprefix("one of ").split(", "))
        return f"did you mean '{close}'?" if close else None
    if isinstance(value, int) and not isinstance(value, bool) and value > LARGEST:
        return "that is more than anybody waits for; look for a digit too many"
    if wanted is TRUTH and isinstance(value, str) and value.lower() in ("yes", "no", "on", "off"):
        return f"write {'true' if value.lower() in ('yes', 'on') else 'false'}"
    if wanted.says.startswith("a list") and isinstance(value, str):
        return f"write [{value}]"
    return None


def _out_of_place(source: Source, row: Row, beside: Mapping[str, Any], path: Path) -> Problem | None:
    """``milestones`` mean nothing to a cosine."""
    named = BY_KEY[row.key.rpartition(".")[0] + ".name"]
    name = beside.get("name") or named.default
    if not isinstance(name, str) or name in row.only or not named.type.accepts(name):
        return None
    said = f"{_name(path)} is for {', '.join(row.only)}; {_name(path[:-1])}.name is {name}"
    return Problem(said, source.place(path, key=True))


def _check_together(source: Source) -> list[Problem]:
    """Check what depends on two keys."""
    train, data = source.data.get("train"), source.data.get("data")
    problems = []
    if isinstance(train, dict):
        problems += _epochs_and_steps(source, train) + _node_names(source, train)
    if isinstance(data, dict) and isinstance(data.get("streams"), dict):
        problems += _streams(source, data["streams"])
    return problems


def _epochs_and_steps(source: Source, train: Mapping[str, Any]) -> list[Problem]:
    if train.get("epochs") is None or train.get("steps") is None:
        return []
    note = Note("epochs is set here", source.place(("train", "epochs"), key=True))
    said = "train takes epochs or steps, not both"
    return [Problem(said, source.place(("train", "steps"), key=True), None, (note,))]


def _node_names(source: Source, train: Mapping[str, Any]) -> list[Problem]:
    nodes = source.data.get("nodes")
    if not isinstance(nodes, dict):
        return []
    problems: list[Problem] = []
    seen: dict[str, Path] = {}
    for path, name in _named_nodes(train):
        if name not in nodes:
            close = nearest(name, nodes)
            hint = f"did you mean '{close}'?" if close else f"the nodes are {', '.join(map(str, nodes))}"
            problems.append(
                Problem(f"{_name(path[:-1])} names '{name}', which is not a node", source.place(path), hint)
            )
        elif path[1] == "groups" and name in seen:
            note = Note("it is first named here", source.place(seen[name]))
            problems.append(Problem(f"node '{name}' is in two groups", source.place(path), None, (note,)))
        elif path[1] == "groups":
            seen[name] = path
    return problems


def _named_nodes(train: Mapping[str, Any]) -> list[tuple[Path, str]]:
    groups = train.get("groups") if isinstance(train.get("groups"), list) else []
    places: list[tuple[Path, Any]] = [(("train", "groups", i), group) for i, group in enumerate(groups or [])]
    places.append((("train", "warm_start"), train.get("warm_start")))
    found = []
    for path, mapping in places:
        names = mapping.get("nodes") if isinstance(mapping, dict) else None
        if isinstance(names, list):
            found += [((*path, "nodes", i), name) for i, name in enumerate(names) if isinstance(name, str) and name]
    return found


def _streams(source: Source, streams: Mapping[str, Any]) -> list[Problem]:
    inputs = source.data.get("inputs")
    if not isinstance(inputs, dict):
        return []
    problems = []
    for name in streams:
        if name not in inputs:
            close = nearest(name, inputs)
            hint = f"did you mean '{close}'?" if close else f"the inputs are {', '.join(inputs)}"
            place = source.place(("data", "streams", name), key=True)
            problems.append(Problem(f"data.streams names '{name}', which is not an input", place, hint))
    for name in inputs if not problems else ():
        if name not in streams:
            place = source.place(("data", "streams"), key=True)
            problems.append(Problem(f"data.streams says nothing of input '{name}'", place))
    return problems


def with_defaults(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of a config in which data, train and eval have every key.

    Keys without a meaning for the chosen optimizer or schedule are left out, so that the result is
    a good config itself.
    """
    filled = copy.deepcopy(dict(data))
    for section in SECTIONS:
        filled[section] = _fill(filled.get(section) or {}, section)
    if filled["train"]["steps"] is not None:
        filled["train"]["epochs"] = None
    if filled["data"]["streams"] is None:
        filled["data"]["streams"] = {name: name for name in filled.get("inputs") or {}}
    return filled


def _fill(given: Mapping[str, Any], pattern: str) -> dict[str, Any]:
    filled: dict[str, Any] = {}
    for key in _children(pattern):
        inner = f"{pattern}.{key}"
        row, value = BY_KEY.get(inner), given.get(key)
        if row and row.only and filled.get("name") not in row.only:
            continue
        if f"{inner}.*" in _stars():
            filled[key] = [_fill(item, f"{inner}.*") for item in value or []]
        elif _children(inner) and not (value is None and inner in OPTIONAL):
            filled[key] = _fill(value or {}, inner)
        else:
            filled[key] = copy.deepcopy(row.default) if row and value is None else value
    return filled
