"""Every value of a component's switches: arguments that are on or off, or one of a few words."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from typing import Any

from vadkit.graph.arguments import arguments
from vadkit.testing.subject import Subject


def every_choice(subject: Subject, more: dict[str, Any] | None = None) -> Iterator[tuple[str, Any, Any]]:
    """Yield (argument, value, module) for every value of every switch that the constructor accepts."""
    for name, argument in arguments(subject.cls).items():
        for value in _choices(argument.type):
            try:
                module = subject.build({**(more or {}), name: value})
            except ValueError:
                continue
            yield name, value, module


def _choices(annotation: Any) -> tuple[Any, ...]:
    if annotation is bool:
        return (False, True)
    if typing.get_origin(annotation) is typing.Literal:
        return typing.get_args(annotation)
    return tuple(choice for inner in typing.get_args(annotation) for choice in _choices(inner))
