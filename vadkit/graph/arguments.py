"""The arguments of a component: what its constructor takes, and whether a YAML value fits."""

from __future__ import annotations

import inspect
import types
import typing
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, Union, get_args, get_origin

from vadkit.graph.wording import say

LARGEST = 1_000_000  # no size or count in this field is larger; a typing slip is


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
    except Exception:  # a plugin's annotation that cannot be resolved: take anything
        hints = {}
    found = {}
    for name, parameter in list(inspect.signature(init).parameters.items())[1:]:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        required = parameter.default is parameter.empty
        found[name] = Argument(name, hints.get(name, Any), None if required else parameter.default, required)
    return found


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
