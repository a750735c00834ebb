"""What becomes of a video's snippets: batches, through the backbones, to rows of features.

A stage takes snippets one by one. ``HostStage`` hands them to one backbone, which is done when it returns. A
``DeviceStage`` sends them to a GPU once for all backbones there, and goes on while they are computed.

Legend: ``s`` snippets of a batch, ``t`` of the video, ``dim`` the backbone's width, ``f h w`` frames, height, width.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from vadkit.backbones.frame_batch import FrameBatch
from vadkit.devices import current
from vadkit.extract.gpu import Coming, Gpu
from vadkit.extract.row_buffer import RowBuffer
from vadkit.kinds import Backbone
from vadkit.problems import fail

BATCH = 16  # snippets given to a backbone on the host at once ...
BATCH_BYTES = 64 << 20  # ... unless their frames are larger than this
GPU_SNIPPETS = 32  # the same for a GPU, where many pairs of frames fill it
GPU_BYTES = 512 << 20
AHEAD = 2  # batches that are being computed, or copied back, while the next is collected


class Stage(Protocol):
    """Takes snippets; ``finish`` waits until all their rows are known."""

    def add(self, snippet: np.ndarray) -> None: ...

    def finish(self) -> None: ...


class Rows:
    """The features of one stream, as they become known."""

    def __init__(self, name: str, backbone: Backbone, folder: Path | None) -> None:
        self.name, self.backbone = name, backbone
        self.row = row_shape(backbone)
        self.done = RowBuffer(self.row, folder)

    def add(self, features: np.ndarray, snippets: int) -> None:
        wanted = (snippets, *self.row)
        if features.shape != wanted:
            raise ValueError(f"backbone of stream '{self.name}' gave {features.shape}, not {wanted}")
        if not np.isfinite(features).all():
            fail(f"the backbone of stream '{self.name}' gave numbers that are not finite")
        self.done.add(features.astype(np.float32, copy=False))

    def result(self, snippets: int) -> np.ndarray:
        """Return (t, dim), or a view (crops, t, dim)."""
        rows = self.done.array()[:snippets]
        return rows if rows.ndim == 2 else rows.swapaxes(0, 1)


def row_shape(backbone: Backbone) -> tuple[int, ...]:
    """Return the shape of one snippet's features: (dim,), or (crops, dim) if there are several crops."""
    return (backbone.dim,) if backbone.num_crops == 1 else (backbone.num_crops, backbone.dim)


class _Batches:
    """Collects snippets, and begins a batch when they are so many, or take so many bytes."""

    def __init__(self, snippets: int, size: int) -> None:
        self.snippets, self.bytes = snippets, size
        self.waiting: list[np.ndarray] = []

    def add(self, snippet: np.ndarray) -> None:
        self.waiting.append(snippet)
        if len(self.waiting) >= self.snippets or sum(s.nbytes for s in self.waiting) >= self.bytes:
            self._flush(AHEAD)

    def finish(self) -> None:
        self._flush(0)

    def _flush(self, ahead: int) -> None:
        """Begin the batch that is collected, and wait until at most ``ahead`` are under way."""
        if self.waiting:
            batch, self.waiting = self.waiting, []
            self._begin(batch)
        self._wait(ahead)

    def _begin(self, batch: list[np.ndarray]) -> None:
        raise NotImplementedError

    def _wait(self, ahead: int) -> None:
        raise NotImplementedError


class HostStage(_Batches):
    """Hands snippets to one backbone in batches.

    Args:
        rows: of the backbone.
        threads: where to do it, so that the caller goes on meanwhile; None does it at once.
    """

    def __init__(self, rows: Rows, threads: Executor | None = None) -> None:
        super().__init__(BATCH, BATCH_BYTES)
        self.rows, self.threads = rows, threads
        self.under_way: deque[Future[None]] = deque()

    def _begin(self, batch: list[np.ndarray]) -> None:
        if self.threads is None:
            self._extract(batch)
        else:
            self.under_way.append(self.threads.submit(self._extract, batch))

    def _wait(self, ahead: int) -> None:
        while len(self.under_way) > ahead:
            self.under_way.popleft().result()

    def _extract(self, batch: list[np.ndarray]) -> None:
        self.rows.add(self.rows.backbone.extract(batch), len(batch))


class DeviceStage(_Batches):
    """Sends snippets to a GPU, once for all its backbones of pictures and flow, and collects what comes back.

    ``add`` takes snippets with the frame after them, in the order of the video.
    """

    def __init__(self, gpu: Gpu, rows: Sequence[Rows], snippet_frames: int) -> None:
        super().__init__(GPU_SNIPPETS, GPU_BYTES)
        self.gpu, self.rows, self.n = gpu, rows, snippet_frames
        self.under_way: deque[tuple[Rows, int, Coming]] = deque()

    def _begin(self, batch: list[np.ndarray]) -> None:
        with torch.inference_mode(), current(self.gpu.device):
            plain, joined = self._uploaded(batch)
            for rows in self.rows:
                features = device_rows(rows.backbone)(joined if rows.backbone.modality == "flow" else plain)
                self.under_way.append((rows, len(batch), self.gpu.fetch(features)))

    def _wait(self, ahead: int) -> None:
        while self.under_way and (len(self.under_way) > ahead * len(self.rows) or self.under_way[0][2].is_here()):
            rows, count, coming = self.under_way.popleft()
            rows.add(coming.array(), count)

    def _uploaded(self, snippets: Sequence[np.ndarray]) -> tuple[FrameBatch, FrameBatch]:
        """Return the snippets on the device, without the frame after them and with it; each frame is sent once."""
        n, after = self.n, snippets[-1][self.n :]  # the frame after a snippet is the first of the next
        host = self.gpu.pinned((len(snippets) * n + len(after), *after.shape[1:]), torch.uint8)
        frames = host.numpy()
        for i, snippet in enumerate(snippets):
            frames[i * n : (i + 1) * n] = snippet[:n]
        frames[len(snippets) * n :] = after
        starts = range(0, len(snippets) * n, n)
        plain = FrameBatch(self.gpu.upload(host), [(start, start + n) for start in starts])
        joined = [(start, min(start + n + 1, len(frames))) for start in starts]
        return plain, FrameBatch(plain.frames, joined, plain.known)


def device_rows(backbone: Backbone) -> Callable[[FrameBatch], Tensor]:
    """Return the function of a backbone that takes a batch on its device; see ``vadkit.kinds.Backbone``."""
    found: Callable[[FrameBatch], Tensor] = backbone.rows  # type: ignore[attr-defined]
    return found


def device_of(backbone: Backbone) -> str:
    """Return where a backbone computes: its own ``device``, or that of its network."""
    holder = getattr(backbone, "frozen", backbone)  # see ``vadkit.backbones.frozen``
    return str(getattr(holder, "device", "cpu"))


def takes_frames(backbone: Backbone) -> bool:
    """Return whether a backbone takes frames that are on a GPU."""
    on_gpu = torch.device(device_of(backbone)).type == "cuda"
    return on_gpu and backbone.modality != "audio" and hasattr(backbone, "rows")


class Stages:
    """The stages of one video: who takes its pictures and its sound. A context, which ends their threads.

    Attributes:
        pictures: stages, and whether they take the frame after a snippet, too.
        audio: stages of sound, after their backbones.
        on_gpu: whether there is one that computes while the caller goes on. Then what is left to the host is done in
            a thread.
    """

    def __init__(self, rows: Sequence[Rows], snippet_frames: int) -> None:
        by_device: dict[str, list[Rows]] = {}
        for one in rows:
            if takes_frames(one.backbone):
                by_device.setdefault(device_of(one.backbone), []).append(one)
        self.on_gpu = bool(by_device)
        self._threads = ThreadPoolExecutor(1, "vadkit-host") if self.on_gpu else None
        self.pictures: list[tuple[Stage, bool]] = [
            (DeviceStage(Gpu(device), on_it, snippet_frames), True) for device, on_it in by_device.items()
        ]
        self.audio: list[tuple[Backbone, Stage]] = []
        for one in rows:
            if one.backbone.modality == "audio":
                self.audio.append((one.backbone, HostStage(one, self._threads)))
            elif not takes_frames(one.backbone):
                self.pictures.append((HostStage(one, self._threads), one.backbone.modality == "flow"))

    def finish(self) -> None:
        for stage in [*(stage for stage, _ in self.pictures), *(stage for _, stage in self.audio)]:
            stage.finish()

    def __enter__(self) -> Stages:
        return self

    def __exit__(self, *_: object) -> None:
        if self._threads is not None:
            self._threads.shutdown(cancel_futures=True)
