"""The train loop: one step is one optimizer update, and batches are requested by number.

mmengine's iteration loop sleeps two seconds at every end of the data, replays the data to resume, and
counts batches instead of updates. This one asks for batch ``step x accumulate + i``, so a run that starts at
step k needs nothing from before, and it stops between steps only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from time import perf_counter
from typing import Any, Protocol

from mmengine.runner.base_loop import BaseLoop
from torch import nn

from vadkit.engine.random_state import isolated
from vadkit.engine.update import Losses


class Batches(Protocol):
    """Where batches come from: ``batch`` is a pure function of the number, ``len`` is an epoch."""

    def batch(self, step: int) -> Mapping[str, Any]: ...

    def __len__(self) -> int: ...


class TrainLoop(BaseLoop):  # type: ignore[misc]
    """Runs updates ``runner.iter`` ... ``steps - 1``.

    Args:
        runner: the runner whose hooks are called, by mmengine's names, and ``after_step`` when a step
            is over with its evaluation.
        dataloader: the batches.
        update: does one update, see ``Update``.
        steps: updates in all.
        epoch_steps: updates in an epoch, for the log.
        accumulate: batches in an update.
        evaluate_every: steps between evaluations, or 0.
        stopping: whether to stop now.
    """

    def __init__(
        self,
        runner: Any,
        dataloader: Batches,
        update: Callable[..., Losses],
        steps: int,
        epoch_steps: int,
        accumulate: int = 1,
        evaluate_every: int = 0,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(runner, dataloader)
        self.update, self.max_iters, self.epoch_steps = update, steps, epoch_steps
        self.accumulate, self.evaluate_every, self.stopping = accumulate, evaluate_every, stopping
        self.iter = 0
        self.evaluated: int | None = None  # the last step that was followed by an evaluation
        self.waited = 0.0  # seconds spent waiting for batches so far

    @property
    def epoch(self) -> int:
        return self.iter // self.epoch_steps

    @property
    def max_epochs(self) -> int:
        return -(-self.max_iters // self.epoch_steps)

    def epoch_of(self, step: int) -> int:
        """Return the ``epoch`` of the last batch of the update that ends as ``step``."""
        return (step * self.accumulate - 1) // max(1, len(self.dataloader))

    def run(self) -> nn.Module:
        """Train until the last step, or until ``stopping``."""
        self.runner.call_hook("before_train")
        self.runner.model.train()
        self._evaluate_if_due()  # a run may have been stopped between a step and its evaluation
        while self.iter < self.max_iters and not self.stopping():
            self.run_iter()
            self._evaluate_if_due()
            self.runner.call_hook("after_step")
        self.runner.call_hook("after_train")
        return self.runner.model  # type: ignore[no-any-return]

    def run_iter(self) -> None:
        """Do one update."""
        self.runner.call_hook("before_train_iter", batch_idx=self.iter, data_batch=None)
        outputs = self.update(self.runner, self.iter, self._batches())
        self.runner.call_hook("after_train_iter", batch_idx=self.iter, data_batch=None, outputs=outputs)
        self.iter += 1

    def _batches(self) -> Iterator[Mapping[str, Any]]:
        for number in range(self.iter * self.accumulate, (self.iter + 1) * self.accumulate):
            start = perf_counter()
            batch = self.dataloader.batch(number)
            self.waited += perf_counter() - start
            yield batch

    def _evaluate_if_due(self) -> None:
        due = self.evaluate_every and self.iter and self.iter % self.evaluate_every == 0
        if due and self.evaluated != self.iter and self.runner.val_loop is not None:
            self.runner.val_loop.run()
            self.evaluated = self.iter


class EvaluateLoop(BaseLoop):  # type: ignore[misc]
    """Measures the model as it is, or its moving average if there is one.

    Args:
        runner: the runner.
        evaluate: model -> figures.
        measured: called with the figures, and with the model while the measured weights are in it.
    """

    def __init__(
        self,
        runner: Any,
        evaluate: Callable[[nn.Module], dict[str, Any]],
        measured: Callable[[dict[str, Any], nn.Module], None],
    ) -> None:
        super().__init__(runner, None)
        self.evaluate, self.measured = evaluate, measured

    def run(self) -> None:
        """Evaluate without a trace in weights, mode or random state."""
        graph = self.runner.graph
        self.runner.call_hook("before_val_epoch")
        try:
            graph.eval()
            with isolated():
                self.measured(self.evaluate(graph), graph)
        finally:
            graph.train()
            self.runner.call_hook("after_val_epoch", metrics=None)
