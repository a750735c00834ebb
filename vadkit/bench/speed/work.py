"""What is timed: a train step and the scoring of a batch, of a graph, a restatement or one component."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from vadkit.bench.speed.counting import size, trained_bytes
from vadkit.devices import float32
from vadkit.engine.precision import TYPES, ends_in_float32
from vadkit.graph.module import VadModel
from vadkit.restatement import Restatement


class Work:
    """A model with a batch.

    Args:
        model: on its device.
        loss: of the batch; its gradient is a train step's.
        score: the batch's scores.
        inputs: bytes of the batch and of what comes out.
        precision: fp32, tf32, bf16 or fp16.
        updates: whether a train step ends with Adam.
        is_captured: whether it is recorded, so that Adam counts its steps on the device; scoring is not.
        fused: whether Adam is torch's fused form, as in ``vadkit train``.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Callable[[], Tensor],
        score: Callable[[], Any] | None,
        inputs: float,
        precision: str = "fp32",
        updates: bool = True,
        is_captured: bool = False,
        fused: bool = False,
    ) -> None:
        self.model, self.loss, self._score, self.inputs, self.precision = model, loss, score, inputs, precision
        trained = [p for p in model.parameters() if p.requires_grad]
        self.optimizer, self.is_captured = None, is_captured
        if updates and trained:
            self.optimizer = torch.optim.Adam(trained, lr=1e-4, capturable=is_captured, fused=fused)

    @contextmanager
    def ready(self, what: str, device: torch.device) -> Iterator[None]:
        """Switch the mode of the model and the precision meanwhile."""
        self.model.train(what == "train")
        kind = TYPES[self.precision]
        with ExitStack() as stack:
            stack.enter_context(float32(tf32=self.precision == "tf32"))
            stack.enter_context(ends_in_float32(self.model, self.precision, device.type))
            if kind is not None:
                stack.enter_context(torch.autocast(device.type, kind))
            if what == "score":
                stack.enter_context(torch.inference_mode())
            yield

    def forward_backward(self) -> None:
        self.model.zero_grad(set_to_none=True)
        self.loss().backward()

    def optimize(self) -> None:
        if self.optimizer is not None:
            self.optimizer.step()

    def run(self, what: str) -> None:
        """Run a train step or score the batch."""
        if what == "score":
            assert self._score is not None
            self._score()
        else:
            self.forward_backward()
            self.optimize()

    @property
    def kinds(self) -> tuple[str, ...]:
        return ("train",) if self._score is None or self.is_captured else ("train", "score")

    def moved(self, what: str) -> float:
        """Return the bytes that must move."""
        if what == "score":
            return size(self.model.parameters()) + self.inputs
        if self.optimizer is None:  # weights and gradients once each; inputs and theirs
            return 2 * size(self.model.parameters()) + 2 * self.inputs
        return trained_bytes(self.model, self.inputs)


def of_graph(model: VadModel, batch: Mapping[str, Any], precision: str, mode: str) -> Work:
    """Return the work of a graph, eager, compiled or to be captured."""
    streams = {name: batch[name] for name in model.input_sizes}

    def loss() -> Tensor:
        return model.loss(batch)["total"]

    def score() -> Tensor:
        scores: Tensor = model(**streams)
        return scores

    if mode == "compiled":
        loss, score = torch.compile(loss), torch.compile(score)
    captured = mode == "captured"
    return Work(model, loss, score, size(batch.values()), precision, is_captured=captured, fused=True)


def of_restatement(plain: Restatement, batch: Mapping[str, Any], streams: Mapping[str, Any]) -> Work:
    """Return the work of a restatement, in fp32 as its authors run it."""
    return Work(plain, lambda: plain.loss(batch), lambda: plain(**streams), size(batch.values()))
