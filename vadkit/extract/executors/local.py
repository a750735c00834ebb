"""Processes of this machine. A killed one is replaced, and its video tried once more."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from vadkit.extract.executors import Resources
from vadkit.extract.workers import Lost, Work, spread


def run(
    make: Callable[[], Work[Any, Any]], items: Sequence[Any], lost: Lost[Any, Any], resources: Resources
) -> Iterator[Any]:
    """See ``vadkit.extract.executors.Run``."""
    yield from spread(make, items, resources.workers, lost, resources.timeout, resources.threads)
