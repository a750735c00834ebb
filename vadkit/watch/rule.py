"""When scores are an event: the model's own rule, with what the user changes of it."""

from __future__ import annotations

from dataclasses import asdict, fields

from vadkit.predict.system import System
from vadkit.problems import Problem, VadkitError, fail, unknown
from vadkit.watch.events import EventRule

KEYS = tuple(one.name for one in fields(EventRule))


def rule_of(system: System, changes: str) -> EventRule:
    """Return the rule of a model, changed by KEY=VALUE,... . ``on`` moves ``off`` with it unless that is given.

    Raises VadkitError for what cannot be read, and for a model without a threshold if none is given.
    """
    given = _read(changes)
    if system.rule is None and "on" not in given:
        fail("this model has no threshold", "set one with --rule on=X, or learn one with 'vadkit calibrate'")
    rule = system.rule or EventRule.at(given["on"])
    if "on" in given and "off" not in given:
        rule = rule.moved(given["on"])
    return EventRule(**{**asdict(rule), **given})


def _read(changes: str) -> dict[str, float]:
    found: dict[str, float] = {}
    problems = []
    for change in filter(None, changes.split(",")):
        key, equals, value = (part.strip() for part in change.partition("="))
        if key not in KEYS:
            problems.append(unknown(key, KEYS, "key", "in --rule"))
            continue
        try:
            found[key] = float(value)
        except ValueError:
            text = f"--rule {change}: '{value}' is not a number" if equals else f"--rule {change}: has no value"
            problems.append(Problem(text, hint="for example --rule on=0.8,off=0.6,least_s=2"))
    if problems:
        raise VadkitError(problems)
    return found
