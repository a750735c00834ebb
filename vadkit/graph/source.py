"""A config after reading: plain data, and a separate table of where each value is written.

The table is keyed by path, so that no special classes leak into the code that uses the data, and a
value inherited from another file still points into that file.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from vadkit.problems import LISTED, Place, nearest

Key = tuple[str | int, ...]


@dataclass
class Source:
    """A config after ``extends`` and overrides.

    ``data`` is plain. ``places`` and ``key_places`` say where a value and its key are written;
    their keys are paths such as ("nodes", "context", "use"). ``files`` are the config and what it
    extends, nearest first. ``deleted`` says where a null removed what was inherited.
    """

    data: dict[str, Any]
    places: dict[Key, Place] = field(default_factory=dict)
    key_places: dict[Key, Place] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    deleted: dict[Key, Place] = field(default_factory=dict)

    def place(self, path: Sequence[str | int], key: bool = False) -> Place | None:
        """Return where the value (or key) at ``path`` is written, or the nearest above it that is."""
        path = tuple(path)
        while path:
            found = self.key_places.get(path) if key else None
            found = found or self.places.get(path)
            if found:
                return found
            path, key = path[:-1], True
        return self.places.get(())

    def as_meant(self, known: Iterable[str]) -> Source:
        """Return the config with misspelt top-level keys corrected.

        For checks that continue after the misspelling was reported, so that it is not reported twice.
        """
        names = {key: name for key, name in zip(self.data, as_meant(self.data, known))}

        def renamed(places: dict[Key, Place]) -> dict[Key, Place]:
            return {(names.get(str(path[0]), path[0]), *path[1:]) if path else (): p for path, p in places.items()}

        data = as_meant(self.data, known)
        return Source(data, renamed(self.places), renamed(self.key_places), self.files, self.deleted)


def as_meant(mapping: dict[str, Any], known: Iterable[str]) -> dict[str, Any]:
    """Return a mapping in which each unknown key has the name that it was probably meant to be.

    Of many unknown keys, only the first few are looked at.
    """
    known = list(known)
    misspelt = [key for key in mapping if key not in known]
    near = {key: nearest(key, known) for key in misspelt[:LISTED]}
    meant: dict[str, Any] = {}
    for key, value in mapping.items():
        close = near.get(key, key)
        taken = close is None or (close != key and close in mapping) or close in meant
        meant[key if taken or close is None else close] = value
    return meant
