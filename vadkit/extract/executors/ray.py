"""Actors of a Ray cluster, or of this machine if none is named by RAY_ADDRESS: pip install 'vadkit[ray]'.

Each actor holds the networks and extracts one video after the other. Ray restarts a dead actor, on another
machine if need be, and tries its video once more. All machines must see the videos and the store under the same
path, and have vadkit and its plugins installed.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from vadkit.extract.executors import Resources
from vadkit.extract.workers import Lost, Work, threads_of_torch
from vadkit.problems import fail

STORE_BYTES = 80 << 20  # of Ray's shared memory: what goes through it are names and warnings


def run(
    make: Callable[[], Work[Any, Any]], items: Sequence[Any], lost: Lost[Any, Any], resources: Resources
) -> Iterator[Any]:
    """See ``vadkit.extract.executors.Run``. Raises VadkitError if Ray is not installed or cannot start."""
    started = _connect(max(1, resources.workers))
    pool = _Pool(make, deque(items), lost, resources)
    try:
        yield from pool.run()
    finally:
        pool.stop()
        if started:
            _ray().shutdown()


def _ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        fail("Ray is not installed", hint="pip install 'vadkit[ray]', or use --executor local")
    return ray


def _connect(workers: int) -> bool:
    """Connect to the cluster, or start one of this machine; return whether there was none before."""
    ray = _ray()
    if ray.is_initialized():
        return False
    own = {"num_cpus": workers, "object_store_memory": STORE_BYTES, "include_dashboard": False}
    try:
        ray.init(log_to_driver=False, logging_level="ERROR", **({} if os.environ.get("RAY_ADDRESS") else own))
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        fail(f"Ray cannot be started: {(str(error).splitlines() or [type(error).__name__])[0]}")
    return True


class _Actor:
    """Does the work in an actor's process."""

    def __init__(self, make: Callable[[], Work[Any, Any]], threads: int) -> None:
        self.stack = contextlib.ExitStack()
        self.stack.enter_context(threads_of_torch(threads))
        self.error: Exception | None = None
        try:
            self.work = make()
        except Exception as error:  # noqa: BLE001 - of what is raised here, Ray would hand on the text alone
            self.error = error

    def begin(self) -> None:
        if self.error is not None:
            raise self.error

    def do(self, item: Any) -> Any:
        return self.work(item)


BEGIN = object()  # takes the place of an item while an actor loads its networks


class _Pool:
    def __init__(
        self, make: Callable[[], Work[Any, Any]], waiting: deque[Any], lost: Lost[Any, Any], resources: Resources
    ) -> None:
        self.ray, self.make, self.waiting, self.lost, self.resources = _ray(), make, waiting, lost, resources
        self.running: dict[Any, tuple[Any, Any, float]] = {}  # task -> its actor, item and deadline
        self.late: set[int] = set()  # items that took too long once, by identity

    def run(self) -> Iterator[Any]:
        for _ in range(min(max(1, self.resources.workers), len(self.waiting))):
            self._start()
        while self.running:
            deadline = min(deadline for _, _, deadline in self.running.values())
            patience = None if deadline == float("inf") else max(0.0, deadline - time.monotonic())
            done, _ = self.ray.wait(list(self.running), num_returns=1, timeout=patience)
            for task in done:
                yield from self._take(task)
            for task in [t for t, (_, _, deadline) in self.running.items() if time.monotonic() >= deadline]:
                yield from self._end_late(task)

    def stop(self) -> None:
        for actor, _, _ in self.running.values():
            self.ray.kill(actor)

    def _start(self) -> None:
        """Start an actor, if there is work for it; it is given some once its networks are loaded."""
        if self.waiting:
            options = {"num_cpus": self.resources.threads, "num_gpus": int(self.resources.gpu)}
            # Any number of restarts: a video that kills its actor is given up, and the actor goes on with the next.
            kind = self.ray.remote(max_restarts=-1, max_task_retries=1, **options)(_Actor)
            actor = kind.remote(self.make, self.resources.threads)
            self.running[actor.begin.remote()] = actor, BEGIN, float("inf")

    def _give(self, actor: Any) -> None:
        if self.waiting:
            item, limit = self.waiting.popleft(), self.resources.timeout
            self.running[actor.do.remote(item)] = actor, item, time.monotonic() + limit if limit else float("inf")

    def _take(self, task: Any) -> Iterator[Any]:
        actor, item, _ = self.running.pop(task)
        try:
            result = self.ray.get(task)
        except self.ray.exceptions.RayTaskError as error:
            raise (error.cause or error) from None
        except self.ray.exceptions.RayActorError:
            if item is BEGIN:
                fail(
                    "an actor of Ray was killed before it could begin",
                    "there may be too little memory; try fewer workers",
                )
            result = self.lost(item, "was killed")
        self._give(actor)
        if item is not BEGIN:
            yield result

    def _end_late(self, task: Any) -> Iterator[Any]:
        actor, item, _ = self.running.pop(task)
        self.ray.kill(actor)
        if id(item) in self.late:
            yield self.lost(item, "was killed because it took too long")
        else:
            self.late.add(id(item))
            self.waiting.appendleft(item)
        self._start()
