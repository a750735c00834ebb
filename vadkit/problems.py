"""What is wrong with the user's input, where, and how to fix it: the only errors a user sees.

Code that checks input collects ``Problem`` objects and raises them together as one
``VadkitError``; the command line renders them. Nothing here prints.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

SHOWN = 20  # more problems than this are counted, not listed
WIDTH = 110  # characters of a source line that are shown
SAME = 3  # of problems with one cause, the names that are listed after the first
LISTED = 20  # a hint lists what is known up to this many names
Later = Callable[[], "str | None"]


@dataclass(frozen=True, order=True)
class Place:
    """A spot in a text file. ``line`` and ``column`` count from 1; ``source`` is the whole line.

    With ``column`` 0 there is no text: ``file`` alone says where, and ``line`` only orders.
    """

    file: str
    line: int
    column: int
    source: str = ""
    width: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.column else self.file


@dataclass(frozen=True)
class Note:
    """A remark on a problem, such as where the other side of a conflict comes from."""

    text: str
    place: Place | None = None

    def __str__(self) -> str:
        return self.text if self.place is None else f"{self.text}, {self.place}"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, worded for somebody who did not write the code.

    ``later`` returns the hint. It is asked only for problems that are shown: to look for a near name takes long if
    thousands are wrong.
    """

    message: str
    place: Place | None = None
    hint: str | None = None
    notes: tuple[Note, ...] = ()
    later: Later | None = field(default=None, compare=False, repr=False)

    def settled(self, shown: bool = True) -> Problem:
        """Return the problem with its hint; without one if it is not ``shown``."""
        if self.later is None:
            return self
        return replace(self, hint=self.later() if shown else None, later=None)

    def render(self) -> str:
        """Return the message with its place, the source line, a caret, the hint and the notes."""
        message = self.message.replace("\n", "\n    ")  # a file name may have several lines, which are no messages
        lines = [f"{self.place}: {message}" if self.place else message]
        if self.place and self.place.source.strip():
            lines += _excerpt(self.place)
        if self.hint:
            lines.append(f"  hint: {self.hint}")
        lines += [f"  note: {note}" for note in self.notes]
        return "\n".join(lines)


def _excerpt(place: Place) -> list[str]:
    """Return the source line and the carets under it; of a long line, the part around them."""
    start = 0 if len(place.source) <= WIDTH else max(0, place.column - 1 - WIDTH // 2)
    text = place.source[start : start + WIDTH]
    before = "..." if start else ""
    after = "..." if start + WIDTH < len(place.source) else ""
    at = place.column - 1 - start
    carets = "^" * max(1, min(place.width, len(text) - at))
    return [f"    {before}{text}{after}", "    " + " " * (len(before) + at) + carets]


class VadkitError(Exception):
    """Bad input. Carries every problem found; the command line shows them and exits with 2."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = [p.settled(i < SHOWN) for i, p in enumerate(sorted(problems, key=_order))]
        super().__init__(render(self.problems))

    @property
    def first(self) -> str:
        """The first problem in one line: where and what."""
        problem = self.problems[0]
        return f"{problem.place}: {problem.message}" if problem.place else problem.message

    def __reduce__(self) -> tuple[type[VadkitError], tuple[list[Problem]]]:
        return type(self), (self.problems,)  # keeps the problems when raised in another process


def _order(problem: Problem) -> tuple[str, int, int]:
    place = problem.place
    if place is None:
        return "", 0, 0
    return (place.file if place.column else "", place.line, place.column)


class Problems:
    """Collects the problems of one config, so that all of them are raised together.

    ``locate`` returns the place of the value at a path of keys, or of its key.
    """

    def __init__(self, locate: Callable[[Sequence[Any], bool], Place | None]) -> None:
        self.locate = locate
        self.found: list[Problem] = []

    def add(
        self,
        message: str,
        path: Sequence[Any],
        hint: str | Later | None = None,
        notes: Sequence[Note] = (),
        key: bool = False,
    ) -> None:
        """Note a problem with the value at ``path``, or with its ``key``."""
        later = None if hint is None or isinstance(hint, str) else hint
        written = hint if isinstance(hint, str) else None
        self.found.append(Problem(message, self.locate(path, key), written, tuple(notes), later))

    def stop(self) -> None:
        """Raise VadkitError if there are any problems."""
        if self.found:
            raise VadkitError(dict.fromkeys(self.found))


def fail(message: str, hint: str | None = None, place: Place | None = None, notes: Sequence[Note] = ()) -> NoReturn:
    """Raise a ``VadkitError`` that holds one problem."""
    raise VadkitError([Problem(message, place, hint, tuple(notes))])


def render(problems: Sequence[Problem], shown: int = SHOWN) -> str:
    """Return the text of all problems, the first ``shown`` of them in full; an equal cause is said once."""
    groups: dict[Any, list[Problem]] = {}
    for number, problem in enumerate(problems):
        subject, cause = _split(problem)
        key = (cause, problem.hint, problem.notes) if subject else number
        groups.setdefault(key, []).append(problem)
    text = [_render_group(group) for group in list(groups.values())[:shown]]
    left = sum(len(group) for group in list(groups.values())[shown:])
    return "\n".join([*text, f"... and {left} more problems"] if left else text)


def _split(problem: Problem) -> tuple[str, str]:
    """Return what a problem is with, a file or a video, and what is wrong; the first is empty if that is not clear."""
    if problem.place is not None:
        return ("", "") if problem.place.column else (problem.place.file, problem.message)
    subject, colon, cause = problem.message.partition(": ")
    return (subject, cause) if colon and " " not in subject else ("", "")


def _render_group(group: list[Problem]) -> str:
    first, *others = group
    if not others:
        return first.render()
    names = ", ".join(_split(problem)[0] for problem in others[:SAME])
    more = f" and {len(others) - SAME} more" if len(others) > SAME else ""
    return f"{first.render()}\n  the same: {names}{more} ({len(group)} in all)"


def unknown(
    word: str,
    known: Iterable[str],
    what: str,
    where: str = "",
    place: Place | None = None,
    notes: Sequence[Note] = (),
    otherwise: str | None = None,
) -> Problem:
    """Return the problem "unknown WHAT 'WORD' WHERE", its hint the known word that was probably meant.

    Where no known word is near, the hint is ``otherwise``, or the known words if they are few.
    """
    known = known if isinstance(known, Collection) else list(known)
    short = word if len(word) <= WIDTH else f"{word[: WIDTH - 3]}..."

    def hint() -> str | None:
        few = otherwise is None and 0 < len(known) <= LISTED
        return did_you_mean(word, known) or (f"known here: {', '.join(known)}" if few else otherwise)

    return Problem(f"unknown {what} '{short}' {where}".rstrip(), place, None, tuple(notes), hint)


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """Return the hint "did you mean '...'?" or None if no known word is near."""
    close = nearest(word, known)
    return f"did you mean '{close}'?" if close else None


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that ``word`` was probably meant to be, or None."""
    known = sorted(known)
    # A missing underscore is the most common slip, and difflib rates it too low in short names.
    plain = {k.replace("_", "").replace("-", "").lower(): k for k in known}
    same = plain.get(word.replace("_", "").replace("-", "").lower())
    if same is not None:
        return same
    close = difflib.get_close_matches(word, known, 3, 0.6)
    # Of equally close words, that with the same letters in another order: two letters were swapped.
    swapped = next((k for k in close if sorted(k) == sorted(word)), None)
    return swapped or (close[0] if close else None)


def as_sentence(text: str) -> str:
    """Return a text that begins with a capital letter and ends with a stop."""
    return text[:1].upper() + text[1:].rstrip(".") + "."


def some(names: Sequence[str], most: int = 5) -> str:
    """Return the first names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def plural(count: int, noun: str) -> str:
    """Return '1 video' or '2 videos'."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
