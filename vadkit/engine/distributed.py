"""Several processes, started by torchrun, that train one model.

Every process reads the same global batch, keeps its slice of the videos, and the gradients are averaged.
That equals one process on the whole batch exactly when every loss is a mean over videos (or over pairs of a
normal and an abnormal one: the slices keep pairs together) and no node mixes videos. What looks at the
whole batch sees its slice only, and nothing is gathered across processes: progressive dropout ranks the rows of the
slice, a contrastive loss among all bags has fewer partners. That is then another, equally valid, training.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from mmengine.model import MMDistributedDataParallel
from torch import Tensor, nn

from vadkit.problems import VadkitError, fail

T = TypeVar("T")


def launched() -> bool:
    """Tell whether torchrun (or the like) started this process as one of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1 and "RANK" in os.environ


def active() -> bool:
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def rank() -> int:
    return dist.get_rank() if active() else 0


def world_size() -> int:
    return dist.get_world_size() if active() else 1


def restarted() -> bool:
    """Tell whether torchrun started this group again after one of its processes died."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) > 0


@contextmanager
def group(device: torch.device) -> Iterator[None]:
    """Join the processes that torchrun started; leave them at the end. Nothing without torchrun.

    mmengine's own start-up asks for CUDA even under gloo; it skips it for a group that exists.
    """
    if not launched() or dist.is_initialized():
        yield
        return
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=timedelta(hours=2))
    try:
        yield
    finally:
        dist.destroy_process_group()


def local_device(name: str) -> torch.device:
    """Return the device this process trains on: ``name`` is auto, cpu, cuda or cuda:N."""
    wanted = name
    if name == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    if wanted.startswith("cuda") and not torch.cuda.is_available():
        fail(f"--device {name}: this machine has no CUDA device that torch can use", hint="--device cpu")
    if wanted == "cuda" and launched():
        wanted = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
    try:
        device = torch.device(wanted)
    except RuntimeError:
        fail(f"there is no device '{name}'", hint="auto, cpu, cuda or cuda:N")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        fail(f"--device {name}: there are {torch.cuda.device_count()} CUDA devices")
    if device.type == "cuda":
        torch.cuda.set_device(device)
    return device


def wrap(model: nn.Module, device: torch.device) -> nn.Module:
    """Return the model that averages gradients over the processes, or the model itself."""
    if not active():
        return model
    # mmengine passes LOCAL_RANK as device_ids, which torch refuses for a model on the CPU. A graph may
    # have parameters that no loss reaches (PEL4VAD's temperature without its loss), hence the search.
    ids = [device.index] if device.type == "cuda" else None
    return MMDistributedDataParallel(  # type: ignore[no-any-return]
        model, device_ids=ids, broadcast_buffers=False, find_unused_parameters=True
    )


def slice_batch(batch: Mapping[str, Any], rank: int, world: int) -> dict[str, Any]:
    """Return this process's videos of a global batch: every ``world``-th normal and abnormal one.

    Taken by label, so that each slice has the same share of both and the i-th normal stays beside
    the i-th abnormal. Raises VadkitError where the counts do not divide by ``world``.
    """
    labels = batch["labels"]
    normal, abnormal = (torch.nonzero(labels == value).flatten() for value in (0, 1))
    if len(normal) % world or len(abnormal) % world:
        fail(
            f"{len(normal)} normal and {len(abnormal)} abnormal bags cannot be dealt to {world} processes",
            hint="choose data.batch as a multiple of the number of processes, and data.paired true",
        )
    videos = torch.cat([normal[rank::world], abnormal[rank::world]]).sort().values
    crops = int(batch.get("crops") or 1)
    rows = (videos[:, None] * crops + torch.arange(crops)).flatten()
    return {name: _take(value, len(labels), videos, rows) for name, value in batch.items()}


def _take(value: Any, num_videos: int, videos: Tensor, rows: Tensor) -> Any:
    if not isinstance(value, Tensor) or value.dim() == 0:
        return value
    return value[videos] if len(value) == num_videos else value[rows]


def first(action: Callable[[], T]) -> T | None:
    """Run ``action`` in process 0 while the others wait; they get None.

    If it raises a VadkitError there, the others stop too, with a word about it.
    """
    if not active():
        return action()
    result, error = None, None
    if rank() == 0:
        try:
            result = action()
        except VadkitError as problem:
            error = problem
    told = [error is not None]
    dist.broadcast_object_list(told)
    if error is not None:
        raise error
    if told[0]:
        fail("process 0 stopped; its message says why")
    return result


def any_process(flag: bool, device: torch.device) -> bool:
    """Tell whether ``flag`` is true in any process, so that all stop at the same step."""
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
