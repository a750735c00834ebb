"""The arguments of a component: what its constructor takes, and whether a YAML value fits."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, Union, get_args, get_origin

from vadkit.graph.wording import say, shorten
from vadkit.kinds import ModuleComponent
from vadkit.problems import Problems, unknown
from vadkit.shapes import parse_ports

LARGEST = 1_000_000  # no real size or count is larger; a typo is


@dataclass(frozen=True)
class Argument:
    """One constructor argument. ``required`` means that it has no default."""

    name: str
    type: Any
    default: Any
    required: bool

    @property
    def is_list(self) -> bool:
        return any(get_origin(t) in (list, tuple) for t in (self.type, *get_args(self.type)))


def arguments(component: type) -> dict[str, Argument]:
    """Return the constructor's arguments by name, in order, without ``self``."""
    return _arguments(component)


@lru_cache(maxsize=512)
def _arguments(component: type) -> dict[str, Argument]:
    init = component.__init__  # type: ignore[misc]
    try:
        hints = typing.get_type_hints(init)
    except Exception:  # an annotation of a plugin that cannot be resolved: accept anything
        hints = {}
    found = {}
    for name, parameter in list(inspect.signature(init).parameters.items())[1:]:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        required = parameter.default is parameter.empty
        found[name] = Argument(name, hints.get(name, Any), None if required else parameter.default, required)
    return found


def check_args(component: Any, args: Mapping[str, Any], title: str, path: Sequence[Any], problems: Problems) -> bool:
    """Note each argument that the constructor does not take or whose value does not fit; return whether all are good.

    ``title`` is what the config calls the component, ``path`` where its ``args`` are.
    """
    known, before = arguments(component), len(problems.found)
    for key, value in args.items():
        at = (*path, key)
        if key not in known:
            otherwise = None if known else f"{component.name} takes no arguments"
            place = problems.locate(at, True)
            problems.found.append(
                unknown(shorten(str(key)), known, "argument", f"of {component.name}", place, otherwise=otherwise)
            )
            continue
        wrong = misfit(value, known[key].type) or _no_size(component, key, value)
        if wrong:
            problems.add(f"{title}.{key} {wrong}", at)
    return len(problems.found) == before


def _no_size(component: Any, name: str, value: Any) -> str | None:
    """Return what is wrong with a size below 1. Many constructors take 0 for None."""
    if not issubclass(component, ModuleComponent):
        return None
    ports = [*parse_ports(component.inputs).values(), *parse_ports(component.outputs).values()]
    if name not in {word for port in ports for word in port.pattern.words}:
        return None
    sizes = value if isinstance(value, list) else [value]
    return f"must be above 0, got {say(value)}" if any(isinstance(n, int) and n < 1 for n in sizes) else None


def misfit(value: Any, wanted: Any) -> str | None:
    """Return what ``value`` should have been ('must be a whole number, got ...'), or None if it fits."""
    if _fits(value, wanted):
        return None
    if isinstance(value, int) and _fits(0, wanted) and not isinstance(value, bool):
        return f"must be a whole number of at most {LARGEST}, got {say(value)}"
    return f"must be {describe(wanted)}, got {say(value)}"


def _fits(value: Any, wanted: Any) -> bool:
    origin = get_origin(wanted)
    if wanted is Any or wanted is inspect.Parameter.empty:
        return True
    if origin in (Union, types.UnionType):
        return any(_fits(value, option) for option in get_args(wanted))
    if origin is Literal:
        return any(value == option and type(value) is type(option) for option in get_args(wanted))
    if origin in (list, tuple):
        inner = get_args(wanted)[0] if get_args(wanted) else Any
        return isinstance(value, list | tuple) and all(_fits(v, inner) for v in value)
    if origin is dict:
        return isinstance(value, dict)
    if wanted is None or wanted is types.NoneType:
        return value is None
    if wanted is int:
        return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST
    if wanted is float:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and value == value and abs(value) != float("inf")
    return isinstance(value, wanted) if isinstance(wanted, type) else True


def suited(value: Any, wanted: Any) -> Any:
    """Return a value that fits as the constructor expects it: 1 is a float where a float is asked for."""
    options = get_args(wanted) if get_origin(wanted) in (Union, types.UnionType) else (wanted,)
    whole = isinstance(value, int) and not isinstance(value, bool)
    return float(value) if whole and float in options and int not in options else value


def describe(wanted: Any) -> str:
    """Return an annotation in words."""
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
    origin = get_origin(wanted)
    if origin in (Union, types.UnionType):
        options = [o for o in get_args(wanted) if o is not types.NoneType]
        text = " or ".join(describe(option) for option in options)
        return f"{text} or null" if types.NoneType in get_args(wanted) else text
    if origin is Literal:
        return "one of " + ", ".join(map(str, get_args(wanted)))
    if origin in (list, tuple):
        inner = get_args(wanted)[0] if get_args(wanted) else Any
        plural = {int: "whole numbers", float: "numbers", str: "texts"}.get(inner, "values")
        return f"a list of {plural}"
    return words.get(wanted, getattr(wanted, "__name__", str(wanted)))
