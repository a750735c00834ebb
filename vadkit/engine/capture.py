"""``train.capture``: the update recorded once as a CUDA graph, and replayed with a single launch.

A recording repeats the same operations on the same memory. Batches are therefore copied into memory of their own.
What changes from step to step is a tensor (learning rates, shares of a blend), or part of the ``kind`` of an update
(weights of losses, sizes of a batch, its plain numbers), and a recording serves one kind. The first update of a kind
runs as usual, so that all exists that is created on first use, and the next one is recorded. One recording is kept:
what occurs now and then, such as the last batch of an epoch, runs as usual.

Recording computes nothing. A replay draws the random numbers that the usual update would have drawn.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from vadkit.cuda_graph import Device, Memory
from vadkit.engine import distributed
from vadkit.engine.host_waits import Watch, place
from vadkit.engine.optimizers import uncapturable
from vadkit.engine.precision import TYPES
from vadkit.engine.update import Losses, Update
from vadkit.problems import fail

WORTH = 8  # replays after which a recording has paid
LONGEST = 64  # updates of one kind that are waited for at most
WATCHED = 32  # kinds of update that are looked at for what cannot be recorded
BATCHES = 16  # of one update, at most: each needs memory of its own
Kind = tuple[Hashable, ...]


def captured(
    update: Update,
    train: Mapping[str, Any],
    device: Device | None,
    optimizer: torch.optim.Optimizer,
    note: Callable[[str], None],
) -> Update:
    """Return ``update`` as ``train.capture`` wants it. Raises VadkitError if it must be captured and cannot be."""
    if train["capture"] == "off":
        return update
    must = train["capture"] == "on"
    reason = "it needs a CUDA device" if device is None else _reason(train, optimizer)
    if device is not None and reason is None:
        return Captured(update, device, note, must)
    if must or device is not None:
        _report(str(reason), must, note)
    return update


def _reason(train: Mapping[str, Any], optimizer: torch.optim.Optimizer) -> str | None:
    if distributed.active():
        return "several processes exchange gradients"
    if TYPES[train["precision"]] is torch.float16:
        return "train.precision fp16 decides after every step whether it counts"
    if train["accumulate"] > BATCHES:
        return f"train.accumulate is above {BATCHES}, and each batch would need memory of its own"
    return uncapturable(optimizer)


def _report(reason: str, must: bool, note: Callable[[str], None]) -> None:
    if must:
        fail(f"train.capture is on, but this training cannot be captured: {reason}", "use train.capture=auto or off")
    note(f"train.capture: {reason}; training continues without it")


@dataclass
class Recording:
    """An update of one kind. Each replay fills ``row``, the losses by ``names``, and ``norm``, of the gradient."""

    kind: Kind
    replay: Callable[[], None]
    names: list[str]
    row: Tensor
    norm: Tensor | None
    memories: set[Kind]
    used: int = 0


class Captured(Update):
    """Does the same as ``update``, by replaying a recording of it where there is one.

    Args:
        update: what to do.
        device: records and replays.
        note: called with the reason if nothing can be recorded; training then continues without.
        must: raise VadkitError with that reason instead.
    """

    def __init__(self, update: Update, device: Device, note: Callable[[str], None], must: bool = False) -> None:
        super().__init__(update.blend, update.ema)
        self.device, self.note, self.must, self.off = device, note, must, False
        self.memories: dict[Kind, Memory] = {}
        self.recording: Recording | None = None
        self.kind: Kind = ()  # of the update at hand
        self.again = False  # whether it is that of the update before
        self.counts: dict[Kind, int] = {}  # updates of this kind and of the one that it took turns with
        self.needed = 1  # usual updates of a kind before one is recorded
        self.watched: set[Kind] = set()

    def __call__(self, runner: Any, step: int, batches: Iterable[Mapping[str, Any]]) -> Losses:
        if self.off:
            return super().__call__(runner, step, batches)
        self.prepare(step)
        with self.device.aside():
            held = self._held(runner.graph, batches)
            losses = self._replayed(runner, held)
            if losses is None:
                losses = self._usual(runner, held)
        self.finish()
        return losses

    def _held(self, model: nn.Module, batches: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Copy the batches into memory of their own, and note what kind of update they are."""
        kind: list[Hashable] = []
        held, used = [], set()
        for position, batch in enumerate(batches):
            tensors = {name: value for name, value in batch.items() if isinstance(value, Tensor)}
            place = position, *((name, x.shape, x.dtype) for name, x in tensors.items())
            if place not in self.memories:
                self.memories[place] = self.device.memory(tensors)
            self.memories[place].fill(tensors)
            held.append({**batch, **self.memories[place].own})
            used.add(place)
            kind += [place, plain_values(model, batch)]
        needed = used | (self.recording.memories if self.recording else set())
        self.memories = {place: memory for place, memory in self.memories.items() if place in needed}
        self._count(tuple(kind))
        self.used = used
        return held

    def _count(self, kind: Kind) -> None:
        self.again, self.kind = kind == self.kind, kind
        self.counts[kind] = self.counts.pop(kind, 0) + 1
        if len(self.counts) > 2:
            del self.counts[next(iter(self.counts))]

    def _replayed(self, runner: Any, held: list[dict[str, Any]]) -> Losses | None:
        """Replay the recording of this kind of update, if there is one or it is time to make one."""
        found = self.recording
        if found is None or found.kind != self.kind:
            if not self.again or self.counts[self.kind] <= self.needed:
                return None
            found = self._record(runner, held)
            if found is None:
                return None
        found.replay()
        found.used += 1
        runner.optim_wrapper.grad_norm = None if found.norm is None else found.norm.clone()
        return dict(zip(found.names, found.row.clone().unbind()))

    def _record(self, runner: Any, held: list[dict[str, Any]]) -> Recording | None:
        if self.recording is not None and self.recording.used < WORTH:  # the kind changes too often for it to pay
            self.needed = min(LONGEST, 2 * self.needed)
        self.recording = None  # before its successor takes memory
        wrapper = runner.optim_wrapper
        count = wrapper._inner_count

        def work() -> tuple[list[str], Tensor, Tensor | None]:
            losses = self.work(runner, held)
            return list(losses), torch.stack([x.detach().float() for x in losses.values()]), wrapper.grad_norm

        try:
            replay, (names, row, norm) = self.device.capture(work)
        except RuntimeError as error:
            wrapper.optimizer.zero_grad()
            self._give_up(_cause(error, runner.graph))
            return None
        finally:
            wrapper._inner_count = count
        self.recording = Recording(self.kind, replay, names, row, norm, self.used)
        return self.recording

    def _usual(self, runner: Any, held: list[dict[str, Any]]) -> Losses:
        """Run the update as it is; the first of a kind is watched for what cannot be recorded."""
        if self.off or self.kind in self.watched or len(self.watched) >= WATCHED:
            return self.work(runner, held)
        self.watched.add(self.kind)
        with Watch(runner.graph, self.device.type) as watch:
            losses = self.work(runner, held)
        if watch.found is not None:
            self._give_up(str(watch.found))
        return losses

    def _give_up(self, reason: str) -> None:
        self.off, self.recording, self.memories = True, None, {}
        _report(reason, self.must, self.note)


def plain_values(model: nn.Module, batch: Mapping[str, Any]) -> Hashable:
    """Return the plain numbers that an update of this batch goes by; Python reads them once, when it is recorded."""
    plain = {name: value for name, value in batch.items() if not isinstance(value, Tensor)}
    epoch = plain.get("epoch")
    changing = getattr(model, "changing_weights", None)
    weights = {} if changing is None or epoch is None else changing(epoch)
    if not _takes_epoch(model):
        plain.pop("epoch", None)
    return repr(plain), tuple(weights.items())


def _takes_epoch(model: nn.Module) -> bool:
    """Return whether a node or a loss is given the epoch; a model without a plan may be."""
    plan: Any = getattr(model, "plan", None)
    return plan is None or any(
        ref.batch and ref.name == "epoch" for step in (*plan.steps, *plan.losses) for ref in step.refs
    )


def _cause(error: RuntimeError, model: nn.Module) -> str:
    """Return in one line where in the update an error is from, and what it says."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)][::-1]
    return f"{place(frames, model)} cannot be recorded ({(str(error).splitlines() or ['no message'])[0]})"


__all__ = ["Captured", "captured", "plain_values"]
