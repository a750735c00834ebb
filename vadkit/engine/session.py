"""One training run: mmengine's runner with this folder's loop, hooks and wrappers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from mmengine.hooks import ParamSchedulerHook
from torch import nn

from vadkit import cuda_graph
from vadkit.devices import choose_device
from vadkit.engine import capture, distributed, numerics, optimizers, precision, random_state
from vadkit.engine.adapter import GraphAdapter
from vadkit.engine.blend import Blend
from vadkit.engine.checkpoint_hook import CheckpointHook
from vadkit.engine.checkpoints import Checkpoint
from vadkit.engine.loop import Batches, EvaluateLoop, TrainLoop
from vadkit.engine.moving_average import MovingAverage
from vadkit.engine.precision import StepWrapper
from vadkit.engine.progress import Progress
from vadkit.engine.run_log import Log, RecordHook, plain
from vadkit.engine.run_state import RunState, refuse_broken, stream_seed
from vadkit.engine.runner import QuietRunner, no_trace
from vadkit.engine.schedules import Schedule, share
from vadkit.engine.selection import Selection, label, watched_split
from vadkit.engine.update import Update
from vadkit.interrupt import Interrupt
from vadkit.plugin_manager import Plugins
from vadkit.problems import fail, plural

Evaluate = Callable[[nn.Module], Mapping[str, Any]]


@dataclass
class Session:
    """All that a training run needs. ``run`` may be called once.

    Args:
        model: has ``loss(batch)``; is trained in place.
        batches: see ``vadkit.engine.loop.Batches``.
        train: the ``train`` section with every key.
        device: where to train.
        evaluate: model -> figures, or None; ``metric`` is the figure to select by and ``split`` the split
            that it is measured on.
        folder: for checkpoints, or None to keep none; ``about`` is saved with each and
            ``checkpoint_seconds`` is the least time between two.
        checkpoint: where to resume from, or None.
        log: where records go.
        plugins: which may provide optimizer and schedule; None takes all.
    """

    model: nn.Module
    batches: Batches
    train: Mapping[str, Any]
    device: torch.device
    _: KW_ONLY
    evaluate: Evaluate | None = None
    metric: str = "ap"
    split: str = "test"
    folder: Path | None = None
    about: dict[str, Any] = field(default_factory=dict)
    checkpoint_seconds: float = 60.0
    checkpoint: Checkpoint | None = None
    log: Log = field(default_factory=Log)
    plugins: Plugins | None = None

    def __post_init__(self) -> None:
        self.device = choose_device(str(self.device))  # with its index

    def run(self) -> Outcome:
        """Train; then leave the selected weights in the model, in eval mode.

        Raises VadkitError where something does not fit or a loss is not finite. A first Ctrl-C or SIGTERM saves
        and returns with ``signal`` set.
        """
        train = self.train
        self._check()
        note = precision.note(train["precision"], self.device)
        if note:
            self.progress.note(note)
        with ExitStack() as stack:
            interrupt = stack.enter_context(Interrupt(self.progress.note))
            stack.enter_context(torch.enable_grad())  # the caller may be measuring something
            stack.enter_context(numerics.settings(train, self.device))
            stack.enter_context(random_state.isolated())
            stack.enter_context(no_trace())
            stack.enter_context(precision.ends_in_float32(self.model, train["precision"], self.device.type))
            stack.callback(self.progress.end)
            self._build(interrupt)
            random_state.seed_all(stream_seed(train["seed"], distributed.rank()))
            return self._go(interrupt)

    @property
    def progress(self) -> Progress:
        return self.log.progress

    @property
    def epoch_steps(self) -> int:
        return max(1, len(self.batches) // int(self.train["accumulate"]))

    @property
    def steps(self) -> int:
        return int(self.train["steps"] or self.train["epochs"] * self.epoch_steps)

    @property
    def evaluate_every(self) -> int:
        """Steps between evaluations. By default an epoch where weights are selected, else only the end."""
        if self.evaluate is None:
            return 0
        return int(self.train["evaluate_every"] or (0 if self.train["select"] == "last" else self.epoch_steps))

    def _check(self) -> None:
        precision.check(self.train["precision"], self.device)
        if self.evaluate is None and self.train["select"] != "last":
            fail(f"train.select is {self.train['select']}, but there is nothing to evaluate on")

    def _build(self, interrupt: Interrupt) -> None:
        train = self.train
        self.model.to(self.device).train()
        optimizer = optimizers.build(self.model, train["optimizer"], train["groups"], self.plugins)
        schedule = Schedule(optimizer, share(train["schedule"], self.steps, self.epoch_steps, self.plugins))
        able = cuda_graph.device_of(self.device)
        if able is not None and optimizers.uncapturable(optimizer) is None:
            optimizers.keep_on_device(optimizer)
            schedule.keep_on(self.device)
        every = train["log_every"] or max(1, min(10, self.steps // 20))
        self.selection = Selection(train["select"], self.metric)
        self.records = RecordHook(self.log, every, self.device, self._last_good, lambda: schedule.rates)
        self.ema = None if train["ema"] is None else MovingAverage(train["ema"])
        rule = optimizers.rule_of(train["optimizer"], self.plugins)
        self.run_state = RunState(self.records, self.selection, schedule, self.ema, rule)
        self.checkpoint_hook = CheckpointHook(
            self.folder,
            self.run_state.take,
            self.about,
            self.checkpoint_seconds,
            self.device,
            train["checkpoint_every"],
        )
        blend = Blend(self.model, train["blend"], self.steps, self.epoch_steps) if train["blend"] else None
        update = capture.captured(Update(blend, self.ema), train, able, optimizer, self.progress.note)
        hooks = [self.ema, self.records, ParamSchedulerHook(), self.checkpoint_hook]
        self.runner = QuietRunner(
            GraphAdapter(self.model),
            device=self.device,
            batches=self.batches,
            loop=self._loop(interrupt, update),
            optim_wrapper=self._wrapper(optimizer),
            schedule=schedule,
            hooks=[hook for hook in hooks if hook is not None],
            resume=self._resume,
        )
        self.runner.graph = self.model
        if self.evaluate is not None:
            self.runner._val_loop = EvaluateLoop(self.runner, self._watch(interrupt), self._measured)

    def _last_good(self) -> str:
        return self.checkpoint_hook.last_good()

    def _loop(self, interrupt: Interrupt, update: Update) -> dict[str, Any]:
        return {
            "type": TrainLoop,
            "update": lambda *given: update(*given),  # mmengine copies what is no function
            "steps": self.steps,
            "epoch_steps": self.epoch_steps,
            "accumulate": self.train["accumulate"],
            "evaluate_every": self.evaluate_every,
            "stopping": lambda: (
                self._out_of_patience() or distributed.any_process(interrupt.signal is not None, self.device)
            ),
        }

    def _out_of_patience(self) -> bool:
        """Return whether ``train.patience`` evaluations in a row were no better; it needs no state of its own."""
        best, patience, evaluated = self.selection.best, self.train["patience"], self.runner.train_loop.evaluated
        if best is None or patience is None or evaluated is None:
            return False
        return bool(evaluated - best.step >= patience * self.evaluate_every)

    def _wrapper(self, optimizer: torch.optim.Optimizer) -> StepWrapper:
        train = self.train
        scaler = torch.amp.GradScaler(self.device.type) if train["precision"] == "fp16" else None
        return StepWrapper(
            optimizer,
            precision=train["precision"],
            device_type=self.device.type,
            accumulate=train["accumulate"],
            clip_grad=train["clip_grad"],
            scaler=scaler,
        )

    def _resume(self, runner: Any) -> None:
        if self.checkpoint is not None:
            self.run_state.restore(runner, self.checkpoint)
            self.checkpoint_hook.saved = self.checkpoint.step
            self.progress.note(f"resuming after step {self.checkpoint.step} of {self.steps}")

    # -- evaluation ------------------------------------------------------------------------------
    def _watch(self, interrupt: Interrupt) -> Callable[[nn.Module], dict[str, Any]]:
        assert self.evaluate is not None
        evaluate = self.evaluate

        def watch(graph: nn.Module) -> dict[str, Any]:
            # Process 0 measures, and another process that waits for it cannot be interrupted.
            interrupt.breakable = not distributed.active()
            try:
                with torch.no_grad():
                    return distributed.first(lambda: plain(evaluate(graph).items()))
            finally:
                interrupt.breakable = False

        return watch

    def _measured(self, figures: dict[str, Any], graph: nn.Module) -> None:
        self.selection.offer(self.runner.iter, figures, graph)
        self.log.write(self.evaluation(self.runner.iter, self.split, figures))

    def evaluation(self, step: int, split: str, figures: dict[str, Any]) -> dict[str, Any]:
        """Return the log's record of an evaluation, labelled where it flatters."""
        select = self.train["select"]
        record = {"kind": "evaluation", "step": step, "split": split, "select": select, "figures": figures}
        note = label(select)
        return record if note is None else {**record, "note": note}

    # -- the run ---------------------------------------------------------------------------------
    def _go(self, interrupt: Interrupt) -> Outcome:
        start = perf_counter()
        try:
            self.runner.train()
        except RuntimeError as error:
            self._explain(error)
            raise
        except KeyboardInterrupt:
            if not interrupt.whole:
                raise
        if interrupt.signal is None and self.runner.iter < self.steps:
            self._note_early_stop()
        # Written also at the end: a longer run may resume from there.
        if self.checkpoint_hook.saved != self.runner.iter:
            self.checkpoint_hook.save(self.runner)
        return self._finish(interrupt, perf_counter() - start)

    def _note_early_stop(self) -> None:
        step, best, count = self.runner.iter, self.selection.best, self.train["patience"]
        if self.records.rows:
            self.records.flush(self.runner, step)
        if best is not None:
            self.progress.note(
                f"stopped early after step {step}: {self.metric} on {self.split} was best at step {best.step}, and "
                f"{plural(count, 'evaluation')} since were no better (train.patience)"
            )

    def _explain(self, error: RuntimeError) -> None:
        """Raise a VadkitError if torch refused a step: it cannot be deterministic, or a number is not finite.

        Binary cross entropy does not return nan for a score that is nan: it raises, and on CUDA the device is
        unusable afterwards.
        """
        numerics.refuse_nondeterministic(error)
        step, text = self.runner.iter + 1, str(error)
        if "device-side assert" not in text:
            refuse_broken(self.model.state_dict(), self.runner.iter, self.records)
        if "device-side assert" in text or "should be between 0 and 1" in text:
            fail(
                f"a loss was given scores outside 0 ... 1, probably nan, in step {step}; training stopped",
                hint=f"{self.checkpoint_hook.last_good()}; a lower train.optimizer.lr or a train.clip_grad may help",
            )

    def _finish(self, interrupt: Interrupt, seconds: float) -> Outcome:
        best, steps = self.selection.best, self.runner.iter
        if interrupt.signal is None:
            if best is not None:
                self.model.load_state_dict(best.weights)
            elif self.ema is not None:
                self.ema._swap_ema_parameters()
        self.model.zero_grad(set_to_none=True)
        self.model.eval()
        return Outcome(
            steps=steps,
            chosen=steps if best is None else best.step,
            best=None if best is None else best.value,
            history=self.log.history,
            seconds=seconds,
            signal=interrupt.signal,
        )


@dataclass(frozen=True)
class Outcome:
    """How a run ended: steps done, the step whose weights were chosen, its figure, the log, and the signal
    that ended it early, if any."""

    steps: int
    chosen: int
    best: float | None
    history: list[dict[str, Any]]
    seconds: float
    signal: int | None


__all__ = ["Evaluate", "Outcome", "Session", "watched_split"]
