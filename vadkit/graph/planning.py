"""From checked nodes with known sizes to the plan of the graph."""

from __future__ import annotations

import copy
import os
import pathlib
from typing import Any

from vadkit.graph.arguments import arguments
from vadkit.graph.blend_checks import check_blend
from vadkit.graph.plan import LossStep, Plan, Ref, Step, Wires, needs
from vadkit.graph.ranges import input_needs, output_ranges, outside, threshold_of
from vadkit.graph.schema import NAMED, accepted, with_defaults
from vadkit.graph.sizes import Sizes
from vadkit.graph.source import Source
from vadkit.graph.wiring import Written, ports_of
from vadkit.graph.wording import unlike
from vadkit.kinds import BATCH_PORTS
from vadkit.problems import Note, Problems
from vadkit.registry import Components
from vadkit.shapes import Pattern, parse_ports

Path = tuple[str | int, ...]
# Values that name a file.
FILES = (("data", "prompts"), ("train", "warm_start", "file"))  # or the same of each entry, if it is a list


class Planner:
    """Builds the plan, and notes the problems that only the graph as a whole shows."""

    def __init__(self, source: Source, components: Components, sizes: Sizes, problems: Problems) -> None:
        self.source, self.data, self.components = source, source.data, components
        self.sizes, self.problems = sizes, problems

    def plan(self, inputs: dict[str, Pattern | None], order: list[Written], losses: list[Written], output: str) -> Plan:
        steps: list[Step] = []
        owners: dict[str, Written] = {}  # the first node of each module
        for item in order:
            self._same_share(item, owners.setdefault(item.module, item))
            steps.append(self._step(item))
        loss_steps = [self._loss(item) for item in losses]
        known = {name: pattern for name, pattern in inputs.items() if pattern is not None}
        out = self._ref(output)
        score_range = self._range(out) or "unbounded"
        final = Ref(out.name, out.port, probability=score_range == "logit")
        plan = Plan(known, steps, loss_steps, final, "probability" if score_range == "logit" else score_range, 0)
        self._train_only(plan)
        self._threshold(plan)
        plan.lookahead = self._lookahead(plan)
        for item in [*owners.values(), *losses]:
            self._weights(plan, item)
        plan.spec = self._spec(plan)
        check_blend(plan, plan.spec["train"]["blend"], self.problems)
        self._weighted(plan)
        return plan

    def _weighted(self, plan: Plan) -> None:
        """Note weights that change so that some epochs have nothing to train on."""
        changing = [loss for loss in plan.losses if loss.weight.changes]
        for when, counts in (
            ("first epoch", [x.weight.first for x in plan.losses]),
            ("last epochs", [x.weight.last for x in plan.losses]),
        ):
            if changing and not any(counts):
                self.problems.add(
                    f"no loss has a weight above 0 in the {when}",
                    ("losses", changing[0].name, "weight"),
                    "begin and end with a weight above 0, or add a loss",
                )

    def _weights(self, plan: Plan, item: Written) -> None:
        prefix = item.module if item.section == "nodes" else f"losses.{item.name}"
        title = f"{NAMED[item.section]} '{item.name}' ({item.component.name})"  # type: ignore[union-attr]
        module = self.sizes.modules[f"{item.section}.{item.name}"]
        plan.weights.add(prefix, title, module, self.problems.locate(item.path, True))

    def _same_share(self, item: Written, owner: Written) -> None:
        if owner is item:
            return
        where = unlike(item.name, self._full_args(item), owner.name, self._full_args(owner))
        if item.component is not owner.component:
            where = f"use is {_use(item)} in {item.name} and {_use(owner)} in {owner.name}"
        if where:
            self.problems.add(
                f"{item.name} and {owner.name} share '{item.share}' but are built differently: {where}",
                (*item.path, "share"),
                "give both the same use, args and sizes",
                (Note(f"{owner.name} is the first of them", self.problems.locate(owner.path, True)),),
            )

    def _ref(self, source: str) -> Ref:
        if source in BATCH_PORTS:  # no node or input can be called so
            return Ref(source, batch=True)
        full = self.sizes.first.get(source, source)
        name, _, port = full.partition(".")
        return Ref(name, port or None)

    def _wires(self, item: Written) -> Wires:
        assert item.component is not None
        wires: Wires = {}
        ports = ports_of(item.component)
        for port, source, _ in item.sources:
            ref = self._ranged(item, port, self._ref(source))
            self._same_sort(item, port, ref)
            if ports[port].variadic:
                wires.setdefault(port, []).append(ref)  # type: ignore[union-attr]
            else:
                wires[port] = ref
        return wires

    def _same_sort(self, item: Written, port: str, ref: Ref) -> None:
        """Note a wire that joins numbers and indices."""
        gives = ref.port is not None and ref.port in self.sizes.modules[f"nodes.{ref.name}"].indices
        takes = port in self.sizes.modules[f"{item.section}.{item.name}"].indices
        if takes != gives:
            wanted, given = ("indices", "numbers") if takes else ("numbers", "indices")
            use = f" ({self.data['nodes'][ref.name]['use']})" if ref.port is not None else ""
            self.problems.add(
                f"{item.title} takes {wanted} as {port}; {ref.name}{use} gives {given}", (*item.path, "in")
            )

    def _ranged(self, item: Written, port: str, ref: Ref) -> Ref:
        """Return the ref with the sigmoid that a port needs and the range of its source lacks."""
        need = input_needs(self.sizes.modules[f"{item.section}.{item.name}"]).get(port)
        has = self._range(ref)
        if has == "logit" and need == "probability":
            return Ref(ref.name, ref.port, probability=True)
        if need not in (None, "unbounded", has) and has is not None:
            use = self.data["nodes"][ref.name].get("use")
            source = ref.name if self.sizes.first[ref.name] == str(ref) else str(ref)
            self.problems.add(f"{item.title} needs {port} as {need}; {source} ({use}) gives {has}", (*item.path, "in"))
        return ref

    def _range(self, ref: Ref) -> str | None:
        """Return the range of a value, read from the built module; None if it has none."""
        if ref.port is None or ref.batch:
            return None
        return output_ranges(self.sizes.modules[f"nodes.{ref.name}"]).get(ref.port)

    def _threshold(self, plan: Plan) -> None:
        """Note a threshold of which no score of the output can be on both sides."""
        threshold = accepted("eval.threshold", self.data.get("eval") or {})
        if outside(threshold, plan.output_range):
            said = f"eval.threshold must be a number from 0 to 1, got {threshold:g}: the output is a probability"
            self.problems.add(said, ("eval", "threshold"))

    def _step(self, item: Written) -> Step:
        assert item.component is not None
        outputs = {}
        for port in parse_ports(item.component.outputs):
            pattern = self.sizes.values[f"{item.name}.{port}"].pattern
            assert pattern is not None
            outputs[port] = pattern
        return Step(
            item.name,
            item.component,
            item.module,
            self._wires(item),
            outputs,
            self._full_args(item),
            item.detach,
            item.train_only,
        )

    def _loss(self, item: Written) -> LossStep:
        assert item.component is not None
        return LossStep(item.name, item.component, self._wires(item), item.weight, self._full_args(item))

    def _full_args(self, item: Written) -> dict[str, Any]:
        """Return every argument with its value: given, inferred or default."""
        assert item.component is not None
        full = {a.name: a.default for a in arguments(item.component).values() if not a.required}
        return {**full, **self.sizes.full_args[f"{item.section}.{item.name}"]}

    def _train_only(self, plan: Plan) -> None:
        """Note where the scores depend on a training-only node or on something only training has."""
        needed, todo = set(), [plan.output.name]
        steps = {step.name: step for step in plan.steps}
        while todo:
            name = todo.pop()
            if name in steps and name not in needed:
                needed.add(name)
                todo += [ref.name for ref in steps[name].refs if not ref.batch]
        for name in needed:
            step = steps[name]
            if step.train_only:
                self.problems.add(
                    f"the output depends on node '{name}', which exists in training only", ("nodes", name, "when")
                )
            for value in (ref.name for ref in step.required_of_batch if BATCH_PORTS[ref.name].training):
                self.problems.add(
                    f"the output depends on node '{name}', which needs {value}: only training has them",
                    ("nodes", name),
                    key=True,
                )

    def note_empty(self, plan: Plan) -> None:
        """Note the values of the batch that a node or loss needs and that nothing will fill."""
        for step, name, later in plan.empty(self.data):
            if not later:
                section = "losses" if isinstance(step, LossStep) else "nodes"
                self.problems.add(needs(step, name), (section, step.name), key=True)

    def _lookahead(self, plan: Plan) -> int | str:
        """Sum how far each node looks ahead along the longest path to the output."""
        ahead: dict[str, int | str] = {}
        for step in plan.steps:
            module = self.sizes.modules[f"nodes.{step.name}"]
            before = [ahead.get(ref.name, 0) for ref in step.refs if not ref.batch]
            own = getattr(module, "lookahead", "all")
            whole = own == "all" or "all" in before
            ahead[step.name] = "all" if whole else int(own) + max((int(a) for a in before), default=0)
        return ahead[plan.output.name]

    def _spec(self, plan: Plan) -> dict[str, Any]:
        """Return the resolved file: every section with every default and every inferred size."""
        spec = with_defaults(copy.deepcopy(self.data))
        for path in FILES:
            for each in _each(spec, path):
                self._next_to(spec, each)
        for name, pattern in plan.inputs.items():
            if not isinstance(spec["inputs"][name], dict):
                spec["inputs"][name] = str(pattern)
        for step in plan.steps:
            spec["nodes"][step.name]["args"] = dict(step.args)
        for loss in plan.losses:
            spec["losses"][loss.name]["args"] = dict(loss.args)
        spec["eval"]["threshold"] = threshold_of(spec["eval"], plan.output_range)
        return spec

    def _next_to(self, spec: dict[str, Any], path: Path) -> None:
        """Resolve a relative file name next to the YAML that names it if the current folder has no such file."""
        parent = _at(spec, path[:-1])
        name, place = parent.get(path[-1]), self.source.places.get(path)
        if isinstance(name, str) and place is not None and not os.path.exists(name):
            near = pathlib.Path(place.file).parent / name
            if os.path.isfile(near):  # unlike Path.is_file, it never raises
                parent[path[-1]] = os.path.normpath(near)


def _use(item: Written) -> str:
    assert item.component is not None
    return item.component.name


def _each(spec: dict[str, Any], path: Path) -> list[Path]:
    """Return the path, or that of every entry where it leads into a list."""
    entries = _at(spec, path[:-1])
    return [(*path[:-1], i, path[-1]) for i in range(len(entries))] if isinstance(entries, list) else [path]


def _at(spec: dict[str, Any], path: Path) -> Any:
    found: Any = spec
    for key in path:
        found = (found[key] if isinstance(key, int) else found.get(key)) or {}
    return found
