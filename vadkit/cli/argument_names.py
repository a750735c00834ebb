"""Errors of the Python API name its arguments; on the command line these are options."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from dataclasses import replace

from vadkit.problems import Problem


def as_options(problem: Problem, parser: argparse.ArgumentParser) -> Problem:
    """Return the problem with arguments written as ``parser`` takes them: ``--test-share``, not ``test_share``.

    A word that is an argument beyond doubt is one with an underscore, or one that the message begins with and states
    the value of. What is in quotes is the user's own, and a word before a colon is a key of YAML.
    """
    if problem.place is not None:
        return problem
    options = dict(_options(parser))
    hint = problem.hint and _written(problem.hint, options)
    return replace(problem, message=_stated(_written(problem.message, options), options), hint=hint)


def _options(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from _options(below)
        elif action.option_strings:
            yield action.option_strings[-1].lstrip("-").replace("-", "_"), action.option_strings[-1]
            yield action.dest, action.option_strings[-1]


def _written(text: str, options: dict[str, str]) -> str:
    def option(match: re.Match[str]) -> str:
        return options.get(match[0], match[0])

    parts = re.split(r"('[^']*')", text)
    return "".join(part if i % 2 else re.sub(r"(?<![\w./-])[a-z]+(_[a-z]+)+(?![\w./=:-])", option, part)
                   for i, part in enumerate(parts))  # fmt: skip


def _stated(text: str, options: dict[str, str]) -> str:
    match = re.match(r"([a-z_]+)(?= (?:is|must be|are|takes)\b)", text)
    return options[match[1]] + text[match.end() :] if match and match[1] in options else text
