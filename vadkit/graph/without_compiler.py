"""Shapes on the meta device without the compiler of torch.

Many operations have a meta kernel that is written in Python. The first one imports ``torch._dynamo``, to say that it
is not to be compiled, and sympy, to learn that a size is no formula: both together take longer than ``import torch``.
``vadkit build`` compiles nothing, so while it runs, small modules that have only what is asked are in their places.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import ModuleType
from typing import Any

MARK = "__dynamo_disable"  # where a function keeps the form of itself that is not compiled; see torch/_compile.py
PACKAGES = ("torch._dynamo", "sympy")


class _NoSuchThing:
    """A class that nothing is an instance of."""


class _StandIn(ModuleType):
    """A module of few names; asked for another one, it makes way for the real module."""

    def __init__(self, name: str, names: Mapping[str, Any]) -> None:
        super().__init__(name)
        vars(self).update(names)
        found = importlib.util.find_spec(name) if name in PACKAGES else None
        if found is not None and found.submodule_search_locations:
            self.__path__ = [*found.submodule_search_locations]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # inspect asks every module for its file
            raise AttributeError(name)
        self.leave()
        return getattr(importlib.import_module(self.__name__), name)

    def leave(self) -> None:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]


def _equal(one: Any, other: Any) -> bool:
    return [*one] == [*other] if isinstance(one, tuple | list) else bool(one == other)


# What meta kernels ask of sizes; here every size is a number, and every condition is true or false.
OF_SIZES: dict[str, Any] = {
    **dict.fromkeys(("expect_true", "guard_or_false", "guard_or_true", "statically_known_true"), bool),
    "guard_size_oblivious": bool,
    "guarding_hint_or_throw": lambda size: size,
    "has_guarding_hint": lambda size: True,
    "is_nested_int": lambda size: False,
    "sym_and": lambda *conditions: all(conditions),
    "sym_eq": _equal,
    "sym_or": lambda *conditions: any(conditions),
}


@contextmanager
def without_compiler() -> Iterator[None]:
    """Do without the compiler and what belongs to it, as far as it is not imported already and nothing needs it."""
    import torch  # noqa: F401 - whole, before anything is put in the place of its parts

    seen: list[Any] = []

    def disable(function: Callable[..., Any], *_: object, **__: object) -> Callable[..., Any]:
        seen.append(function)
        return function

    names: dict[str, dict[str, Any]] = {
        "torch._dynamo": {"disable": disable},
        "torch.fx.experimental.symbolic_shapes": OF_SIZES,
        "sympy": {"Basic": _NoSuchThing},
        "triton.runtime.jit": {"JITFunction": _NoSuchThing},  # of the counter of operations
    }
    stand_ins = [_StandIn(name, known) for name, known in names.items() if name not in sys.modules]
    sys.modules.update({module.__name__: module for module in stand_ins})
    try:
        yield
    finally:
        for module in stand_ins:
            module.leave()
        for function in seen:  # called again, it asks the real module
            with suppress(AttributeError):
                delattr(function, MARK)
