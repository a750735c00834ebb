"""Shares of a list of videos, for any number of processes or machines: part 3 of 8, written 3/8.

Any scheduler can start the parts, at the same time or not. They write into one store; the last to finish
writes the final index. Videos are assigned by a hash of their names, so that long ones, which are often next to each
other in a list, are spread over the parts.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from vadkit.problems import fail

Item = TypeVar("Item")


@dataclass(frozen=True)
class Share:
    """Part ``number`` (from 1) of ``of``."""

    number: int = 1
    of: int = 1

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def pick(self, items: Sequence[Item], name: Callable[[Item], str]) -> list[Item]:
        """Return this part of the items, in their order. All parts together have each item once."""
        order = sorted(items, key=lambda item: hashlib.sha256(name(item).encode(errors="surrogatepass")).digest())
        # By the middle of the item's place: see ``lock``, whose ranges are cut by the same rule.
        mine = {
            name(item)
            for rank, item in enumerate(order)
            if self.of * (2 * rank + 1) // (2 * len(order)) == self.number - 1
        }
        return [item for item in items if name(item) in mine]


def parse_share(text: str) -> Share:
    """Return the share that "3/8" means. Raises VadkitError."""
    match = re.fullmatch(r"\s*(\d{1,6})\s*/\s*(\d{1,6})\s*", text, re.ASCII)
    number, of = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 1 <= number <= of:
        fail(f"--shard is '{text}'; it must be a part of N parts, such as 1/8")
    return Share(number, of)
