"""One rule infers every size: a word in a port's pattern is a constructor argument or an attribute.

Nodes are taken in running order. Arriving sizes fill the words that are constructor
arguments; the module is built on the meta device; the words of its outputs are read from it.
Each size remembers where it came from, because a clash shows in one place and is caused in another.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.modules.module import register_module_module_registration_hook

from vadkit.graph.arguments import arguments, check_args, suited
from vadkit.graph.wiring import Written, ports_of
from vadkit.kinds import BATCH_PORTS, ModuleComponent
from vadkit.presence import STREAM as PRESENCE
from vadkit.problems import Note, Place, Problems
from vadkit.shapes import COUNTS, Pattern, Port, parse_ports

MOST_PARAMETERS = 4_000_000_000
MOST_MODULES = 2_000


@dataclass(frozen=True)
class Origin:
    """Where a size was decided: "input rgb", "args.dim" or a component's name."""

    what: str
    place: Place | None


@dataclass(frozen=True)
class Value:
    """A value on a wire: its pattern with sizes (None if unknown) and where each size came from."""

    pattern: Pattern | None
    origin: Origin | None = None


@dataclass
class Arriving:
    """A size that arrives at a word of a port."""

    size: int
    source: str
    pattern: Pattern
    origin: Origin | None

    @property
    def notes(self) -> tuple[Note, ...]:
        return _notes(self.source, self.origin)


class Sizes:
    """Infers sizes along the graph and keeps a meta module of every sound node."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        # "node.port", an input's name or that of a value of the batch, whose sizes are mostly unknown
        self.values: dict[str, Value] = {name: Value(port.shape) for name, port in BATCH_PORTS.items()}
        self.streams: list[str] = []
        self.first: dict[str, str] = {}  # node -> its first output, "node.port"
        self.full_args: dict[str, dict[str, Any]] = {}
        self.shared: dict[str, tuple[str, Written]] = {}
        self.modules: dict[str, ModuleComponent] = {}

    # -- the public walk -------------------------------------------------------------------------
    def add_input(self, name: str, pattern: Pattern | None) -> None:
        origin = Origin(f"input {name}", self.problems.locate(("inputs", name), False))
        self.values[name] = Value(pattern, origin)

    def add_classes(self, classes: object) -> None:
        """Note how many classes ``data.classes`` names: the width of the class columns."""
        if isinstance(classes, list) and classes:
            pattern = BATCH_PORTS["class_set"].shape.fill({"num_classes": len(classes)})
            origin = Origin("data.classes", self.problems.locate(("data", "classes"), False))
            self.values["class_set"] = Value(pattern, origin)

    def add_streams(self, names: list[str]) -> None:
        """Note the graph's inputs: the columns of ``presence``, and ``streams`` of the components that take it."""
        pattern = BATCH_PORTS[PRESENCE].shape.fill({"streams": len(names)})
        origin = Origin("the graph's inputs", self.problems.locate(("inputs",), True))
        self.streams, self.values[PRESENCE] = names, Value(pattern, origin)

    def add(self, item: Written, broken: bool) -> None:
        """Infer one node or loss. A broken one, or one fed by an unknown value, stays unknown."""
        assert item.component is None or item.component.outputs is not None
        self._publish(item, {})
        if item.component is None:
            return
        good = check_args(item.component, item.args, item.name, (*item.path, "args"), self.problems)
        if broken or not good:
            return
        arriving = self._arrive(item)
        if arriving is None:
            return
        args = self._infer(item, arriving)
        if args is None:
            return
        module = self._build(item, args)
        if module is not None and self._attributes_agree(item, arriving, module):
            self.full_args[_key(item)] = args
            self.modules[_key(item)] = module
            self._publish(item, self._output_patterns(item, module, arriving))

    # -- steps -----------------------------------------------------------------------------------
    def _publish(self, item: Written, patterns: dict[str, Value]) -> None:
        if item.section != "nodes":
            return
        outputs = parse_ports(item.component.outputs) if item.component else {}
        for port in outputs:
            self.values[f"{item.name}.{port}"] = patterns.get(port, Value(None))
        self.first[item.name] = f"{item.name}.{next(iter(outputs))}" if outputs else item.name
        self.values.setdefault(self.first[item.name], Value(None))

    def value(self, source: str) -> Value:
        """Return what a source as written stands for."""
        return self.values.get(self.first.get(source, source), Value(None))

    def _arrive(self, item: Written) -> dict[str, list[tuple[str, Value]]] | None:
        """Return port -> [(source, value)], or None if one is unknown or of the wrong rank."""
        assert item.component is not None
        ports, sound = ports_of(item.component), True
        arriving: dict[str, list[tuple[str, Value]]] = {}
        for port, source, path in item.sources:
            value = self.value(source)
            arriving.setdefault(port, []).append((source, value))
            if value.pattern is None:
                sound = False
            elif not _same_counts(ports[port].pattern, value.pattern):
                same_rank = len(ports[port].pattern.tokens) == len(value.pattern.tokens)
                self.problems.add(
                    f"{item.name} takes '{ports[port].pattern}' as {port}; {source} gives '{str(value.pattern)}'",
                    path,
                    None,
                    _notes(source, value.origin) if same_rank else (),
                )
                sound = False
        return arriving if sound else None

    def _infer(self, item: Written, arriving: dict[str, list[tuple[str, Value]]]) -> dict[str, Any] | None:
        """Return the constructor's arguments with every inferable one filled, or None after a problem."""
        assert item.component is not None
        known, ports = arguments(item.component), ports_of(item.component)
        args, sound = {name: suited(value, known[name].type) for name, value in item.args.items()}, True
        first: dict[str, Arriving] = {}
        for name, wires in arriving.items():
            for word, sizes in _words(ports[name], wires):
                argument = known.get(word)
                if argument is None:
                    continue
                if argument.is_list:
                    sound &= self._given(item, word, [s.size for s in sizes], sizes[0], args)
                    args[word] = [s.size for s in sizes]
                    continue
                for size in sizes:
                    other = first.setdefault(word, size)
                    if other.size != size.size:
                        self._clash(item, word, other, size)
                        sound = False
                    elif other is size:
                        sound &= self._given(item, word, size.size, size, args)
                args[word] = first[word].size
        if "streams" in known and known["streams"].is_list and args.get("streams") is None and _takes_presence(item):
            args["streams"] = list(self.streams)
        missing = [a.name for a in known.values() if a.required and a.name not in args]
        if sound and missing:
            self.problems.add(f"{item.title} needs args.{missing[0]}", item.path, key=True)
            return None
        return args if sound else None

    def _given(self, item: Written, word: str, arrives: Any, size: Arriving, args: dict[str, Any]) -> bool:
        given = args.get(word)
        if given is None or given == arrives:
            return True
        self.problems.add(
            f"{item.title} has args.{word}={given} but {size.source} gives {arrives}",
            (*item.path, "args", word),
            f"leave {word} out; it is inferred",
            size.notes,
        )
        return False

    def _clash(self, item: Written, word: str, one: Arriving, other: Arriving) -> None:
        self.problems.add(
            f"{item.title} needs {word}={one.size}, as {one.source} gives it, but {other.source} gives "
            f"{other.size} ({str(other.pattern)})",
            (*item.path, "in"),
            None,
            one.notes + other.notes,
        )

    def _build(self, item: Written, args: dict[str, Any]) -> ModuleComponent | None:
        """Build on the meta device: nothing is allocated, but the constructor checks its arguments."""
        assert item.component is not None
        try:
            with torch.device("meta"), _few_modules():
                module = item.component(**args)
        except Exception as error:  # anything a constructor raises means that it refuses
            text = str(error).strip().split("\n")[0] or type(error).__name__
            self.problems.add(f"{item.title} refused its arguments: {text}", item.path, key=True)
            return None
        count = sum(p.numel() for p in (*module.parameters(), *module.buffers()))
        if count > MOST_PARAMETERS:
            self.problems.add(
                f"{item.title} would have {count:,} parameters",
                item.path,
                "check the sizes for an extra digit",
                key=True,
            )
            return None
        return module

    def _attributes_agree(
        self, item: Written, arriving: dict[str, list[tuple[str, Value]]], module: ModuleComponent
    ) -> bool:
        """Compare words that are attributes, not arguments, with what arrives."""
        assert item.component is not None
        known, ports, sound = arguments(item.component), ports_of(item.component), True
        for name, wires in arriving.items():
            for word, sizes in _words(ports[name], wires):
                has = getattr(module, word, None)
                for size in sizes:
                    if word not in known and isinstance(has, int) and has != size.size:
                        self.problems.add(
                            f"{item.title} needs {word}={has} but {size.source} gives {size.size} "
                            f"({str(size.pattern)})",
                            (*item.path, "in"),
                            None,
                            size.notes,
                        )
                        sound = False
        return sound

    def _output_patterns(
        self, item: Written, module: ModuleComponent, arriving: dict[str, list[tuple[str, Value]]]
    ) -> dict[str, Value]:
        assert item.component is not None
        result = {}
        for name, port in parse_ports(item.component.outputs).items():
            sizes = {w: getattr(module, w, None) for w in port.pattern.words}
            unknown = [w for w, s in sizes.items() if not isinstance(s, int)]
            if unknown:
                self.problems.add(
                    f"plugin component '{item.component.name}' declares {name}: {port.pattern} but has "
                    f"no whole number '{unknown[0]}'",
                    item.path,
                    key=True,
                )
                continue
            last = sizes[port.pattern.words[-1]] if sizes else None
            origin = self._origin(item, last, port.pattern.words, arriving)
            result[name] = Value(port.pattern.fill(sizes), origin)
        return result

    def _origin(
        self, item: Written, size: object, words: list[str], arriving: dict[str, list[tuple[str, Value]]]
    ) -> Origin:
        """Return where an output's size came from: an argument, what arrived, or the component."""
        assert item.component is not None
        for word in words:
            if word in item.args:
                return Origin(f"args.{word}", self.problems.locate((*item.path, "args", word), False))
        for value in (value for wires in arriving.values() for _, value in wires):
            if value.origin and value.pattern and size in value.pattern.tokens:
                return value.origin
        return Origin(item.component.name, self.problems.locate(item.path, True))


@contextmanager
def _few_modules() -> Iterator[None]:
    """Stop a runaway constructor: a million layers take hours and gigabytes even on the meta device."""
    count = 0

    def registered(*_: Any) -> None:
        nonlocal count
        count += 1
        if count > MOST_MODULES:
            raise ValueError(f"it would consist of more than {MOST_MODULES} modules")

    hook = register_module_module_registration_hook(registered)
    try:
        yield
    finally:
        hook.remove()


def _takes_presence(item: Written) -> bool:
    return any(PRESENCE in (port, source) for port, source, _ in item.sources)


def _notes(source: str, origin: Origin | None) -> tuple[Note, ...]:
    return (Note(f"{source}'s size comes from {origin.what}", origin.place),) if origin else ()


def _key(item: Written) -> str:
    return f"{item.section}.{item.name}"


def _words(port: Port, wires: list[tuple[str, Value]]) -> list[tuple[str, list[Arriving]]]:
    """Return word -> the sizes that arrive for it, in order of the port's pattern."""
    found: dict[str, list[Arriving]] = {}
    for source, value in wires:
        assert value.pattern is not None
        for token, size in zip(port.pattern.tokens, value.pattern.tokens):
            if isinstance(token, str) and token not in COUNTS and isinstance(size, int):
                found.setdefault(token, []).append(Arriving(size, source, value.pattern, value.origin))
    return list(found.items())


def _same_counts(port: Pattern, value: Pattern) -> bool:
    """Return whether two patterns have the same rank, the same counts, and equal fixed numbers."""
    if len(port.tokens) != len(value.tokens):
        return False
    for p, v in zip(port.tokens, value.tokens):
        if (p in COUNTS or v in COUNTS) and p != v:
            return False
        if isinstance(p, int) and isinstance(v, int) and p != v:
            return False
    return True
