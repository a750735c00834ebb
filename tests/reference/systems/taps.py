"""Places in a graph that a table of outputs names, and what may be done with the values found there.

Legend: b rows, v videos, t snippets, c channels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from vadkit.graph.module import VadModel

# name -> function of the value and the run
OPERATIONS: dict[str, Callable[[Tensor, Any], Tensor]] = {
    "sigmoid": lambda x, run: torch.sigmoid(x),
    "swap": lambda x, run: x.transpose(1, 2),  # (b, t, c) -> (b, c, t)
    "column": lambda x, run: x.unsqueeze(-1),  # (b, t) -> (b, t, 1)
    "crops": lambda x, run: x.unflatten(0, (-1, run.crops)).mean(1),  # (v * crops, ...) -> (v, ...)
    "videos": lambda x, run: x.unflatten(0, (-1, run.crops)),  # (v * crops, ...) -> (v, crops, ...)
    "mean": lambda x, run: x.mean(0),
    "norm": lambda x, run: x.norm(dim=-1),
    "first": lambda x, run: x[0],
    "normal": lambda x, run: x[run.labels < 0.5],
    "abnormal": lambda x, run: x[run.labels > 0.5],
}


class Taps:
    """Records, while it is open, what the modules of the named places return.

    A place is a node, "node.port", a module inside of a node ("context.out"), a loss ("losses.mc") or
    ``output``: the scores, as probabilities unless the graph gives others.
    """

    def __init__(self, model: VadModel, places: Iterable[str]) -> None:
        self.model = model
        self.seen: dict[str, Any] = {}
        self.modules: dict[str, nn.Module] = {}
        output = [] if model.plan.output.port is None else [model.plan.output.name]
        for place in [*places, *output]:
            if place != "output":
                path = self._module(place)[0]
                self.modules[path] = model.get_submodule(path)

    def __enter__(self) -> Taps:
        self.handles = [
            module.register_forward_hook(lambda _m, _i, out, path=path: self.seen.setdefault(path, []).append(out))
            for path, module in self.modules.items()
        ]
        return self

    def __exit__(self, *error: object) -> None:
        for handle in self.handles:
            handle.remove()

    def missing(self) -> list[str]:
        """Return the first ports of nodes that have not run."""
        nodes = {path.split(".")[0] for path in self.modules if path not in self.seen} - {"losses"}
        return [step.name for step in self.model.plan.steps if step.module in nodes]

    def __getitem__(self, place: str) -> Tensor:
        if place == "output" and place in self.seen:
            found: Tensor = self.seen["output"]
            return found
        if place == "output":
            ref = self.model.plan.output
            x = self[str(ref)]
            return torch.sigmoid(x) if ref.probability else x
        path, port = self._module(place)
        calls = self.seen[path]
        value = calls[self._call(place, len(calls))]
        return value if port is None else value[port]  # type: ignore[no-any-return]

    def _module(self, place: str) -> tuple[str, str | None]:
        """Return the module of a place, and the port of its result that is meant."""
        node, _, rest = place.partition(".")
        steps = {step.name: step.module for step in self.model.plan.steps}
        parts = [steps.get(node, node), *rest.split(".")] if rest else [steps.get(node, node)]
        known = dict(self.model.named_modules())
        if ".".join(parts) in known:
            return ".".join(parts), None
        path, port = ".".join(parts[:-1]), parts[-1]
        if path not in known:
            raise KeyError(f"there is no module or port '{place}'")
        outputs = [step.outputs for step in self.model.plan.steps if step.name == node]
        return path, None if outputs and len(outputs[0]) == 1 and len(parts) == 2 else port

    def _call(self, place: str, calls: int) -> int:
        """Return which call of a module is the node's: nodes that share one run in the order of the plan."""
        node = place.split(".")[0]
        sharing = [s.name for s in self.model.plan.steps if s.module == self._step(node)]
        return sharing.index(node) if node in sharing and len(sharing) == calls else -1

    def _step(self, node: str) -> str | None:
        return next((s.module for s in self.model.plan.steps if s.name == node), None)
