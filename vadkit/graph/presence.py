"""``presence`` of a call that leaves it, or streams, out.

Legend: b bags x crops, t snippets, n inputs of the graph.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor

from vadkit.problems import fail


def all_there(inputs: Iterable[str], streams: Mapping[str, Any]) -> Tensor | None:
    """Return ``presence`` (b, t, n) of streams that are all there; None if there is none at all."""
    names = list(inputs)
    like = next((streams[name] for name in names if name in streams), None)
    return None if like is None else like.new_ones(*like.shape[:2], len(names))


def with_absent(
    inputs: Iterable[str], scored: Mapping[str, int], streams: Mapping[str, Tensor], presence: Tensor | None
) -> tuple[dict[str, Tensor], Tensor]:
    """Return the streams with zeros for those that were left out, and ``presence``, which is 0 for them.

    Args:
        inputs: of the graph, in the order of the columns.
        scored: the widths of those that the scores depend on.
        streams: what was given, (b, t, width).
        presence: (b, t, n), or None where all that is given is there throughout.

    Raises VadkitError if no stream is given, and for a ``presence`` of another shape.
    """
    names = list(inputs)
    rows = all_there(names, streams)
    if rows is None:
        fail(f"a call needs at least one stream of {', '.join(scored)}")
    if presence is not None and presence.shape != rows.shape:
        fail(
            f"presence has shape {tuple(presence.shape)}; with these streams it is {tuple(rows.shape)}",
            f"its columns are {', '.join(names)}",
        )
    rows = rows if presence is None else presence.to(rows)
    found = {}
    for name, width in scored.items():
        found[name] = streams[name] if name in streams else rows.new_zeros(*rows.shape[:2], width)
    if len(streams) < len(names):
        rows = rows * rows.new_tensor([float(name in streams) for name in names])
    return found, rows
