"""From a YAML source to a checked graph: names, wiring, sizes, reach, dry run.

Each phase collects problems and goes on. A node with a problem counts as unknown in the phases
that follow, so one cause gives one message. All problems are raised together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vadkit.graph.arguments import LARGEST, check_args
from vadkit.graph.dry_run import dry_run
from vadkit.graph.module import VadModel, model_of
from vadkit.graph.names import instead, why_not
from vadkit.graph.plan import LossWeight, Plan
from vadkit.graph.planning import Planner
from vadkit.graph.schema import BY_KEY, NAMED, NAMES_WILL_DO, SECTIONS, TOP_KEYS, accepted, children
from vadkit.graph.schema_check import check_keys, dotted, refuse_recipe, too_many
from vadkit.graph.sizes import Sizes
from vadkit.graph.source import Source, as_meant
from vadkit.graph.uses import check_build, used_component
from vadkit.graph.wiring import Wiring, Written, main_port, ports_of
from vadkit.graph.wording import say
from vadkit.kinds import BATCH_PORTS, NODE_KINDS, Sampler
from vadkit.plugin_manager import Plugins
from vadkit.problems import Note, Problems, nearest, unknown
from vadkit.shapes import Pattern, Port, parse_pattern, parse_ports

MOST_AXES = 5  # of an input; with more it is rather a slip


def compile_config(source: Source, plugins: Plugins) -> VadModel:
    """Return the model that a source describes, with fresh weights.

    Raises VadkitError with every problem of the file. The weights are drawn from torch's global
    generator: seed it first for a repeatable model.
    """
    return model_of(compile_plan(source, plugins))


def compile_plan(source: Source, plugins: Plugins, *, trainable: bool = True) -> Plan:
    """Return the checked graph of a source. Raises VadkitError with every problem of the file.

    Unless it is to be ``trainable``, it may lack what only training needs: the data section of a model file is not
    looked at.
    """
    return _Compiler(source, plugins).run(trainable)


class _Compiler:
    def __init__(self, source: Source, plugins: Plugins) -> None:
        self.source = source.as_meant(TOP_KEYS)
        self.data, self.plugins = self.source.data, plugins
        self.problems = Problems(self.source.place)
        if too_many(source, self.problems) or refuse_recipe(source, self.problems):
            self.problems.stop()
        self.problems.found += check_keys(source)
        self.sizes = Sizes(self.problems)

    def run(self, trainable: bool) -> Plan:
        inputs = self._inputs()
        items = [*self._items("nodes"), *self._items("losses")]
        self._shares(items)
        output = self._output(items)
        wiring = Wiring(inputs, items, self.source, self.problems)
        wiring.resolve()
        order = wiring.order()
        for name, pattern in inputs.items():
            self.sizes.add_input(name, pattern)
        self.sizes.add_streams(list(inputs))
        data = self.data.get("data")
        self.sizes.add_classes(accepted("data.classes", data) if isinstance(data, dict) else None)
        losses = [item for item in items if item.section == "losses"]
        for item in [*order, *losses]:
            self.sizes.add(item, id(item) in wiring.broken)
        wiring.unused(_roots(output, wiring))
        self._used_sections()
        self._finish_output(output, items)
        self.problems.stop()
        assert output is not None
        planner = Planner(self.source, self.plugins.components, self.sizes, self.problems)
        plan = planner.plan(inputs, order, losses, output)
        if trainable:
            planner.note_empty(plan)
        self.problems.stop()
        dry_run(plan, self.sizes.modules, self.problems)
        self.problems.stop()
        return plan

    # -- inputs ----------------------------------------------------------------------------------
    def _inputs(self) -> dict[str, Pattern | None]:
        section = self.data.get("inputs")
        if not isinstance(section, dict) or not section:
            if section is None or section == {}:
                self.problems.add("a graph needs inputs", ("inputs",), "for example inputs: {rgb: b t 1024}")
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
        if pattern is None or counts != ("b", "t") or len(pattern.tokens) > MOST_AXES or pattern.words:
            self.problems.add(f"input '{name}' must be a shape such as 'b t 1024', got {say(value)}", path)
            return None
        if pattern.width > LARGEST:
            size = " x ".join(map(str, pattern.tokens[2:]))
            self.problems.add(f"input '{name}' has size {size}; sizes go up to {LARGEST}", path)
            return None
        return pattern

    def _backbone_input(self, name: str, value: dict[str, Any]) -> Pattern | None:
        path = ("inputs", name)
        value = as_meant(value, children("inputs.*"))
        component = self._component(value.get("use"), ("backbone",), path)
        args = value.get("args")
        if component is None or not isinstance(args, dict | None):
            return None
        try:
            dim = component(**(args or {})).dim  # a backbone's constructor loads nothing
        except Exception as error:  # the constructor's refusal, whatever it is
            self.problems.add(f"input '{name}' ({component.name}) refused its arguments: {error}", path, key=True)
            return None
        return Pattern(("b", "t", int(dim)))

    # -- nodes and losses ------------------------------------------------------------------------
    def _items(self, section: str) -> list[Written]:
        mapping = self.data.get(section)
        if section == "nodes" and (mapping is None or mapping == {}):
            self.problems.add("a graph needs nodes", ("nodes",), "for example nodes: {score: {use: mlp_head, in: rgb}}")
        if not isinstance(mapping, dict):
            return []
        return [item for name, value in mapping.items() if (item := self._item(section, name, value))]

    def _item(self, section: str, name: str, value: Any) -> Written | None:
        path = (section, name)
        good = self._good_name(name, path, "node" if section == "nodes" else "loss")
        if not good and name in self._input_names():
            return None
        if not isinstance(value, dict):
            return Written(name, section, None, None, {}) if good else None
        value = as_meant(value, children(f"{section}.*"))
        component = self._component(value.get("use"), NODE_KINDS if section == "nodes" else ("loss",), path)
        item = Written(name, section, component, value.get("in"), dict(accepted(f"{section}.*.args", value)))
        if section == "losses":
            item.weight = _weight(accepted("losses.*.weight", value))
        else:
            item.share = accepted("nodes.*.share", value)
            item.detach = accepted("nodes.*.detach", value)
            item.train_only = accepted("nodes.*.when", value) == "train"
        self._check_in(item)
        return item

    def _shares(self, items: list[Written]) -> None:
        """Check the names under which nodes share weights: each is the name of a module, as a node's is."""
        nodes = {item.name: item for item in items if item.section == "nodes"}
        firsts = {item.share: item for item in reversed(nodes.values()) if item.share is not None}
        for item in reversed(firsts.values()):
            path = (*item.path, "share")
            assert item.share is not None
            if wrong := why_not(item.share, "shared module"):
                self.problems.add(wrong, path, f"for example {instead(item.share, 'shared', self._all_names())}")
            elif (other := nodes.get(item.share)) is not None and other.share != item.share:
                self.problems.add(
                    f"{item.name} shares weights as '{item.share}', which is the name of another node",
                    path,
                    f"choose another name, or add share: {item.share} to that node",
                    (Note("the node is here", self.problems.locate(other.path, True)),),
                )

    def _check_in(self, item: Written) -> None:
        """Note a node that has no ``in`` but needs one. It is unknown then, as is one whose ``in`` is wrong."""
        if item.inputs and isinstance(item.inputs, str | list | dict):
            return
        if item.inputs not in (None, "", [], {}):
            item.component, item.inputs = None, None
        elif item.component is not None and main_port(ports_of(item.component)) is not None:
            ports = ports_of(item.component)
            if any(not port.optional and name not in BATCH_PORTS for name, port in ports.items()):
                self.problems.add(f"{item.title} has no 'in'; it takes {_say_ports(ports)}", item.path, key=True)
                item.component, item.inputs = None, None

    def _input_names(self) -> list[str]:
        inputs = self.data.get("inputs")
        return list(inputs) if isinstance(inputs, dict) else []

    def _good_name(self, name: Any, path: tuple[Any, ...], what: str) -> bool:
        wrong = why_not(name, what)
        if wrong:
            self.problems.add(wrong, path, lambda: f"for example {instead(name, what, self._all_names())}", key=True)
        elif what == "node" and name in self._input_names():
            self.problems.add(f"'{name}' is both an input and a node", path, key=True)
        else:
            return True
        return False

    def _all_names(self) -> set[str]:
        return {name for section in NAMED if isinstance(entries := self.data.get(section), dict) for name in entries}

    def _component(self, name: Any, kinds: tuple[str, ...], path: tuple[Any, ...], bare: bool = False) -> Any:
        return used_component(name, kinds, path, self.plugins, self.problems, bare)

    def _used_sections(self) -> None:
        """Check the components that the data, train and eval sections name."""
        data, train, evaluate = (self.data.get(section) for section in SECTIONS)
        if isinstance(data, dict):
            self._section_component(data, "dataset", ("data",))
            if isinstance(data.get("sampler"), dict):
                default = BY_KEY["data.sampler.use"].default
                sampler = {**data["sampler"], "use": data["sampler"].get("use") or default}
                self._section_component(sampler, "sampler", ("data", "sampler"))
        for kind in ("optimizer", "schedule"):
            section = train.get(kind) if isinstance(train, dict) else None
            if isinstance(section, dict):
                use = section.get("use") or BY_KEY[f"train.{kind}.use"].default
                self._section_component({**section, "use": use}, kind, ("train", kind), build=True)
        pieces = evaluate.get("sampler") if isinstance(evaluate, dict) else None
        if isinstance(pieces, dict) and self._section_component(pieces, "sampler", ("eval", "sampler")):
            self._cuts(pieces["use"])
        self._listed(train, "logger", ("train", "log"))
        self._listed(evaluate, "postprocess", ("eval", "post"))

    def _listed(self, section: Any, kind: str, path: tuple[str, str]) -> None:
        entries = section.get(path[1]) if isinstance(section, dict) else None
        for i, entry in enumerate(entries if isinstance(entries, list) else []):
            if isinstance(entry, dict):
                self._section_component(entry, kind, (*path, i), build=kind == "logger")
            elif ".".join(path) in NAMES_WILL_DO:
                self._component(entry, (kind,), (*path, i), bare=True)

    def _cuts(self, name: str) -> None:
        """Note a sampler that can only bring videos to training length."""
        component: Any = self.plugins.components.find(name)
        if component.cut is Sampler.cut and component.spread is Sampler.spread:
            self.problems.add(
                f"sampler '{name}' does not cut videos, so eval.sampler would change nothing",
                ("eval", "sampler", "use"),
                "leave eval.sampler out to score a video as a whole",
            )

    def _section_component(self, value: dict[str, Any], kind: str, path: tuple[Any, ...], build: bool = False) -> bool:
        """Check a component and its arguments; ``build`` it, too, where that only looks at them."""
        component = self._component(value.get("use"), (kind,), path)
        args = value.get("args") or {}
        if component is None or not isinstance(args, dict):
            return False
        if build:
            check_build(component, args, path, self.problems)
        else:
            check_args(component, args, dotted(path), (*path, "args"), self.problems)
        return True

    # -- output ----------------------------------------------------------------------------------
    def _output(self, items: list[Written]) -> str | None:
        output = self.data.get("output")
        nodes = {item.name: item for item in items if item.section == "nodes"}
        if not isinstance(output, str):
            if output is None:
                self.problems.add(
                    "a graph needs an output", ("output",), "name the node with the scores: output: score"
                )
            else:
                self.problems.add(f"output must be the name of a node, got {say(output)}", ("output",))
            return None
        name, _, port = output.partition(".")
        if port and output in nodes:  # a name with a dot, noted already
            return None
        if name not in nodes:
            if nodes:  # else they are the problem
                place = self.problems.locate(("output",), False)
                self.problems.found.append(unknown(name, nodes, "node", "in output", place))
            return nearest(name, nodes)
        component = nodes[name].component
        outputs = parse_ports(component.outputs) if component else {}
        if component and port and port not in outputs:
            self.problems.add(f"output: {name} has no output '{port}'; it has {', '.join(outputs)}", ("output",))
        return output

    def _finish_output(self, output: str | None, items: list[Written]) -> None:
        if output is None or any(p.place == self.source.place(("output",)) for p in self.problems.found):
            return
        value = self.sizes.value(output)
        if value.pattern is not None and value.pattern.tokens != ("b", "t"):
            self.problems.add(
                f"output must be one score per snippet (b t); {output} gives '{value.pattern}'", ("output",)
            )
        for item in items:
            if item.name == output.partition(".")[0] and item.section == "nodes" and item.train_only:
                self.problems.add(f"output: node '{item.name}' exists in training only", ("output",))


def _weight(value: float | dict[str, Any]) -> LossWeight:
    """Return the weight as written. Of a mapping with problems, noted with the other keys, any will do."""
    if not isinstance(value, dict):
        return LossWeight(float(value), float(value))
    first, last, epochs = (value.get(key) for key in ("from", "to", "epochs"))
    if all(BY_KEY[f"losses.*.weight.{key}"].type.accepts(value.get(key)) for key in ("from", "to", "epochs")):
        return LossWeight(float(first), float(last), int(epochs))  # type: ignore[arg-type]
    return LossWeight(1.0, 1.0)


def _roots(output: str | None, wiring: Wiring) -> list[str]:
    if output is None:  # without an output nothing can be called unused
        return [*wiring.nodes, *wiring.inputs]
    return [output.partition(".")[0]]


def _say_ports(ports: Mapping[str, Port]) -> str:
    return ", ".join(f"{name} ({port.pattern})" for name, port in ports.items() if name not in BATCH_PORTS)
