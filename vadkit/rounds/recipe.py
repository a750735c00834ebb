"""A recipe as read and checked: its rounds in order, repeated ones written out, each with its checked graph.

Problems are collected, as the compiler does for a graph, and raised together with those of the graphs of all rounds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vadkit.graph.compiler import compile_plan
from vadkit.graph.load import load_config
from vadkit.graph.names import instead, why_not
from vadkit.graph.plan import Plan
from vadkit.graph.schema import RECIPE_KEYS, accepted
from vadkit.graph.schema_check import check_keys, is_recipe, too_many
from vadkit.graph.source import Source
from vadkit.graph.uses import check_build, used_component
from vadkit.kinds import Labeller
from vadkit.plugin_manager import Plugins
from vadkit.problems import Problem, Problems, VadkitError, unknown

TARGETS = "targets.safetensors"
MOST = 200  # rounds in all; more are a mistake


@dataclass(frozen=True)
class Labels:
    """How the targets of a round are made: from which round's scores, and by which labeller."""

    source: str
    use: str
    args: dict[str, Any]
    passes: int
    history: int
    component: type[Labeller]

    def spec(self) -> dict[str, Any]:
        """Return it as a recipe says it."""
        return {"from": self.source, **{key: getattr(self, key) for key in ("use", "args", "passes", "history")}}


@dataclass
class Round:
    """One run of a recipe: the config that it trains, the round that it starts from, and its labels."""

    name: str
    config: str
    source: Source
    start: str | None = None
    labels: Labels | None = None
    plan: Plan = field(default_factory=lambda: Plan({}, [], [], None, "", 0))  # type: ignore[arg-type]


@dataclass
class Recipe:
    """The rounds in order, and what the recipe says about itself."""

    about: str | None
    files: list[str]
    rounds: list[Round]

    def round(self, name: str) -> Round:
        return next(each for each in self.rounds if each.name == name)

    def labelled_from(self, of: Round) -> list[Round]:
        """Return the rounds whose scores label a round, the newest last."""
        chain: list[Round] = []
        labels = of.labels
        while labels is not None and of.labels is not None and len(chain) < of.labels.history:
            chain.insert(0, self.round(labels.source))
            labels = chain[0].labels
        return chain

    def spec(self) -> dict[str, Any]:
        """Return the recipe with every default, repeated rounds written out."""
        rounds = {
            each.name: {
                "train": each.config,
                "start": each.start,
                "times": 1,
                "targets": None if each.labels is None else each.labels.spec(),
            }
            for each in self.rounds
        }
        return {"about": self.about, "rounds": rounds}


def recipe_source(config: str | Path | dict[str, Any], plugins: Plugins) -> bool:
    """Return whether a config is a recipe. What cannot be read is none: whoever reads it as a graph says why."""
    try:
        return is_recipe(load_config(config, (), plugins.config_folders))
    except VadkitError:
        return False


def read_recipe(config: str | Path | dict[str, Any], sets: Sequence[str], plugins: Plugins) -> Recipe:
    """Return a checked recipe. Raises VadkitError with every problem of it and of its graphs.

    Changes of ``rounds`` are the recipe's; all others are made to the graph of every round.
    """
    own = [text for text in sets if text.partition("=")[0].strip().partition(".")[0] in RECIPE_KEYS]
    source = load_config(config, own, plugins.config_folders)
    return _Reader(source, [text for text in sets if text not in own], plugins).read()


class _Reader:
    def __init__(self, source: Source, sets: Sequence[str], plugins: Plugins) -> None:
        self.problems = Problems(source.place)
        if too_many(source, self.problems):
            self.problems.stop()
        self.problems.found += check_keys(source)
        self.source, self.sets, self.plugins = source.as_meant(RECIPE_KEYS), sets, plugins
        self.problems.locate = self.source.place
        self.rounds: list[Round] = []
        self.last: dict[str, str] = {}  # round as written -> the last of its times
        self.known: dict[str, Plan | None] = {}  # None: its graph has a problem

    def read(self) -> Recipe:
        mapping = self.source.data.get("rounds")
        if mapping == {}:
            self.problems.add("a recipe needs rounds", ("rounds",), "for example rounds: {first: {train: CONFIG}}")
        for name, value in mapping.items() if isinstance(mapping, dict) else ():
            if self._good_name(name) and isinstance(value, Mapping):
                self._add(name, value)
        self.problems.stop()
        about = self.source.data.get("about")
        return Recipe(about, self.source.files, self.rounds)

    def _good_name(self, name: Any) -> bool:
        wrong = why_not(name, "round")
        if wrong is None and name in self.known:
            wrong = f"'{name}' is already the name of one of the times of another round"
        if wrong:
            self.problems.add(wrong, ("rounds", name), f"for example {instead(name, 'round', self.known)}", key=True)
        return not wrong

    def _add(self, name: str, value: Mapping[str, Any]) -> None:
        """Add each time of a round."""
        path = ("rounds", name)
        times = accepted("rounds.*.times", value)
        if len(self.rounds) + times > MOST:
            self.problems.add(f"the recipe has more than {MOST} rounds", (*path, "times"), "check for an extra digit")
            return
        start = self._earlier(value.get("start"), (*path, "start"))
        labels = self._labels(value, path)
        source, plan = self._graph(value.get("train"), path, start, labels)
        for number in range(1, times + 1):
            each = Round(name if times == 1 else f"{name}_{number}", str(value.get("train")), source, start, labels)
            if each.name in self.known:
                self.problems.add(f"the name of its time {number}, '{each.name}', is taken", path, key=True)
                return
            if plan is not None:
                each.plan = plan
            self.rounds.append(each)
            self.known[each.name] = plan
            start = each.name if start else None
            labels = None if labels is None else replace(labels, source=each.name)
        self.known.setdefault(name, plan)
        self.last[name] = self.rounds[-1].name

    def _earlier(self, name: Any, path: tuple[Any, ...]) -> str | None:
        """Return the round that is meant; of a repeated one the last time."""
        if not isinstance(name, str) or not name:
            return None
        if name in self.known:
            return self.last.get(name, name)
        place, all_names = self.problems.locate(path, False), list(self.source.data["rounds"])
        if name in all_names[: all_names.index(path[1])]:
            return None  # which has problems of its own
        if name in all_names:
            said = f"round '{name}' does not come before round '{path[1]}'"
            self.problems.found.append(Problem(said, place, "a round takes weights and targets from earlier ones"))
        else:
            self.problems.found.append(unknown(name, self.last, "round", f"in {'.'.join(map(str, path))}", place))
        return None

    def _labels(self, value: Mapping[str, Any], path: tuple[Any, ...]) -> Labels | None:
        section = value.get("targets")
        if not isinstance(section, Mapping):
            return None
        at = (*path, "targets")
        origin = self._earlier(section.get("from"), (*at, "from"))
        component = used_component(section.get("use"), ("labeller",), at, self.plugins, self.problems)
        args = dict(accepted("rounds.*.targets.args", section))
        if component is None or not check_build(component, args, at, self.problems) or origin is None:
            return None
        passes, history = (accepted(f"rounds.*.targets.{key}", section) for key in ("passes", "history"))
        return Labels(origin, component.name, args, passes, history, component)

    # -- graphs ----------------------------------------------------------------------------------
    def _graph(
        self, config: Any, path: tuple[Any, ...], start: str | None, labels: Labels | None
    ) -> tuple[Source, Plan | None]:
        """Return the config of a round and its checked graph."""
        source = Source({})
        if not isinstance(config, str) or not config:
            return source, None
        place, before = self.problems.locate((*path, "train"), False), len(self.problems.found)
        try:
            source = load_config(config, self.sets, self.plugins.config_folders, named_at=place)
            self._own_keys(source, path, start, labels)
            labelled = labels or self.source.data["rounds"][path[1]].get("targets")  # also where they are wrong
            plan = compile_plan(with_files(source, TARGETS if labelled else None), self.plugins)
        except VadkitError as error:
            self.problems.found += error.problems
            return source, None
        self._uses_targets(plan, path, labels)
        self._starts(plan, path, start)
        return source, plan if len(self.problems.found) == before else None

    def _own_keys(self, source: Source, path: tuple[Any, ...], start: str | None, labels: Labels | None) -> None:
        """Note what a round and its config both say. Weights of nodes that the config names come after ``start``."""
        train, data = (keys if isinstance(keys, dict) else {} for keys in map(source.data.get, ("train", "data")))
        whole = [each for each in _warm_starts(train) if not (isinstance(each, dict) and each.get("nodes"))]
        for mine, theirs, key in ((start, whole, "train.warm_start"), (labels, data.get("targets"), "data.targets")):
            if mine is not None and theirs:
                what = "start" if key == "train.warm_start" else "targets"
                said = f"round '{path[1]}' has '{what}', and its config has {key}"
                self.problems.add(said, (*path, what), f"remove one of them; {key}=null does", key=True)

    def _uses_targets(self, plan: Plan, path: tuple[Any, ...], labels: Labels | None) -> None:
        refs = [ref for step in plan.steps for ref in step.refs]
        refs += [ref for loss in plan.losses for ref in loss.refs]
        if labels is not None and not any(ref.batch and ref.name in ("targets", "target_weight") for ref in refs):
            said = f"round '{path[1]}' has targets, but no loss of its config takes any"
            hint = "wire one, as in: in: {scores: score, teacher: targets}"
            self.problems.add(said, (*path, "targets"), hint, key=True)

    def _starts(self, plan: Plan, path: tuple[Any, ...], start: str | None) -> None:
        """Note a round whose nodes cannot take the weights of the round that it starts from."""
        before = self.known.get(start) if start else None
        if before is None:
            return
        theirs, mine = (
            {name: weight for name, weight in each.weights.tensors.items() if not name.startswith("losses.")}
            for each in (before, plan)
        )
        common = {name.split(".")[0] for name in theirs} & {name.split(".")[0] for name in mine}
        differ = [
            name
            for name in sorted(theirs.keys() | mine.keys())
            if name.split(".")[0] in common and theirs.get(name) != mine.get(name)
        ]
        what = f"round '{path[1]}' cannot start from '{start}'"
        if not common:
            self.problems.add(f"{what}: no node with weights is in both graphs", (*path, "start"))
        elif differ:
            hint = "nodes of one name need the same component and sizes in both graphs"
            self.problems.add(f"{what}: '{differ[0]}' is not the same in both graphs", (*path, "start"), hint)


def _warm_starts(train: Mapping[str, Any]) -> list[Any]:
    own = train.get("warm_start") or []
    return own if isinstance(own, list) else [own]


def with_files(source: Source, targets: Path | str | None = None, start: Path | None = None) -> Source:
    """Return a config with ``data.targets`` and the model file to start from; None leaves what it says."""
    data = dict(source.data)
    if targets is not None and isinstance(data.get("data"), dict | None):
        data["data"] = {**(data.get("data") or {}), "targets": str(targets)}
    if start is not None and isinstance(data.get("train"), dict | None):
        train = data.get("train") or {}
        first = {"file": str(start), "nodes": None}
        own = _warm_starts(train)  # of nodes that they name, such as the rows of a source
        data["train"] = {**train, "warm_start": [first, *own] if own else first}
    return Source(data, source.places, source.key_places, source.files, source.deleted)
