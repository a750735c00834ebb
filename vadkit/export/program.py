"""The scores of a model as a program of torch.export with any number of bags and snippets.

Legend: ``b`` bags x crops, ``t`` snippets.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor
from torch.export import Dim, ExportedProgram

from vadkit.graph.module import VadModel
from vadkit.presence import STREAM as PRESENCE
from vadkit.problems import fail

TRACED = (2, 40)  # bags and snippets of the example: neither is 1, which a tracer would take for a constant


def program_of(model: VadModel, path: Path) -> ExportedProgram:
    """Return the program of the inference graph: its inputs (b, t, width) by name, scores (b, t) out.

    ``path`` is where the model is from, for the problem. Raises VadkitError if torch cannot trace a component.
    """
    example = random_inputs(model, *TRACED)
    free = dict.fromkeys(example, {0: Dim.DYNAMIC, 1: Dim.DYNAMIC})
    try:
        with torch.no_grad(), quiet():
            return torch.export.export(model.inference, (), kwargs=example, dynamic_shapes=free, strict=False)
    except Exception as error:  # a component may do anything in its forward
        fail(
            f"{path}: torch.export cannot trace the graph for any number of bags and snippets: {first_line(error)}",
            "a component branches on the values or on the length of its input; 'vadkit build' names the components",
        )


def widths_of(model: VadModel) -> dict[str, int]:
    """Return the inputs of an exported file: the streams, and ``presence`` of a graph that takes it."""
    return {**model.input_sizes, **({PRESENCE: len(model.training_sizes)} if model.takes_presence else {})}


def random_inputs(model: VadModel, bags: int, snippets: int) -> dict[str, Tensor]:
    """Return numbers from 0 to 1 for each input (b, t, width), the same ones for the same sizes."""
    generator = torch.Generator().manual_seed(bags * 100_003 + snippets)
    found = {name: torch.rand(bags, snippets, n, generator=generator) for name, n in widths_of(model).items()}
    if PRESENCE in found:
        found[PRESENCE] = (found[PRESENCE] > 0.2).float()
    return found


@contextmanager
def quiet() -> Iterator[None]:
    """Leave out the warnings of exporters: what they say of their insides is nothing that a user can change."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def first_line(error: Exception) -> str:
    """Return the first line of a message that says something, with the type of the error."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
