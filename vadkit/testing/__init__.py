"""The contract test: what every component promises, checked on tiny tensors.

A plugin's author writes one test per component::

    from vadkit.testing import check_component

    def test_contract():
        check_component(MyBlock)

``check_component`` builds the class from its ``example`` and raises ``ComponentError`` with every
broken promise in plain words. A promise that cannot be tested here (CUDA without a CUDA device) is
listed in the report as not run; nothing is skipped silently.

Two attributes declare intended exceptions:

``no_gradient``
    names of parameters whose gradient is exactly zero by construction (say, the bias of an
    attention's keys); a comment gives the reason. A gradient that reaches one is an error.
``pairs_bags``
    of a loss: True if the n-th abnormal video is paired with the n-th normal one, so that only
    permutations that keep both orders leave the value unchanged. May be set in the constructor.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from vadkit.kinds import KINDS, NODE_KINDS
from vadkit.testing import (
    arrays,
    capturing,
    corruptions,
    declarations,
    losses,
    machines,
    nodes,
    sinks,
    stepping,
    training,
    waiting,
)
from vadkit.testing.report import Broken, ComponentError, NotRun, Report
from vadkit.testing.subject import Subject

__all__ = ["ComponentError", "Report", "check_component"]

Check = Callable[[Subject], None]

_DECLARED: list[Check] = [
    *declarations.MODULE,
    declarations.declares_its_mask_switch,
    declarations.declares_its_range,
    declarations.needs_are_ports,
]
_MACHINES: list[Check] = [machines.exports, machines.runs_on_cuda]
_STEP: list[Check] = [waiting.never_waits, capturing.is_captured]
_LIVE: list[Check] = [stepping.steps_as_a_whole, stepping.every_choice_steps]
_NODE: list[Check] = [*_DECLARED, *nodes.NODE, *_LIVE, nodes.stays_in_its_range, *_STEP, *_MACHINES]
CHECKS: dict[str, list[Check]] = {
    "temporal": [*_NODE, nodes.keeps_width],
    "fusion": [*_NODE, nodes.takes_any_number_of_streams],
    "head": list(_NODE),
    "source": [*_DECLARED, *nodes.SOURCE, nodes.stays_in_its_range, *_STEP, *_MACHINES],
    "selector": [*_DECLARED, *nodes.SELECTOR, *_STEP, *_MACHINES],
    "loss": [*_DECLARED, *losses.LOSS, *_STEP, losses.runs_on_cuda],
    "sampler": list(arrays.SAMPLER),
    "postprocess": [*arrays.POSTPROCESS, stepping.postprocess_steps],
    "backbone": list(arrays.BACKBONE),
    "dataset": [declarations.has_methods("videos", "read")],
    "metric": list(arrays.METRIC),
    "labeller": list(arrays.LABELLER),
    "optimizer": list(training.OPTIMIZER),
    "schedule": list(training.SCHEDULE),
    "logger": list(training.LOGGER),
    "corruption": list(corruptions.CORRUPTION),
    "sink": list(sinks.SINK),
}


def check_component(cls: type[Any], **overrides: Any) -> Report:
    """Check every promise of a component, built from its ``example`` with ``overrides`` on top.

    Returns the report. Raises ComponentError, an AssertionError, listing each broken promise.
    """
    kind = getattr(cls, "kind", None)
    if kind not in KINDS:
        raise TypeError(f"{cls.__name__} is no component: derive it from one of {', '.join(KINDS)}")
    subject = Subject(cls, {**getattr(cls, "example", {}), **overrides})
    report = Report(str(getattr(cls, "name", cls.__name__)), str(kind))
    _run(declarations.EVERY, subject, report)
    if not report.broken:
        _run_in_order(subject, report)
    if report.broken:
        raise ComponentError(report)
    return report


def _run_in_order(subject: Subject, report: Report) -> None:
    """Run the checks of the kind for every variant; a component that cannot be built is reported once."""
    variants = [subject]
    for check in CHECKS[report.kind]:
        for variant in variants:
            _run([check], variant, report)
        if report.broken and check in declarations.MODULE:
            return
        if check is declarations.builds and report.kind in (*NODE_KINDS, "loss"):
            variants = list(subject.variants())


def _run(checks: Sequence[Check], subject: Subject, report: Report) -> None:
    for check in checks:
        promise = (check.__doc__ or check.__name__).strip()
        if subject.wired:
            promise += f" (with {', '.join(subject.wired)} wired)"
        try:
            check(subject)
        except Broken as fault:
            report.broken[promise] = str(fault)
        except NotRun as reason:
            report.not_run[promise] = str(reason)
        except Exception as error:  # noqa: BLE001 - a component may raise anything, and that is its fault
            report.broken[promise] = f"it raised {type(error).__name__}: {error}"
        else:
            report.kept.append(promise)
