"""The keys of a config: one table with type, default and meaning of every key.

The table drives the checks (``schema_check``), the defaults and ``describe``. What depends on
components - ports, sizes, arguments - is checked by the compiler.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, NamedTuple

from vadkit.problems import Problem, VadkitError, nearest

TOP_KEYS = ("extends", "about", "inputs", "nodes", "losses", "output", "data", "train", "eval")
SET_KEYS = TOP_KEYS[1:]
RECIPE_KEYS = ("extends", "about", "rounds")  # of a recipe, which has rounds in place of a graph
SECTIONS = ("data", "train", "eval")
# Sections of entries with names of the user's choice, and what one entry is called.
NAMED = {"inputs": "input", "nodes": "node", "losses": "loss", "rounds": "round"}
LARGEST = 2**31 - 1


@dataclass(frozen=True)
class Type:
    """What a value must be: ``says`` completes 'must be ...'."""

    says: str
    accepts: Callable[[Any], bool]
    item: Type | None = None  # of a list


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_share(value: object) -> bool:
    return _is_number(value) and 0 <= value <= 1  # type: ignore[operator]


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
FINITE = Type("a finite number", lambda value: _is_number(value) and abs(value) <= 1e30)
SHARE = number("from 0 to below 1", 0, 1, open_high=True)
COUNT = whole("above 0", 1)
NAMES = many(TEXT, "a list of node names", least=1)
CLASSES = Type(
    "a list of class names, each once",
    lambda value: (
        isinstance(value, list) and value != [] and all(map(TEXT.accepts, value)) and len(set(value)) == len(value)
    ),
)
MAPPING = Type("a mapping", lambda value: isinstance(value, dict))
MAPPINGS = Type("a list of mappings", lambda value: isinstance(value, list))
TEXTS = Type(
    "a mapping of text to text",
    lambda value: isinstance(value, dict) and all(TEXT.accepts(item) for item in value.values()),
)
CROPS = Type(
    "mean, first, or the number of a crop from 0",
    lambda value: (
        value in ("mean", "first") if isinstance(value, str) else whole("from 0 to 1023", 0, 1023).accepts(value)
    ),
)
WIRING = Type("a source, a list of sources, or a mapping of ports", lambda value: isinstance(value, str | list | dict))
FACTOR = number("of 0 or more", 0, 1e9)
LOSS_WEIGHT = Type(
    f"{FACTOR.says} or a mapping of from, to and epochs", lambda value: FACTOR.accepts(value) or isinstance(value, dict)
)
KEEP = Type(
    "a number from 0 to 1 or a list of two",
    lambda value: all(map(_is_share, value)) and len(value) == 2 if isinstance(value, list) else _is_share(value),
)
LOGGER = Type("a name or a mapping", lambda value: TEXT.accepts(value) or isinstance(value, dict))


@dataclass(frozen=True)
class Row:
    """One key."""

    key: str
    type: Type
    default: Any
    meaning: str
    null: bool = False
    required: bool = False


# A star stands for the name of an entry, or its number in a list.
ROWS = (
    Row("extends", Type("the name of a config or a list of names", lambda value: isinstance(value, str | list)), None,
        "configs that this one is laid over: mappings merge, other values replace, null deletes", null=True),
    Row("about", TEXT, None, "one line that describes the config", null=True),
    Row("inputs", Type("a mapping of names to inputs", MAPPING.accepts), None,
        "the feature streams: a shape (rgb: b t 1024), or a backbone that sets it", required=True),
    Row("inputs.*.use", TEXT, None, "backbone component that extracts the features", required=True),
    Row("inputs.*.args", MAPPING, {}, "arguments of the backbone"),
    Row("nodes", Type("a mapping of names to nodes", MAPPING.accepts), None, "the blocks of the model", required=True),
    Row("nodes.*.use", TEXT, None, "component that the node runs (temporal, fusion, head, source or selector)",
        required=True),
    Row("nodes.*.in", WIRING, None, "inputs or nodes that feed it, as NAME or NAME.PORT", null=True),
    Row("nodes.*.args", MAPPING, {}, "arguments of the component; sizes are inferred"),
    Row("nodes.*.share", TEXT, None,
        "nodes with the same name here share one set of weights, which has this name in files and in train", null=True),
    Row("nodes.*.detach", TRUTH, False, "stop gradients at the outputs of the node"),
    Row("nodes.*.when", Type("train", lambda value: value == "train"), None,
        "train: run the node in training only; null runs it always", null=True),
    Row("losses", Type("a mapping of names to losses", MAPPING.accepts), {}, "the terms of the training loss"),
    Row("losses.*.use", TEXT, None, "name of a loss component", required=True),
    Row("losses.*.in", WIRING, None, "inputs or nodes that feed it, as NAME or NAME.PORT", null=True),
    Row("losses.*.args", MAPPING, {}, "arguments of the component; sizes are inferred"),
    Row("losses.*.weight", LOSS_WEIGHT, 1.0,
        "factor in the total; 0 only logs the loss. A mapping changes it in a straight line over the first epochs"),
    Row("losses.*.weight.from", FACTOR, None, "factor in the first epoch", required=True),
    Row("losses.*.weight.to", FACTOR, None, "factor after that many epochs, and from then on", required=True),
    Row("losses.*.weight.epochs", whole("from 1 to 1000000", 1, 10**6), None,
        "whole epochs from one factor to the other", required=True),
    Row("output", TEXT, None, "node whose output is the score of each snippet", required=True),
    Row("data.use", TEXT, "feature_store", "dataset component that provides videos and features"),
    Row("data.args", MAPPING, {}, "arguments of the dataset, such as the root of the store"),
    Row("data.streams", TEXTS, None, "dataset stream for each input of the graph; null means the names are the same",
        null=True),
    Row("data.sampler.use", TEXT, "uniform_pad", "sampler component that brings a video to training length"),
    Row("data.sampler.args", MAPPING, {}, "arguments of the sampler"),
    Row("data.batch", whole("from 1 to 65536", 1, 2**16), 32, "bags of each class (normal, abnormal) per step"),
    Row("data.paired", TRUTH, True,
        "draw as many normal as abnormal bags per step; false draws from all videos alike"),
    Row("data.order", choice("shuffled", "listed"), "shuffled",
        "order of the bags in an epoch: shuffled again for each, or that of the data set in every epoch"),
    Row("data.crops", choice("each", "first", "all"), "each",
        "in training, use each crop as a separate bag, only the first, or all as one bag"),
    Row("data.align", choice("first", "shortest"), "first",
        "streams of one video that differ in length: cut or fill them to the first, or cut all to the shortest"),
    Row("data.prompts", TEXT, None, "path of the .npy file of class text vectors (classes, dim)", null=True),
    Row("data.classes", CLASSES, None,
        "the classes in the order of their columns and prompts, normal first; null means those of the data set",
        null=True),
    Row("data.several_classes", choice("first", "mean"), "first",
        "prompt of a video with several classes: that of the first class, or the mean of all"),
    Row("data.targets", TEXT, None,
        "path of a .safetensors file with the target and weight of each snippet (t, 2), by video name", null=True),
    Row("data.clicks", TRUTH, False,
        "give training the clicks of the store's videos, one in each event of an abnormal one"),
    Row("data.val_fraction", number("above 0, below 1", 0, 1, True, True), 0.2,
        "share of the training videos held out for select: val if the data set has no split 'val'"),
    Row("data.workers", whole("from 0 to 1024", 0, 1024), 2, "threads that load batches; 0 loads in the main thread"),
    Row("train.epochs", whole("from 1 to 1000000", 1, 10**6), 20,
        "passes over the training videos; use this or steps", null=True),
    Row("train.steps", whole(f"from 1 to {LARGEST}", 1), None,
        "total number of optimizer steps; use this or epochs", null=True),
    Row("train.seed", whole("of 0 or more", 0, 2**32 - 1), 0, "random seed of weights, order of videos and noise"),
    Row("train.optimizer.use", TEXT, "adam", "optimizer component: the update rule"),
    Row("train.optimizer.lr", POSITIVE, 1e-4, "learning rate"),
    Row("train.optimizer.weight_decay", NOT_NEGATIVE, 0.0, "weight decay"),
    Row("train.optimizer.decay_biases", TRUTH, True, "whether weight decay applies to biases, too"),
    Row("train.optimizer.args", MAPPING, {}, "arguments of the optimizer, such as betas or momentum"),
    Row("train.groups", MAPPINGS, [], "groups of nodes with their own learning rate"),
    Row("train.groups.*.nodes", NAMES, None, "names of the nodes in the group", required=True),
    Row("train.groups.*.lr", NOT_NEGATIVE, None,
        "learning rate of the group; 0 freezes it; null means the optimizer's", null=True),
    Row("train.groups.*.weight_decay", NOT_NEGATIVE, None,
        "weight decay of the group; null means the optimizer's", null=True),
    Row("train.schedule.use", TEXT, "constant", "schedule component: the learning rate over the run"),
    Row("train.schedule.warmup", whole("of 0 or more", 0), 0,
        "steps of linear warm-up at the start, or epochs by unit"),
    Row("train.schedule.span", COUNT, None, "length of the curve in epochs; null means the whole run", null=True),
    Row("train.schedule.per", choice("step", "epoch"), "step", "update the learning rate every step or every epoch"),
    Row("train.schedule.unit", choice("step", "epoch"), "step",
        "what warmup and the arguments of the schedule, such as milestones, count"),
    Row("train.schedule.args", MAPPING, {}, "arguments of the schedule, such as end_factor or milestones"),
    Row("train.warm_start", Type("a mapping or a list of mappings", lambda value: isinstance(value, dict | list)), None,
        "weights to start from: one file, or a list of several", null=True),
    Row("train.warm_start.file", TEXT, None, "path of a model file (.safetensors), or of the rows of a source (.npy)",
        required=True),
    Row("train.warm_start.nodes", NAMES, None, "nodes that take their weights from it; null means all that it holds",
        null=True),
    Row("train.precision", choice("fp32", "tf32", "bf16", "fp16"), "fp32",
        "number format of the forward pass; tf32 is faster and coarser float32 on GPUs"),
    Row("train.capture", choice("auto", "on", "off"), "auto",
        "record the update as a CUDA graph and replay it: auto where possible, on refuses to train where it is not"),
    Row("train.accumulate", whole("from 1 to 1024", 1, 1024), 1, "batches per optimizer step"),
    Row("train.ema", number("above 0, below 1", 0, 1, True, True), None,
        "decay of the exponential moving average of the weights; null turns it off", null=True),
    Row("train.blend", MAPPINGS, [],
        "nodes whose weights are drawn towards those of another node, in order, before ema averages them"),
    Row("train.blend.*.into", TEXT, None, "node whose weights change: keep * into + (1 - keep) * from", required=True),
    Row("train.blend.*.from", TEXT, None, "node whose weights are mixed in; both must be built alike", required=True),
    Row("train.blend.*.keep", KEEP, None,
        "share of its own weights that the node keeps; of two, half a cosine leads from the first to the second over "
        "the run", required=True),
    Row("train.blend.*.per", choice("step", "epoch"), "step", "blend after every step, or at the end of every epoch"),
    Row("train.clip_grad", POSITIVE, None, "maximum gradient norm; null turns clipping off", null=True),
    Row("train.select", choice("last", "val", "test_best"), "last",
        "weights to keep: the last, the best on val, or the best on test (optimistic, and labelled as such)"),
    Row("train.evaluate_every", COUNT, None,
        "steps between evaluations; null means every epoch, or only at the end with select: last", null=True),
    Row("train.patience", COUNT, None,
        "evaluations in a row without a better one after which training stops; needs select: val or test_best",
        null=True),
    Row("train.log", many(LOGGER, "a list of names or mappings"), [],
        "logger components that write besides log.jsonl: [csv, tensorboard], or [{use: csv, args: {}}]"),
    Row("train.log.*.use", TEXT, None, "name of a logger component", required=True),
    Row("train.log.*.args", MAPPING, {}, "arguments of the component"),
    Row("train.log_every", COUNT, None, "steps between records of the log; null means 10, or fewer in a short run",
        null=True),
    Row("train.checkpoint_every", COUNT, None, "steps between checkpoints; null means one a minute", null=True),
    Row("train.deterministic", TRUTH, True, 
        "the same seed on the same device gives the same weights; an operation that cannot is refused"),
    Row("eval.metric", choice("ap", "auc", "ap_trapezoid"), "ap", "metric that selects weights"),
    Row("eval.post", MAPPINGS, [], "postprocess components, applied in order"),
    Row("eval.post.*.use", TEXT, None, "name of a postprocess component", required=True),
    Row("eval.post.*.args", MAPPING, {}, "arguments of the component"),
    Row("eval.threshold", FINITE, None,
        "score from which a snippet raises an alarm; null is 0.5 for probabilities, and no alarms for unbounded scores",
        null=True),
    Row("eval.split", choice("train", "val", "test"), "test", "split to evaluate on"),
    Row("eval.tail", choice("real", "full"), "real",
        "the last snippet counts with the frames the video has, or in full as in published label files"),
    Row("eval.crops", CROPS, "mean",
        "scores of the crops of a video: averaged, of the first alone, or of crop N alone, counted from 0 as in files "
        "NAME__0.npy, NAME__1.npy, ... (so 5 is the sixth)"),
    Row("eval.sampler", MAPPING, None,
        "sampler component that cuts videos into pieces, which are scored one by one; null scores a video as a whole",
        null=True),
    Row("eval.sampler.use", TEXT, None, "name of a sampler component that can cut", required=True),
    Row("eval.sampler.args", MAPPING, {}, "arguments of the sampler"),
    Row("rounds", Type("a mapping of names to rounds", MAPPING.accepts), None,
        "in a recipe, in place of a graph: runs that follow one another", required=True),
    Row("rounds.*.train", TEXT, None, "config that the round trains", required=True),
    Row("rounds.*.start", TEXT, None, "earlier round whose weights the round starts from", null=True),
    Row("rounds.*.times", whole("from 1 to 1000", 1, 1000), 1,
        "times that the round is run; each further time takes targets and start from the time before"),
    Row("rounds.*.targets", MAPPING, None, "data.targets of the round, made from the scores of an earlier one",
        null=True),
    Row("rounds.*.targets.from", TEXT, None, "earlier round whose model scores the training videos", required=True),
    Row("rounds.*.targets.use", TEXT, None, "labeller component that turns scores into targets", required=True),
    Row("rounds.*.targets.args", MAPPING, {}, "arguments of the labeller"),
    Row("rounds.*.targets.passes", whole("from 1 to 1000", 1, 1000), 1,
        "times that each video is scored; above 1, with dropout on"),
    Row("rounds.*.targets.history", whole("from 1 to 1000", 1, 1000), 1,
        "rounds whose scores the labeller is given: from, the one that its targets are from, and so on"),
)  # fmt: skip
BY_KEY = {row.key: row for row in ROWS}
NAMES_WILL_DO = {"train.log"}  # an entry without arguments may be written as its name
MANY = {row.key.rpartition(".")[0] for row in ROWS if ".*." in row.key}  # with a star at the end
OPTIONAL = {"train.warm_start", "eval.sampler", "rounds.*.targets"}  # absent unless written; defaults apply only then
ONE_OR_MANY = {"train.warm_start"}  # a mapping, or a list of such mappings


class KeyInfo(NamedTuple):
    """One key as shown to a user; each field is text."""

    key: str
    type: str
    default: str
    meaning: str


def describe(path: str = "") -> list[KeyInfo]:
    """Return the keys at and under ``path``: "train.precision", "data", "nodes.share", "" for all.

    Names and numbers of entries may be left out or given: "nodes.context.share" is "nodes.share".
    Raises VadkitError if there is no such key.
    """
    wanted = [step for step in path.split(".") if step and not step.isdigit() and step not in ("*", "N", "NAME")]
    found = _under(wanted) or (_under([wanted[0], *wanted[2:]]) if wanted and wanted[0] in NAMED else [])
    if not found:
        raise VadkitError([Problem(f"unknown key '{path}' in a config", hint=_key_hint(wanted))])
    return [_shown(row) for row in found]


def _under(wanted: list[str]) -> list[Row]:
    return [row for row in ROWS if row.key.replace(".*", "").split(".")[: len(wanted)] == wanted]


def _key_hint(wanted: list[str]) -> str:
    """Return the key that was probably meant, or the keys that exist where the path breaks off."""
    depth = next(n for n in range(len(wanted) - 1, -1, -1) if _under(wanted[:n]))
    names = [row.key.replace(".*", "").split(".") for row in _under(wanted[:depth])]
    keys = list(dict.fromkeys(name[depth] for name in names if len(name) > depth))
    close = nearest(wanted[depth], keys)
    meant = ".".join([*wanted[:depth], close]) if close else moved_key(wanted[-1])
    return f"did you mean '{meant}'?" if meant else f"known here: {', '.join(keys)}"


def _shown(row: Row) -> KeyInfo:
    kind = row.type.says + (" or null" if row.null else "")
    default = "required" if row.required else "null" if row.default is None else _written(row.default)
    star = "NAME" if row.key.partition(".")[0] in NAMED else "N"
    return KeyInfo(row.key.replace("*", star), kind, default, row.meaning)


def _written(value: Any) -> str:
    """Return a default as YAML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "[" + ", ".join(map(str, value)) + "]" if isinstance(value, list) else str(value)


def moved_key(key: str) -> str | None:
    """Return the full name of a key that exists only in another place: ``train.optimizer.lr`` for ``lr``."""
    names = {row.key for row in ROWS if "*" not in row.key}
    names |= {name.rpartition(".")[0] for name in names}
    found = [name for name in names if name.endswith(f".{key}")]
    return found[0] if len(found) == 1 else None


def children(pattern: str) -> list[str]:
    """Return the keys directly under ``pattern``, where a star stands for an entry."""
    deeper = [row.key[len(pattern) + 1 :] for row in ROWS if row.key.startswith(pattern + ".")]
    return list(dict.fromkeys(key.split(".")[0] for key in deeper))


def accepted(key: str, mapping: Mapping[str, Any]) -> Any:
    """Return the value of ``mapping`` for the last part of ``key`` if its row accepts it, else the default."""
    row, value = BY_KEY[key], mapping.get(key.rpartition(".")[2])
    return value if row.type.accepts(value) else copy.deepcopy(row.default)


def with_defaults(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of a config in which data, train and eval have every key.

    The result is a valid config itself.
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
    for key in children(pattern):
        inner = f"{pattern}.{key}"
        row, value = BY_KEY.get(inner), given.get(key)
        if f"{inner}.*" in MANY:
            entries = [{"use": item} if isinstance(item, str) else item for item in value or []]
            filled[key] = [_fill(entry, f"{inner}.*") for entry in entries]
        elif inner in ONE_OR_MANY and isinstance(value, list):
            filled[key] = [_fill(entry, inner) for entry in value]
        elif children(inner) and not (value is None and inner in OPTIONAL):
            filled[key] = _fill(value or {}, inner)
        else:
            filled[key] = copy.deepcopy(row.default) if row and value is None else value
    return filled
