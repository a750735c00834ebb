"""Spread work over a few processes, so that Ctrl-C ends it at once and a killed process is told."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from vadkit.problems import fail

Item = TypeVar("Item")
Result = TypeVar("Result")
Work = Callable[[Item], Result]

_work: Callable[[Any], Any] | None = None  # in a worker process: what it does, made once


def spread(make: Callable[[], Work[Item, Result]], items: Iterable[Item], workers: int) -> Iterator[Result]:
    """Yield ``make()(item)`` for every item, in the order in which they get finished.

    Args:
        make: called once in each process, so that what it sets up (a loaded network) is used again
            for every item. Must be picklable, as must items and results.
        workers: processes; below 1 all is done in this process.

    Raises what the work raises, and VadkitError if a process is killed. However it is left, early or
    by an exception, no process stays behind.
    """
    if workers < 1:
        yield from map(make(), items)
        return
    # Fresh processes: a fork of one that has run torch may hang.
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _begin, (make,))
    try:
        waiting = {pool.submit(_do, item) for item in items}
        while waiting:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
    except BrokenProcessPool:
        fail("a working process was killed", hint="perhaps too little memory; what is finished is kept: start again")
    finally:
        _stop(pool)


def _begin(make: Callable[[], Callable[[Any], Any]]) -> None:
    global _work
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its workers itself
    import cv2
    import torch

    torch.set_num_threads(1)  # one core for each process
    cv2.setNumThreads(1)
    _work = make()


def _do(item: Any) -> Any:
    assert _work is not None
    return _work(item)


def _stop(pool: ProcessPoolExecutor) -> None:
    processes = list((pool._processes or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(5)
