"""Where videos come from, by their names: the film, the channel, the camera.

A rule is a regular expression that is matched from the beginning of a name. It has one named group: what that matches
is the source, and the group's name says what a source is, as in ``(?P<film>.+?)__#``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from vadkit.problems import fail, plural

EXAMPLE = "(?P<film>.+?)__#"


@dataclass(frozen=True)
class SourceRule:
    """Says of a name which source it has."""

    pattern: re.Pattern[str]

    @property
    def what(self) -> str:
        """What a source is, in a word."""
        return next(iter(self.pattern.groupindex)).replace("_", " ")

    def of(self, name: str) -> str | None:
        """Return the source of a video; None if its name does not show it."""
        found = self.pattern.match(name)
        return found[next(iter(self.pattern.groupindex))] if found else None


@dataclass(frozen=True)
class Overlap:
    """Which videos share their source with training. ``unknown`` are those whose names do not show it."""

    rule: SourceRule
    seen: tuple[str, ...]
    clean: tuple[str, ...]
    unknown: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """How many videos share their source with training, in words."""
        what, known = self.rule.what, len(self.seen) + len(self.clean)
        share = f" ({100 * len(self.seen) / known:.1f} %)" if known else ""
        lacking = f"; {plural(len(self.unknown), 'name')} without a {what}" if self.unknown else ""
        return f"{len(self.seen)} of {plural(known, 'video')}{share} share their {what} with training{lacking}"


def source_rule(text: str, where: str = "sources") -> SourceRule:
    """Return the rule that a text is. Raises VadkitError, naming ``where`` it was, for a text that is none."""
    try:
        pattern = re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        fail(f"{where}: '{text}' is no regular expression: {error}", f"for example {EXAMPLE}")
    if len(pattern.groupindex) != 1:
        count = plural(len(pattern.groupindex), "named group") if pattern.groupindex else "no named group"
        fail(f"{where}: '{text}' has {count}, and must have one: the source of a video", f"for example {EXAMPLE}")
    return SourceRule(pattern)


def overlap(rule: SourceRule, names: Iterable[str], trained: Iterable[str]) -> Overlap:
    """Return which of the videos ``names`` have a source that one of ``trained`` has, too."""
    known = {rule.of(name) for name in trained}
    sources = {name: rule.of(name) for name in names}
    return Overlap(
        rule,
        seen=tuple(name for name, source in sources.items() if source is not None and source in known),
        clean=tuple(name for name, source in sources.items() if source is not None and source not in known),
        unknown=tuple(name for name, source in sources.items() if source is None),
    )
