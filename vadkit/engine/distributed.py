"""Several processes, started by torchrun, that train one model.

Each process takes its slice of the global batch (``TrainBatches`` with rank and world_size: as many normal
as abnormal bags, the i-th normal paired with the i-th abnormal), and the gradients are averaged. That equals one
process on the whole batch when every loss is a mean over bags, or over pairs of a normal and an abnormal
one, and no node mixes bags. What looks at the whole batch sees its slice only, for nothing is gathered
across processes: progressive dropout ranks the rows of the slice, and a loss that compares all bags with
each other has fewer partners. Noise differs between processes too. That is another training, as valid as
the first, but not the same; use one process to reproduce a published one. Batches that are not paired may
end an epoch with slices of unequal size; their bags then have slightly unequal weight.
"""

from __future__ import annotations

import atexit
import os
import warnings
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from mmengine.model import MMDistributedDataParallel
from torch import Tensor, nn

from vadkit.devices import choose_device
from vadkit.problems import VadkitError, fail

T = TypeVar("T")


def launched() -> bool:
    """Return whether torchrun (or the like) started this process as one of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1 and "RANK" in os.environ


def launched_rank() -> int:
    """Return this process's number, also before and after it has joined the others."""
    return int(os.environ["RANK"]) if launched() else 0


def active() -> bool:
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def rank() -> int:
    return dist.get_rank() if active() else 0


def world_size() -> int:
    return dist.get_world_size() if active() else 1


def restarted() -> bool:
    """Return whether torchrun started this group again after one of its processes died."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) > 0


def join(device: torch.device) -> None:
    """Join the processes that torchrun started, until this one ends. Nothing without torchrun.

    mmengine's own start-up asks for CUDA even under gloo; it leaves a group alone that exists. The group
    is not left after a training, because joining a second time waits forever in torchrun's store.
    """
    if launched() and not dist.is_initialized():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=timedelta(hours=2))
        atexit.register(dist.destroy_process_group)


def local_device(name: str) -> torch.device:
    """Return the device this process trains on: ``name`` is auto, cpu, cuda or cuda:N.

    Of several processes on one machine each takes the GPU of its own number, unless ``name`` has one.
    """
    return choose_device(name, int(os.environ.get("LOCAL_RANK", "0")) if launched() else None)


def wrap(model: nn.Module, device: torch.device) -> nn.Module:
    """Return the model that averages gradients over the processes, or the model itself."""
    if not active():
        return model
    # mmengine passes LOCAL_RANK as device_ids, which torch refuses for a model on the CPU. A graph may
    # have parameters that no loss reaches (PEL4VAD's temperature without its loss), hence the search.
    ids = [device.index] if device.type == "cuda" else None
    with warnings.catch_warnings():  # the argument has another name in newer torch, which the oldest one lacks
        warnings.filterwarnings("ignore", ".*broadcast_buffers", FutureWarning)
        return MMDistributedDataParallel(  # type: ignore[no-any-return]
            model, device_ids=ids, broadcast_buffers=False, find_unused_parameters=True
        )


def first(action: Callable[[], T]) -> T:
    """Run ``action`` in process 0 while the others wait; all get what it returns (plain data).

    If it raises a VadkitError there, the others stop too, with a message that says so.
    """
    if not active():
        return action()
    shared: list[Any] = [False, None]  # failed, result
    error = None
    if rank() == 0:
        try:
            shared[1] = action()
        except VadkitError as problem:
            shared[0], error = True, problem
    dist.broadcast_object_list(shared)
    if error is not None:
        raise error
    if shared[0]:
        fail("process 0 stopped; its message says why")
    return shared[1]  # type: ignore[no-any-return]


def any_process(flag: bool, device: torch.device) -> bool:
    """Return whether ``flag`` is true in any process, so that all stop at the same step."""
    if not active():
        return flag
    shared = torch.tensor(int(flag), device=device)
    dist.all_reduce(shared, dist.ReduceOp.MAX)
    return bool(shared)


def average(values: Tensor, device: torch.device) -> Tensor:
    """Return the mean of ``values`` over the processes, on the CPU."""
    if not active():
        return values.cpu()
    shared = values.to(device)
    dist.all_reduce(shared)
    return shared.cpu() / world_size()


def gather(value: Any) -> list[Any]:
    """Return ``value`` of every process, in order of rank."""
    if not active():
        return [value]
    values: list[Any] = [None] * world_size()
    dist.all_gather_object(values, value)
    return values
