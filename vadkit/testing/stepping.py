"""The promise of nodes and postprocesses that give live scores: fed piece by piece, they give what they give at once.

Legend: ``b`` rows = videos x crops, ``t`` snippets.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vadkit.batch_ports import BATCH_PORTS
from vadkit.graph.stages import PostStage, Slot, Stage, is_timed, why_whole
from vadkit.shapes import parse_ports
from vadkit.testing.choices import every_choice
from vadkit.testing.feeding import Batch, Inputs, call, compare, make_inputs, seeded
from vadkit.testing.report import Broken
from vadkit.testing.subject import Subject

ROUNDING = 1e-5  # what a different order of float32 additions may change
EXTRA = 9  # snippets of the video beyond those that it must have


def steps_as_a_whole(subject: Subject) -> None:
    """its lookback, or its step, is true: fed piece by piece it gives what it gives of the whole video"""
    check_steps(subject.build())


def every_choice_steps(subject: Subject) -> None:
    """its lookback, or its step, is true for every value of its switches"""
    for name, value, module in every_choice(subject):
        try:
            check_steps(module)
        except Broken as fault:
            raise Broken(f"with {name}={value!r}, {fault}") from None


def check_steps(module: Any) -> None:
    """Raise Broken if a node that declares that it can be fed piece by piece then gives something else."""
    if why_whole(module) is not None:
        return
    slots = _slots(module)
    if not slots:
        return
    back = 0 if module.lookback == "all" else module.lookback
    batch = Batch(2, 2 * (back + module.lookahead + module.period) + EXTRA)
    absent = [p.name for p in parse_ports(module.inputs).values() if p.optional and p.name in BATCH_PORTS]
    with torch.no_grad():
        inputs = make_inputs(module, batch, leave_out=absent)
        whole = {name: x for name, x in call(module, inputs).items() if _timed_output(module, name)}
        for seed in range(2):
            pieces = _fed(module, inputs, batch.t, seed)
            compare(pieces, whole, ROUNDING, "is another one if it is fed piece by piece")


def _slots(module: Any) -> list[str]:
    return [name for name, port in parse_ports(module.inputs).items() if is_timed(port.pattern)]


def _timed_output(module: Any, name: str) -> bool:
    return is_timed(parse_ports(module.outputs)[name].pattern)


def _fed(module: Any, inputs: Inputs, t: int, seed: int) -> dict[str, Tensor]:
    """Return the outputs of a node that is fed pieces of random length."""
    timed = {name for name in _slots(module) if name in inputs}
    rows: dict[Slot, Tensor] = {}
    for name in timed:
        streams = inputs[name] if isinstance(inputs[name], list) else [inputs[name]]
        rows |= {(name, number): x for number, x in enumerate(streams)}
    constants = {name: value for name, value in inputs.items() if name not in timed}
    stage = Stage(module, rows)
    found: dict[str, list[Tensor]] = {}
    for start, stop in _pieces(t, seed):
        new = {slot: x[:, start:stop] for slot, x in rows.items()}
        for name, x in stage.advance(new, constants, finished=stop == t).items():
            found.setdefault(name, []).append(x)
    return {name: torch.cat(parts, dim=1) for name, parts in found.items()}


def _pieces(t: int, seed: int) -> Iterator[tuple[int, int]]:
    """Yield the first row of each piece, and the one after its last."""
    with seeded(seed):
        lengths = torch.randint(1, 5, (t,)).tolist() if seed else [1] * t
    start = 0
    while start < t:
        stop = min(t, start + lengths[start])
        yield start, stop
        start = stop


def postprocess_steps(subject: Subject) -> None:
    """its lookahead and lookback are true: fed piece by piece it gives what it gives of all scores"""
    for change in [subject.build(), *(built for _, _, built in every_choice(subject))]:
        if why_whole(change) is not None:
            continue
        t = 2 * (change.lookback + change.lookahead + change.period) + EXTRA
        scores = np.random.default_rng(0).random(t).astype(np.float32)
        for seed in range(2):
            stage = PostStage(change)
            pieces = [stage.advance(scores[a:b], finished=b == t) for a, b in _pieces(t, seed)]
            worst = float(np.abs(np.concatenate(pieces) - np.asarray(change(scores))).max(initial=0.0))
            if worst > ROUNDING:
                raise Broken(f"the scores are others if they come piece by piece, by {worst:.2g}")
