"""Public names that are loaded when they are first used, so that importing a package is cheap."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any


def lazily(package: str, homes: Mapping[str, Sequence[str]]) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a package whose public names are defined in ``homes``: {module: names}."""
    home_of = {name: module for module, names in homes.items() for name in names}

    def load(name: str) -> Any:
        if name not in home_of:
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        return getattr(importlib.import_module(home_of[name]), name)

    return load


class Package(ModuleType):
    """A package some of whose public names are names of its folders, too: the public name wins.

    Python sets ``vadkit.extract`` to the module whenever something in that folder is imported for the first time;
    a later ``vadkit.extract(...)`` would then call a module. Folders are imported as before:
    ``from vadkit.extract.run import extract_store``.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if not (isinstance(value, ModuleType) and name in self.__dict__.get("__all__", ())):
            super().__setattr__(name, value)
