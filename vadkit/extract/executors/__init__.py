"""Where the work of an extraction is done: one small file per executor.

``local``: processes of this machine. ``ray``: actors of a Ray cluster, or of this machine. Both do the
same work on the same items, one video each, which is safe to repeat; a shard of the items
(``vadkit.store.shards``) works with either. A file has ``run``, see ``Run``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal, Protocol, get_args

from vadkit.extract.workers import Lost, Work
from vadkit.problems import did_you_mean, fail

Executor = Literal["local", "ray"]


@dataclass(frozen=True)
class Resources:
    """What an extraction may use. How videos are spread over processes does not change the store.

    Attributes:
        executor: where the processes are.
        workers: processes; 0 does the work in this one, where the executor can.
        threads: threads of torch in each process. More change the last digits of features.
        timeout: seconds after which a video's process is killed; a video that exceeds it twice is broken.
        gpu: whether each process needs a GPU.
    """

    executor: Executor = "local"
    workers: int = 2
    threads: int = 1
    timeout: float | None = None
    gpu: bool = False


class Run(Protocol):
    """Yield ``make()(item)`` of every item, as they are finished. ``make`` is called once in each process;
    ``lost`` gives the result of an item whose process died twice, or took too long twice."""

    def __call__(
        self, make: Callable[[], Work[Any, Any]], items: Sequence[Any], lost: Lost[Any, Any], resources: Resources
    ) -> Iterator[Any]: ...


def find_executor(name: str) -> Run:
    """Return ``run`` of an executor. Raises VadkitError for an unknown one."""
    known = get_args(Executor)
    if name not in known:
        hint = did_you_mean(name, known) or f"there are {', '.join(known)}"
        fail(f"there is no executor '{name}'", hint)
    run: Run = import_module(f"vadkit.extract.executors.{name}").run
    return run
