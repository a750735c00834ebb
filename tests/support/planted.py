"""Make a backbone do one thing differently, with or without saying so in its recipe."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vadkit.kinds import Backbone


def planted(backbone: Backbone, stated: dict[str, Any] | None = None, **methods: Callable[..., Any]) -> Backbone:
    """Return the backbone with methods replaced; each is called with the true method and its arguments.

    Args:
        stated: what its recipe says differently; nothing if the mistake is unknown.
    """
    true = type(backbone)
    body: dict[str, Any] = {
        name: lambda self, *args, change=change, name=name: change(getattr(true, name).__get__(self), *args)
        for name, change in methods.items()
    }
    if stated:
        body["recipe"] = lambda self: {**true.recipe(self), **stated}
    backbone.__class__ = type(true.__name__, (true,), body)
    return backbone


def pictures(change: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    """Return a method for ``planted`` that changes the frames (or samples) of every snippet."""
    return {"extract": lambda extract, snippets: extract([change(snippet) for snippet in snippets])}
