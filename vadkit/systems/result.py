"""A result: one figure of one system, with the source that published it or the record of the runs that measured it.

It is ``results/SYSTEM/NAME.yaml`` in a folder of configs, of vadkit or of a plugin. ``KEYS`` describes its keys. A
figure has a ``source`` or a ``record``, never both and never neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vadkit.plugin_manager import RESULTS
from vadkit.problems import Problems
from vadkit.systems.card import LEVELS, SUPERVISION
from vadkit.systems.checked_file import Key, check, mapping, number, one_of, read_tree, text, texts, without_empty

WHAT = "a result"
METRICS = {
    "ap": "AP",
    "auc": "AUC",
    "ap_abnormal": "AP, abnormal videos",
    "auc_abnormal": "AUC, abnormal videos",
    "far": "false alarm rate",
}
FLOORS = {
    "label_only": "the label of each video alone",
    "feature_norm": "the length of each feature vector",
    "constant": "one score for all",
    "constant_trapezoid": "one score for all, the area by the trapezoid",
    "chance": "chance",
}
MODALITIES = ("rgb", "flow", "audio", "text")
UNITS = {"percent": 100.0, "fraction": 1.0}
STATUSES = ("own_source", "quoted_by_seed", "third_party")
PROTOCOL = ("selection", "length", "crops", "smoothing", "decision_period")
SELECTIONS = ("last", "val", "test_best", "unknown")


def _seeds(value: Any) -> bool:
    whole = isinstance(value, list) and all(isinstance(v, int) and not isinstance(v, bool) for v in value)
    return whole and bool(value) and len(set(value)) == len(value)


KEYS: dict[str, dict[str, Key]] = {
    "": {
        "system": Key("text", text, "the system, as the folder of the file", required=True),
        "graph": Key("text", text, "the graph that was measured; a card says which one a published figure is of"),
        "variant": Key("text", text, "which parts or changes of the system it is of"),
        "dataset": Key("text", text, "the data set, as its authors write it", required=True),
        "modalities": Key("a list of texts", lambda v: texts(v) and bool(v), "such as rgb, flow, audio", required=True),
        "features": Key("text", text, "the features, as the source names them"),
        "metric": Key(*one_of(*METRICS), "", required=True),
        "figure": Key("a number", number, "as it is printed", required=True),
        "unit": Key(*one_of(*UNITS), "", required=True),
        "level": Key(*one_of(*LEVELS), "what is scored", required=True),
        "supervision": Key(*one_of(*SUPERVISION), "the labels of training", required=True),
        "protocol": Key("a mapping", mapping, "how it was measured; what is unknown is called so", required=True),
        "source": Key("a mapping", mapping, "where it was published"),
        "record": Key("a mapping", mapping, "the runs that it was measured in"),
        "note": Key("text", text, "what a reader must know of it"),
    },
    "protocol": {
        "selection": Key(*one_of(*SELECTIONS), "which weights were measured", required=True),
        "length": Key("text", text, "native, or how a whole video is resized", required=True),
        "crops": Key("text", text, "which crops, and how they are joined", required=True),
        "smoothing": Key("text", text, "what is done to the scores of a video", required=True),
        "decision_period": Key("text", text, "how much of a video is read before a score is out", required=True),
    },
    "source": {
        "paper": Key("text", text, "the paper, repository or page", required=True),
        "where": Key("text", text, "the table and row, section or file in it", required=True),
        "status": Key(*one_of(*STATUSES), "whose figure it is", required=True),
    },
    "record": {
        "commit": Key("text", text, "of vadkit, in the runs", required=True),
        "date": Key("text", text, "of the runs"),
        "seeds": Key("a list of different whole numbers", _seeds, "of the runs", required=True),
        "spread": Key("a number", number, "standard deviation over seeds, in the unit of the figure"),
        "recipe": Key("text", text, "how the features were extracted", required=True),
        "device": Key("text", text, "what the runs were computed on", required=True),
        "measured_on": Key("text", text, "videos, snippets and frames", required=True),
        "file": Key("text", text, "the file of results that it was read from", required=True),
        "changed": Key("a list of texts", texts, "sections of the graph that differ from the published one"),
        "floors": Key("a mapping", mapping, "what scores that know nothing reach, in the unit of the figure"),
    },
    "floors": {name: Key("a number", number, meaning) for name, meaning in FLOORS.items()},
}


@dataclass(frozen=True)
class Source:
    """Where a figure was published."""

    paper: str
    where: str
    status: str

    def __str__(self) -> str:
        return f"{self.paper}, {self.where}"


@dataclass(frozen=True)
class Record:
    """The runs in which a figure was measured."""

    commit: str
    seeds: Sequence[int]
    recipe: str
    device: str
    measured_on: str
    file: str
    date: str = ""
    spread: float | None = None
    changed: Sequence[str] = ()
    floors: Mapping[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        seeds = f"seeds {', '.join(map(str, self.seeds))}" if len(self.seeds) > 1 else f"seed {self.seeds[0]}"
        return f"{self.file}, commit {self.commit}, {seeds}, {self.device}"


@dataclass(frozen=True)
class Result:
    """A figure of a system. It has exactly one of ``source`` and ``record``."""

    name: str
    system: str
    dataset: str
    modalities: Sequence[str]
    metric: str
    figure: float
    unit: str
    level: str
    supervision: str
    protocol: Mapping[str, str]
    source: Source | None = None
    record: Record | None = None
    graph: str = ""
    variant: str = ""
    features: str = ""
    note: str = ""

    @property
    def kind(self) -> str:
        """Whether it was published or measured."""
        return "published" if self.record is None else "measured"

    @property
    def percent(self) -> float:
        """The figure in percent, as tables show it."""
        return self._in_percent(self.figure)

    @property
    def spread(self) -> float | None:
        """The spread in percent."""
        known = None if self.record is None else self.record.spread
        return None if known is None else self._in_percent(known)

    @property
    def floors(self) -> dict[str, float]:
        """What scores that know nothing reach, in percent, by name."""
        known = {} if self.record is None else self.record.floors
        return {name: self._in_percent(value) for name, value in known.items()}

    def _in_percent(self, value: float) -> float:
        return round(value * 100 / UNITS[self.unit], 6)  # 0.55 is 55, not 55.00000000000001


def modalities(inputs: Iterable[str]) -> list[str]:
    """Return the modalities of a graph's inputs: those that are not called so are other features of the pictures."""
    found = {name if name in MODALITIES else "rgb" for name in inputs}
    return [name for name in MODALITIES if name in found]


def result_files(folders: Iterable[Path], system: str = "*") -> list[Path]:
    """Return the files of all results, or of one system: folder by folder, system by system and in order of name."""
    return [path for folder in folders for path in sorted((folder / RESULTS).glob(f"{system}/*.yaml"))]


def read_results(folders: Iterable[Path], system: str = "*") -> list[Result]:
    """Return all results, or those of one system. Raises VadkitError for the first wrong file."""
    return [read_result(file) for file in result_files(folders, system)]


def read_result(file: Path) -> Result:
    """Return the result in a file. Raises VadkitError with every problem of it, each at its place."""
    tree, problems = read_tree(file, WHAT, KEYS[""])
    data = tree.plain()
    check(KEYS[""], data, (), problems, WHAT)
    for section in ("protocol", "source", "record"):
        if isinstance(data.get(section), dict):
            check(KEYS[section], data[section], (section,), problems, WHAT)
    record = data.get("record")
    if isinstance(record, dict) and isinstance(record.get("floors"), dict):
        check(KEYS["floors"], record["floors"], ("record", "floors"), problems, WHAT)
    _check_origin(data, problems)
    _check_figure(data, problems)
    if isinstance(data.get("system"), str) and data["system"] != file.parent.name:
        said = f"system is '{data['system']}', and the file is in the folder '{file.parent.name}'"
        problems.add(said, ("system",), "a result is in the folder of its system")
    problems.stop()
    return _result(file, data)


def _check_origin(data: Mapping[str, Any], problems: Problems) -> None:
    """A published figure has its source, a measured one its record, and no figure has both."""
    known = [key for key in ("source", "record") if data.get(key) is not None]
    if len(known) == 2:
        problems.add("a result is published or measured: it has a 'source' or a 'record', not both", ("record",))
    elif not known:
        problems.add(
            "a result needs a 'source' if it was published, or the 'record' of its runs if it was measured",
            (),
            "'vadkit models record' writes those that were measured",
        )
    elif known == ["source"] and data.get("graph") is not None:
        hint = "name the graph under 'published' in the card of the system"
        problems.add("'graph' is of a measured result", ("graph",), hint, key=True)
    elif known == ["record"] and data.get("graph") is None:
        problems.add("a measured result needs 'graph': the graph that was measured", ("record",), key=True)


def _check_figure(data: Mapping[str, Any], problems: Problems) -> None:
    figure, unit = data.get("figure"), data.get("unit")
    most = UNITS.get(unit) if isinstance(unit, str) else None
    if number(figure) and most is not None and not 0 <= figure <= most:  # type: ignore[operator]
        problems.add(f"figure must be from 0 to {most:g} if its unit is {unit}, got {figure}", ("figure",))
    record = data.get("record")
    seeds = record.get("seeds") if isinstance(record, dict) else None
    if isinstance(record, dict) and _seeds(seeds) and len(seeds or ()) > 1 and record.get("spread") is None:
        problems.add("record needs 'spread': the figure is a mean over several seeds", ("record",), key=True)


def _result(file: Path, data: Mapping[str, Any]) -> Result:
    """Return the result of data that was checked."""
    data = without_empty(data)
    source, record = data.get("source"), data.get("record")
    inner = {"source": source and Source(**source), "record": record and Record(**without_empty(record))}
    return Result(**{**data, **inner, "name": file.stem})
