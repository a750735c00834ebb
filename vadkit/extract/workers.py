"""Spread work over a few processes: Ctrl-C ends it at once, and a killed process costs the time of one item."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, TypeVar

from vadkit.problems import fail

Item = TypeVar("Item")
Result = TypeVar("Result")
Work = Callable[[Item], Result]
Lost = Callable[[Item, str], Result]  # an item and how its process ended, e.g. "was killed (signal 9)"

TRIES = 2  # an item whose process is killed this often is given up
STARTS = 3  # processes killed in a row before any could begin


@contextlib.contextmanager
def threads_of_torch(count: int) -> Iterator[None]:
    """Let torch and OpenCV use ``count`` threads: how sums are split over threads moves their last digit."""
    import torch

    from vadkit.opencv import opencv_or_none

    before, cv2 = torch.get_num_threads(), opencv_or_none()
    before_cv2 = cv2.getNumThreads() if cv2 else 0
    torch.set_num_threads(count)
    if cv2:
        cv2.setNumThreads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
        if cv2:
            cv2.setNumThreads(before_cv2)


def spread(
    make: Callable[[], Work[Item, Result]],
    items: Iterable[Item],
    workers: int,
    lost: Lost[Item, Result] | None = None,
    timeout: float | None = None,
    threads: int = 1,
) -> Iterator[Result]:
    """Yield ``make()(item)`` for every item, in the order in which they are finished.

    Args:
        make: called once in each process, so that what it sets up (a loaded network) is used again
            for every item. Must be picklable, as must items and results.
        workers: processes; below 1 all is done in this process.
        lost: gives the result of an item whose process was killed twice; without it that is an error.
        timeout: seconds after which the process of an item is killed.
        threads: threads of torch in each process.

    Raises what the work raises, and VadkitError if processes are killed. However it ends, early or
    by an exception, no process is left.
    """
    if workers < 1:
        with threads_of_torch(threads):
            yield from map(make(), items)
        return
    pool = _Pool(make, deque(_Task(item) for item in items), lost, timeout, threads)
    try:
        yield from pool.run(workers)
    finally:
        pool.stop()


@dataclass
class _Task(Generic[Item]):
    item: Item
    tries: int = 0


class _Worker:
    """A process that does one item after the other."""

    def __init__(self, make: Callable[[], Work[Any, Any]], threads: int) -> None:
        # A fresh process: a fork of one that has run torch may hang.
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, make, threads), daemon=True)
        self.process.start()
        theirs.close()
        self.task: _Task[Any] | None = None
        self.deadline = float("inf")

    def give(self, task: _Task[Any], timeout: float | None) -> None:
        self.task = task
        self.deadline = time.monotonic() + timeout if timeout else float("inf")
        with contextlib.suppress(OSError):  # it has just been killed, which shows when its pipe is read
            self.pipe.send(task.item)

    def end(self) -> str:
        """Kill the process if it is late, and return how it ended, in words."""
        late = time.monotonic() >= self.deadline
        if late:
            self.process.kill()
        self.process.join(5)
        self.pipe.close()
        code = self.process.exitcode
        if late:
            return "was killed because it took too long"
        return f"was killed (signal {-code})" if code is not None and code < 0 else f"ended by itself (code {code})"


class _Pool(Generic[Item, Result]):
    def __init__(
        self,
        make: Callable[[], Work[Item, Result]],
        waiting: deque[_Task[Item]],
        lost: Lost[Item, Result] | None,
        timeout: float | None,
        threads: int,
    ) -> None:
        self.make, self.waiting, self.lost, self.timeout, self.threads = make, waiting, lost, timeout, threads
        self.workers: list[_Worker] = []
        self.failed_starts = 0

    def run(self, count: int) -> Iterator[Result]:
        for _ in range(min(count, len(self.waiting))):
            self.workers.append(_Worker(self.make, self.threads))
        while self.waiting or any(w.task for w in self.workers):
            for worker in self._heard():
                try:
                    said, what = worker.pipe.recv()
                except (EOFError, OSError):
                    yield from self._replace(worker)
                    continue
                if said == "raised":
                    raise what
                self.failed_starts = 0
                worker.task, worker.deadline = None, float("inf")
                if self.waiting:
                    worker.give(self.waiting.popleft(), self.timeout)
                if said == "done":
                    yield what
            for worker in [w for w in self.workers if time.monotonic() >= w.deadline]:
                yield from self._replace(worker)

    def _heard(self) -> list[_Worker]:
        deadline = min(w.deadline for w in self.workers)
        patience = None if deadline == float("inf") else max(0.0, deadline - time.monotonic())
        pipes = {w.pipe: w for w in self.workers}
        return [pipes[pipe] for pipe in wait(list(pipes), patience) if isinstance(pipe, Connection)]

    def _replace(self, worker: _Worker) -> Iterator[Result]:
        """Replace a killed process by a fresh one; its item is tried once more."""
        how, task = worker.end(), worker.task
        self.workers.remove(worker)
        if task is None:
            self.failed_starts += 1
            if self.failed_starts >= STARTS:
                fail(
                    f"a worker process {how} before it could begin",
                    hint="there may be too little memory; try fewer workers",
                )
        else:
            task.tries += 1
            if task.tries < TRIES:
                self.waiting.appendleft(task)
            elif self.lost is None:
                fail(
                    f"a worker process {how}",
                    hint="there may be too little memory; finished items are kept: rerun the command",
                )
            else:
                yield self.lost(task.item, how)
        if self.waiting:
            self.workers.append(_Worker(self.make, self.threads))

    def stop(self) -> None:
        for worker in self.workers:
            worker.process.terminate()
        for worker in self.workers:
            worker.process.join(5)
            if worker.process.is_alive():
                worker.process.kill()
            worker.pipe.close()


def _serve(pipe: Connection, make: Callable[[], Work[Any, Any]], threads: int) -> None:
    """Do the items that come through the pipe, in a process of its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its workers itself
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        with threads_of_torch(threads):
            work = make()
            pipe.send(("ready", None))
            while True:
                pipe.send(("done", work(pipe.recv())))
    except EOFError:  # the parent has ended
        return
    except Exception as error:  # noqa: BLE001 - whatever it is, the parent raises it
        pipe.send(("raised", _picklable(error)))


def _picklable(error: Exception) -> Exception:
    text = traceback.format_exc()
    with contextlib.suppress(Exception):
        error.add_note(text)
        from multiprocessing.reduction import ForkingPickler

        ForkingPickler.loads(ForkingPickler.dumps(error))
        return error
    return RuntimeError(text)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
