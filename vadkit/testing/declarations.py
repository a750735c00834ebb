"""What a class declares: name, docstring, arguments, ports. Only the constructor is run."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any

import torch

from vadkit.graph.arguments import LARGEST, arguments, misfit
from vadkit.graph.ranges import RANGES, output_ranges
from vadkit.kinds import BATCH_PORTS, KINDS, Head
from vadkit.shapes import COUNTS, Pattern, Port, parse_ports
from vadkit.testing.feeding import size_of
from vadkit.testing.report import Broken
from vadkit.testing.subject import Subject

MOST_ARGUMENTS = 8
FIDELITIES = ("official", "code", "paper", "reconstruction", "ours")


def has_a_name(subject: Subject) -> None:
    """it has its own name in snake_case"""
    name = subject.cls.__dict__.get("name")
    if not isinstance(name, str) or not name.isidentifier() or not name.isascii() or name != name.lower():
        raise Broken(f"{subject.cls.__name__}.name is {name!r}")


def has_a_docstring(subject: Subject) -> None:
    """its docstring begins with a sentence"""
    first = (subject.cls.__dict__.get("__doc__") or "").strip().partition("\n")[0]
    if not first:
        raise Broken("it has no docstring; 'vadkit list' shows the first line")
    if not first[0].isupper() or not first.endswith("."):
        raise Broken(f"the first line, which 'vadkit list' shows, is not a sentence: {first}")


def says_its_fidelity(subject: Subject) -> None:
    """it declares its fidelity"""
    if subject.cls.fidelity not in FIDELITIES:
        raise Broken(f"fidelity is {subject.cls.fidelity!r}, not one of {', '.join(FIDELITIES)}")


def takes_flat_arguments(subject: Subject) -> None:
    """its constructor takes at most 8 flat, annotated, keyword-only arguments"""
    parameters = list(inspect.signature(subject.cls.__init__).parameters.values())[1:]
    if len(parameters) > MOST_ARGUMENTS:
        raise Broken(f"it takes {len(parameters)} arguments; hard-code those that need no knob")
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            if subject.cls.__init__ is object.__init__ or subject.cls.__init__ is torch.nn.Module.__init__:
                continue
            raise Broken(f"*{parameter.name} accepts anything, so a typo in a YAML file would go unnoticed")
        if parameter.annotation is parameter.empty:
            raise Broken(f"argument '{parameter.name}' has no annotation, so a YAML value cannot be checked")
        if parameter.kind is not parameter.KEYWORD_ONLY:
            raise Broken(f"argument '{parameter.name}' is not keyword-only; write 'def __init__(self, *, ...)'")


def defaults_fit(subject: Subject) -> None:
    """its defaults and its example are of the types it declares"""
    known = arguments(subject.cls)
    strange = sorted(subject.args.keys() - known)
    if strange:
        raise Broken(f"'example' holds '{strange[0]}', which the constructor does not take")
    defaults = {name: known[name].default for name in known if not known[name].required}
    for name, value in {**defaults, **subject.args}.items():
        # The limit for numbers from YAML files is a different matter from the type.
        wrong = misfit(min(value, LARGEST) if type(value) is int else value, known[name].type)
        if wrong:
            raise Broken(f"argument '{name}' {wrong}")


def builds(subject: Subject) -> None:
    """it can be built from its example"""
    subject.build()


def declares_ports(subject: Subject) -> None:
    """it has the ports of its kind, and batch ports have their own shapes"""
    kind = KINDS[subject.cls.kind]
    inputs, outputs = _parsed(subject.cls, "inputs"), _parsed(subject.cls, "outputs")
    for side, ports in (("inputs", inputs), ("outputs", outputs)):
        for needed in parse_ports(getattr(kind, side, {})):
            if needed not in ports:
                raise Broken(f"{side} lacks the port '{needed}', which every {subject.cls.kind} has")
    for name in inputs.keys() & BATCH_PORTS.keys():
        if not _same_form(inputs[name].pattern, BATCH_PORTS[name].shape):
            raise Broken(
                f"port '{name}' comes from the batch as '{BATCH_PORTS[name].pattern or 'a number'}', "
                f"not '{inputs[name].pattern}'"
            )


def _same_form(found: Pattern, wanted: Pattern) -> bool:
    """Return whether two patterns differ in nothing but the names of sizes."""

    def form(pattern: Pattern) -> list[Any]:
        return ["size" if token in pattern.words else token for token in pattern.tokens]

    return form(found) == form(wanted)


def _parsed(cls: type[Any], side: str) -> dict[str, Port]:
    try:
        return parse_ports(getattr(cls, side))
    except (ValueError, AttributeError) as error:
        raise Broken(f"{side}: {error}") from None


def forward_takes_its_ports(subject: Subject) -> None:
    """forward takes exactly its ports, by name, and optional ones may be left out"""
    parameters = dict(list(inspect.signature(subject.cls.forward).parameters.items())[1:])
    for name, port in subject.ports.items():
        if name not in parameters:
            raise Broken(f"forward takes no '{name}'")
        if port.optional and parameters[name].default is not None:
            raise Broken(f"port '{name}' is optional, so forward must take {name}=None")
    for name, parameter in parameters.items():
        if name not in subject.ports and parameter.default is parameter.empty:
            raise Broken(f"forward requires '{name}', which is not one of its ports")


def sizes_are_attributes(subject: Subject) -> None:
    """every size word of its ports is an argument kept as an attribute, or an attribute it sets"""
    module = subject.build()
    ports = [*subject.ports.values(), *parse_ports(subject.cls.outputs).values()]
    for word in {word for port in ports for word in port.pattern.words}:
        if not hasattr(module, word):
            raise Broken(f"the built module has no attribute '{word}'")
    for port in parse_ports(subject.cls.outputs).values():
        for word in port.pattern.words:
            if not isinstance(size_of(module, word), int):
                raise Broken(f"self.{word} of output '{port.name}' is {size_of(module, word)!r}, not a whole number")


def needs_only_sizes(subject: Subject) -> None:
    """it needs no argument beyond the sizes that are inferred"""
    required = {name for name, argument in arguments(subject.cls).items() if argument.required}
    more = sorted(required - subject.inferred())
    if more:
        raise Broken(f"{', '.join(more)} must be given in every graph; give a default, so that a swap edits no number")


def builds_without_memory(subject: Subject) -> None:
    """it can be built on the meta device, where a graph's sizes are found"""
    with torch.device("meta"):
        shadow = subject.build(awake=False)
    real = subject.build(awake=False)
    shapes = {name: tuple(value.shape) for name, value in shadow.state_dict().items()}
    if shapes != {name: tuple(value.shape) for name, value in real.state_dict().items()}:
        raise Broken("its parameters differ from those of an ordinary build")


def authors_names_exist(subject: Subject) -> None:
    """authors_names maps names in its state dict to names in the authors' checkpoint"""
    state = list(subject.build(awake=False).state_dict())
    for ours, theirs in subject.cls.authors_names.items():
        pattern = re.compile(re.escape(ours).replace(r"\*", r"\d+") + r"(\..+)?")
        if not any(pattern.fullmatch(name) for name in state):
            raise Broken(f"authors_names: '{ours}' is not in its state dict, which holds {', '.join(state)}")
        for name in [theirs] if isinstance(theirs, str) else theirs:
            if not name or name.count("*") != ours.count("*"):
                raise Broken(f"authors_names: '{ours}' and '{name}' must have the same number of '*'")


def declares_its_mask_switch(subject: Subject) -> None:
    """mask_switch, if there is one, is a boolean argument, off by default, of a component that takes a mask"""
    switch = getattr(subject.cls, "mask_switch", None)
    if switch is None:
        return
    argument = arguments(subject.cls).get(switch)
    if argument is None or argument.default is not False:
        raise Broken(f"mask_switch is '{switch}', which is not an argument with the default False")
    if "mask" not in subject.ports:
        raise Broken("it has a mask_switch but no port 'mask?'")


def declares_its_range(subject: Subject) -> None:
    """it declares the range of its scores"""
    module = subject.build(awake=False)
    _ports_and_words("range", module.range, parse_ports(subject.cls.outputs))
    if issubclass(subject.cls, Head) and "scores" not in output_ranges(module):
        raise Broken(f"range is {module.range!r}, which says nothing of its scores")


def indices_are_ports(subject: Subject) -> None:
    """'indices' names its own ports and counts"""
    ports = {**subject.ports, **parse_ports(subject.cls.outputs)}
    for port, below in subject.cls.indices.items():
        if port not in ports or below not in COUNTS:
            raise Broken(f"indices declares {port}: {below!r}; it takes ports, and one of {', '.join(sorted(COUNTS))}")


def needs_are_ports(subject: Subject) -> None:
    """'needs' is a known range, or names its own ports and known ranges"""
    _ports_and_words("needs", subject.build(awake=False).needs, subject.ports)


def _ports_and_words(what: str, declared: Any, ports: Mapping[str, Port]) -> None:
    by_port = declared if isinstance(declared, Mapping) else {}
    for port, wanted in by_port.items():
        if port not in ports or wanted not in RANGES:
            raise Broken(f"{what} declares {port}: {wanted!r}")
    if declared is not None and declared is not by_port and declared not in RANGES:
        raise Broken(f"{what} is {declared!r}, not one of {', '.join(RANGES)}")


def is_a_plain_class(subject: Subject) -> None:
    """it inherits from the class of its kind directly"""
    kind = KINDS[subject.cls.kind]
    if not issubclass(subject.cls, kind):
        raise Broken(f"kind is '{subject.cls.kind}' but it is not a {kind.__name__}")


def has_methods(*names: str) -> Any:
    """Return a check that the class has these methods."""

    def check(subject: Subject) -> None:
        missing = [name for name in names if not callable(getattr(subject.cls, name, None))]
        if missing:
            raise Broken(f"it has no {', '.join(missing)}")

    check.__doc__ = f"it has the methods {', '.join(names)}"
    return check


EVERY = [has_a_name, has_a_docstring, says_its_fidelity, is_a_plain_class, takes_flat_arguments, defaults_fit]
MODULE = [
    declares_ports,
    indices_are_ports,
    forward_takes_its_ports,
    builds,
    sizes_are_attributes,
    authors_names_exist,
    needs_only_sizes,
    builds_without_memory,
]
