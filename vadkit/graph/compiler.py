"""From a YAML source to a checked graph: names, wiring, sizes, reach, dry run.

Each phase collects problems and goes on; a node that was told something counts as unknown for the
phases that follow, so one cause gives one message. All problems are raised together.
"""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import Any

from vadkit.graph.arguments import LARGEST, arguments
from vadkit.graph.dry_run import dry_run
from vadkit.graph.module import VadModel, model_of
from vadkit.graph.plan import LossStep, Plan, Ref, Step, Wires
from vadkit.graph.schema import BY_KEY, TOP_KEYS, check_sections, with_defaults
from vadkit.graph.sizes import Sizes
from vadkit.graph.source import Source, as_meant
from vadkit.graph.wiring import Wiring, Written, main_port, ports_of
from vadkit.graph.wording import say
from vadkit.kinds import BATCH_PORTS, NODE_KINDS, ModuleComponent
from vadkit.plugin_manager import Plugins
from vadkit.problems import Note, Problem, VadkitError, nearest
from vadkit.shapes import COUNTS, Pattern, parse_pattern, parse_ports

NODE_KEYS = ("use", "in", "args", "share", "detach", "when")
LOSS_KEYS = ("use", "in", "args", "weight")
# Values that name a file.
FILES = (("data", "prompts"), ("train", "warm_start", "file"))
# Names that a child module may not have: what every module or VadModel already has.
RESERVED = frozenset(dir(VadModel)) | {"input_sizes", "lookahead", "losses", "output_range", "plan", "spec"}


def compile_config(source: Source, plugins: Plugins) -> VadModel:
    """Return the model that a source describes, with fresh weights.

    Raises VadkitError with every problem of the file. The weights are drawn from torch's global
    generator: seed it first for a repeatable model.
    """
    return model_of(compile_plan(source, plugins))


def compile_plan(source: Source, plugins: Plugins) -> Plan:
    """Return the checked graph of a source. Raises VadkitError with every problem of the file."""
    return _Compiler(source, plugins).run()


class _Compiler:
    def __init__(self, source: Source, plugins: Plugins) -> None:
        self.problems = check_sections(source)
        self.source = source.as_meant(TOP_KEYS)
        self.data, self.plugins = self.source.data, plugins
        self.sizes = Sizes(self.source.place)

    def run(self) -> Plan:
        inputs = self._inputs()
        items = [*self._items("nodes", NODE_KEYS), *self._items("losses", LOSS_KEYS)]
        output = self._output(items, list(inputs))
        wiring = Wiring(inputs, items, self.source)
        wiring.resolve()
        order = wiring.order()
        for name, pattern in inputs.items():
            self.sizes.add_input(name, pattern)
        losses = [item for item in items if item.section == "losses"]
        for item in [*order, *losses]:
            self.sizes.add(item, id(item) in wiring.broken)
        wiring.unused(_roots(output, wiring))
        self.problems += wiring.problems + self.sizes.problems
        self._used_sections()
        self._finish_output(output, items)
        self._stop()
        plan = self._plan(inputs, order, losses, output)
        self._stop()
        self.problems += dry_run(plan, self.sizes.modules, self.source.place)
        self._stop()
        return plan

    def _stop(self) -> None:
        if self.problems:
            raise VadkitError(dict.fromkeys(self.problems))

    def _tell(
        self,
        message: str,
        path: tuple[Any, ...],
        hint: str | None = None,
        notes: tuple[Note, ...] = (),
        key: bool = False,
    ) -> None:
        self.problems.append(Problem(message, self.source.place(path, key), hint, notes))

    # -- inputs ----------------------------------------------------------------------------------
    def _inputs(self) -> dict[str, Pattern | None]:
        section = self.data.get("inputs")
        if not isinstance(section, dict) or not section:
            if section is None or section == {}:
                self._tell("a graph needs inputs", ("inputs",), "for example inputs: {rgb: b t 1024}")
            elif not isinstance(section, dict):
                self._tell(f"inputs must be a mapping, got {say(section)}", ("inputs",))
            return {}
        return {name: self._input(name, value) for name, value in section.items()}

    def _input(self, name: str, value: Any) -> Pattern | None:
        path = ("inputs", name)
        if not self._good_name(name, path, "input"):
            return None
        if isinstance(value, dict):
            return self._backbone_input(name, value)
        try:
            pattern = parse_pattern(value) if isinstance(value, str) else None
        except ValueError:
            pattern = None
        counts = pattern.tokens[:2] if pattern else ()
        if pattern is None or counts != ("b", "t") or len(pattern.tokens) > 3 or pattern.words:
            self._tell(f"input '{name}' must be a shape such as 'b t 1024', got {say(value)}", path)
            return None
        if pattern.tokens[2:] and int(pattern.tokens[2]) > LARGEST:
            self._tell(f"input '{name}' has size {pattern.tokens[2]}; sizes go up to {LARGEST}", path)
            return None
        return pattern

    def _backbone_input(self, name: str, value: dict[str, Any]) -> Pattern | None:
        path = ("inputs", name)
        for key in value:
            if key not in ("use", "args"):
                self._unknown_key(key, ("use", "args"), (*path, key))
        component = self._component(value.get("use"), ("backbone",), path, f"input '{name}'")
        if component is None:
            return None
        args = value.get("args") or {}
        if not isinstance(args, dict):
            self._tell(f"input '{name}': args must be a mapping, got {say(args)}", (*path, "args"))
            return None
        try:
            dim = component(**args).dim  # a backbone's constructor loads nothing
        except Exception as error:  # the constructor's refusal, whatever it is
            self._tell(f"input '{name}' ({component.name}) refused its arguments: {error}", path, key=True)
            return None
        return Pattern(("b", "t", int(dim)))

    # -- nodes and losses ------------------------------------------------------------------------
    def _items(self, section: str, keys: tuple[str, ...]) -> list[Written]:
        mapping = self.data.get(section)
        if mapping is None and section == "losses":
            return []
        if not isinstance(mapping, dict) or not mapping:
            if section == "nodes" and (mapping is None or mapping == {}):
                self._tell("a graph needs nodes", ("nodes",))
            else:
                self._tell(f"{section} must be a mapping of names, got {say(mapping)}", (section,))
            return []
        return [item for name, value in mapping.items() if (item := self._item(section, name, value, keys))]

    def _item(self, section: str, name: str, value: Any, keys: tuple[str, ...]) -> Written | None:
        path = (section, name)
        what = "node" if section == "nodes" else "loss"
        good = self._good_name(name, path, what)
        if not good and name in self._input_names():
            return None
        if not isinstance(value, dict):
            self._tell(f"{what} '{name}' must be a mapping with use and in, got {say(value)}", path)
            return Written(name, section, None, None, {}) if good else None
        for key in value:
            if key not in keys:
                self._unknown_key(key, keys, (*path, key))
        value = as_meant(value, keys)
        kinds = NODE_KINDS if section == "nodes" else ("loss",)
        component = self._component(value.get("use"), kinds, path, f"{what} '{name}'")
        item = Written(name, section, component, value.get("in"), {})
        self._read_in(item, value)
        self._read_rest(item, value)
        return item

    def _read_in(self, item: Written, value: dict[str, Any]) -> None:
        wired = value.get("in")
        if wired is None or wired == [] or wired == {} or wired == "":
            if item.component is None or main_port(ports_of(item.component)) is None:
                return
            ports = ports_of(item.component)
            if any(not p.optional and p.name not in BATCH_PORTS for p in ports.values()):
                self._tell(f"{item.title} has no 'in'; it takes {_say_ports(item.component)}", item.path, key=True)
                item.component, item.inputs = None, None
        elif not isinstance(wired, str | list | dict):
            self._tell(f"{item.name}.in must be a source, a list or a mapping, got {say(wired)}", (*item.path, "in"))
            item.component, item.inputs = None, None

    def _read_rest(self, item: Written, value: dict[str, Any]) -> None:
        args = value.get("args")
        if args is not None and not isinstance(args, dict):
            self._tell(f"{item.name}.args must be a mapping, got {say(args)}", (*item.path, "args"))
        item.args = dict(args) if isinstance(args, dict) else {}
        weight = value.get("weight", 1.0)
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < 1e9:
            self._tell(f"{item.name}.weight must be a number from 0 up, got {say(weight)}", (*item.path, "weight"))
        else:
            item.weight = float(weight)
        detach = value.get("detach", False)
        if not isinstance(detach, bool):
            self._tell(f"{item.name}.detach must be true or false, got {say(detach)}", (*item.path, "detach"))
        item.detach = detach is True
        share = value.get("share")
        if share is not None and not isinstance(share, str):
            self._tell(f"{item.name}.share must be a text, got {say(share)}", (*item.path, "share"))
        item.share = share if isinstance(share, str) else None
        if value.get("when", "train") != "train":
            self._tell(f"{item.name}.when must be train, got {say(value['when'])}", (*item.path, "when"))
        item.train_only = value.get("when") == "train"

    def _input_names(self) -> list[str]:
        inputs = self.data.get("inputs")
        return list(inputs) if isinstance(inputs, dict) else []

    def _good_name(self, name: Any, path: tuple[Any, ...], what: str) -> bool:
        if not isinstance(name, str) or not name.isidentifier() or name.startswith("_"):
            self._tell(f"{what} name '{name}' must be a word of letters, digits and _", path, key=True)
        elif what != "loss" and (name in RESERVED or name in BATCH_PORTS or name in COUNTS):
            self._tell(
                f"{what} cannot be called '{name}': the name is taken", path, f"for example {name}_{what}", key=True
            )
        elif what == "node" and name in self._input_names():
            self._tell(f"'{name}' is both an input and a node", path, key=True)
        else:
            return True
        return False

    def _unknown_key(self, key: Any, known: tuple[str, ...], path: tuple[Any, ...]) -> None:
        close = nearest(str(key), known)
        hint = f"did you mean '{close}'?" if close else f"known here: {', '.join(known)}"
        self._tell(f"unknown key '{key}'", path, hint, key=True)

    def _component(self, name: Any, kinds: tuple[str, ...], path: tuple[Any, ...], what: str) -> Any:
        """Return the class called ``name`` if it is of one of the kinds, or tell why not."""
        at = (*path, "use")
        if name is None:
            self._tell(f"{what} does not say which component to use", path, "add use: NAME", key=True)
        elif not isinstance(name, str):
            self._tell(f"{what}: use must be a component's name, got {say(name)}", at)
        else:
            found = self.plugins.components.find(name)
            if found is None:
                hint = self.plugins.components.suggest(name, kinds) or f"'vadkit list {kinds[0]}' shows what there is"
                self._tell(f"unknown component '{name}'", at, hint, self.plugins.lost)
            elif found.kind not in kinds:
                self._tell(f"{what} uses '{name}' of kind {found.kind}; it takes {_say_kinds(kinds)}", at)
            else:
                return found
        return None

    def _used_sections(self) -> None:
        """Check the components that the data and eval sections name."""
        data, evaluate = self.data.get("data"), self.data.get("eval")
        if isinstance(data, dict):
            if data.get("use") is not None:
                self._section_component(data, ("dataset",), ("data",), "data")
            if isinstance(data.get("sampler"), dict):
                sampler = {**data["sampler"]}
                if sampler.get("use") is None:
                    sampler["use"] = BY_KEY["data.sampler.use"].default
                self._section_component(sampler, ("sampler",), ("data", "sampler"), "data.sampler")
        post = evaluate.get("post") if isinstance(evaluate, dict) else None
        for i, entry in enumerate(post if isinstance(post, list) else []):
            if isinstance(entry, dict):
                self._section_component(entry, ("postprocess",), ("eval", "post", i), f"eval.post.{i}")

    def _section_component(
        self, value: dict[str, Any], kinds: tuple[str, ...], path: tuple[Any, ...], what: str
    ) -> None:
        if not isinstance(value.get("use"), str):  # told with the section's other keys
            return
        component = self._component(value["use"], kinds, path, what)
        args = value.get("args")
        if component is None or not isinstance(args, dict):
            return
        item = Written(what, "sections", component, None, args)
        sizes = Sizes(lambda p, key=False: self.source.place((*path, *p[2:]), key))
        sizes._check_args(item)
        self.problems += sizes.problems

    # -- output ----------------------------------------------------------------------------------
    def _output(self, items: list[Written], inputs: list[str]) -> str | None:
        output = self.data.get("output")
        nodes = {item.name: item for item in items if item.section == "nodes"}
        if not isinstance(output, str):
            if output is None:
                self._tell("a graph needs an output", ("output",), "name the node with the scores: output: score")
            else:
                self._tell(f"output must be the name of a node, got {say(output)}", ("output",))
            return None
        name, _, port = output.partition(".")
        if name not in nodes:
            if not nodes:  # told already
                return None
            close = nearest(name, nodes)
            self._tell(f"output: there is no node '{name}'", ("output",), close and f"did you mean '{close}'?")
            return close
        component = nodes[name].component
        outputs = parse_ports(component.outputs) if component else {}
        if component and port and port not in outputs:
            self._tell(f"output: {name} has no output '{port}'; it has {', '.join(outputs)}", ("output",))
        return output

    def _finish_output(self, output: str | None, items: list[Written]) -> None:
        if output is None or any(p.place == self.source.place(("output",)) for p in self.problems):
            return
        value = self.sizes.value(output)
        if value.pattern is not None and value.pattern.tokens != ("b", "t"):
            self._tell(f"output must be one score per snippet (b t); {output} gives '{value.pattern}'", ("output",))
        for item in items:
            if item.name == output.partition(".")[0] and item.section == "nodes" and item.train_only:
                self._tell(f"output: node '{item.name}' is there in training only", ("output",))

    # -- the plan --------------------------------------------------------------------------------
    def _plan(
        self, inputs: dict[str, Pattern | None], order: list[Written], losses: list[Written], output: str | None
    ) -> Plan:
        assert output is not None
        steps, owners = [], {}  # type: ignore[var-annotated]
        for item in order:
            owner = item if item.share is None else owners.setdefault(item.share, item)
            self._same_share(item, owner)
            steps.append(self._step(item, owner))
        loss_steps = [self._loss(item) for item in losses]
        known = {name: pattern for name, pattern in inputs.items() if pattern is not None}
        out = self._ref(output)
        head = next(step for step in steps if step.name == out.name)
        score_range = getattr(head.component, "range", "unbounded")
        final = Ref(out.name, out.port, probability=score_range == "logit")
        plan = Plan(known, steps, loss_steps, final, "probability" if score_range == "logit" else score_range, 0)
        self._train_only(plan)
        plan.lookahead = self._lookahead(plan)
        plan.spec = self._spec(plan)
        return plan

    def _same_share(self, item: Written, owner: Written) -> None:
        if owner is item:
            return
        mine, other = (self.sizes.full_args[f"nodes.{i.name}"] for i in (item, owner))
        if item.component is not owner.component or mine != other:
            self._tell(
                f"{item.name} and {owner.name} share '{item.share}' but are not built alike",
                (*item.path, "share"),
                "give both the same use, args and sizes",
                (Note(f"{owner.name} is the first", self.source.place(owner.path, True)),),
            )

    def _ref(self, source: str) -> Ref:
        full = self.sizes.first.get(source, source)
        name, _, port = full.partition(".")
        return Ref(name, port or None)

    def _wires(self, item: Written) -> Wires:
        assert item.component is not None
        wires: Wires = {}
        ports = ports_of(item.component)
        for port, source, _ in item.sources:
            ref = self._ranged(item, port, self._ref(source))
            if ports[port].variadic:
                wires.setdefault(port, []).append(ref)  # type: ignore[union-attr]
            else:
                wires[port] = ref
        for port in ports:
            if port in BATCH_PORTS and port not in wires:
                wires[port] = Ref(port, batch=True)
        return wires

    def _ranged(self, item: Written, port: str, ref: Ref) -> Ref:
        """Return the ref with the sigmoid that a loss's port needs and a head's range lacks."""
        need = getattr(item.component, "needs", {}).get(port)
        source = next((w for w in self.data["nodes"] if w == ref.name), None)
        if need is None or source is None:
            return ref
        use = self.data["nodes"][source].get("use")
        has = getattr(self.plugins.components.find(use), "range", None)
        if has == "logit" and need == "probability":
            return Ref(ref.name, ref.port, probability=True)
        if has is not None and has != need:
            self._tell(f"{item.title} needs {port} as {need}; {ref.name} ({use}) gives {has}", (*item.path, "in"))
        return ref

    def _step(self, item: Written, owner: Written) -> Step:
        assert item.component is not None
        outputs = {}
        for port in parse_ports(item.component.outputs):
            pattern = self.sizes.values[f"{item.name}.{port}"].pattern
            assert pattern is not None
            outputs[port] = pattern
        return Step(
            item.name,
            item.component,
            owner.name,
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
        """Tell if the scores depend on a training-only node or on something only training has."""
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
                self._tell(
                    f"the output depends on node '{name}', which is there in training only", ("nodes", name, "when")
                )
            for port, wire in step.wires.items():
                batch = isinstance(wire, Ref) and wire.batch and wire.name in ("labels", "classes", "prompts")
                if batch and not ports_of(step.component)[port].optional:
                    self._tell(
                        f"the output depends on node '{name}', which needs {port}: only training has them",
                        ("nodes", name),
                        key=True,
                    )

    def _lookahead(self, plan: Plan) -> int | str:
        """Sum how far each node looks ahead along the longest way to the output."""
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
            self._beside(spec, path)
        for name, pattern in plan.inputs.items():
            if not isinstance(spec["inputs"][name], dict):
                spec["inputs"][name] = str(pattern)
        for step in plan.steps:
            spec["nodes"][step.name]["args"] = dict(step.args)
        for loss in plan.losses:
            spec["losses"][loss.name]["args"] = dict(loss.args)
        return spec

    def _beside(self, spec: dict[str, Any], path: tuple[str, ...]) -> None:
        """Let a relative file name mean the file beside the YAML that names it, if the current folder has none."""
        parent: Any = spec
        for key in path[:-1]:
            parent = parent.get(key) or {}
        name, place = parent.get(path[-1]), self.source.places.get(path)
        if isinstance(name, str) and place is not None and not os.path.exists(name):
            beside = Path(place.file).parent / name
            if os.path.isfile(beside):  # unlike Path.is_file, it takes any text for an answer
                parent[path[-1]] = os.path.normpath(beside)


def _roots(output: str | None, wiring: Wiring) -> list[str]:
    if output is None:  # nothing can be called unused when nobody knows what is wanted
        return [*wiring.nodes, *wiring.inputs]
    return [output.partition(".")[0]]


def _say_kinds(kinds: tuple[str, ...]) -> str:
    return kinds[0] if len(kinds) == 1 else ", ".join(kinds[:-1]) + " or " + kinds[-1]


def _say_ports(component: type[ModuleComponent]) -> str:
    return ", ".join(
        f"{name} ({port.pattern})" for name, port in ports_of(component).items() if name not in BATCH_PORTS
    )
