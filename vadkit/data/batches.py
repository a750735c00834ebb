"""Training batches: a pure function of (seed, step), filled by threads; the next one while a step runs.

Legend: b rows = bags x crops, v bags, t snippets, dim the width of a stream. A bag is one crop of a
video, or all its crops.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from vadkit.data.batch_order import Paired, Unpaired, share
from vadkit.data.class_order import ClassOrder
from vadkit.data.clicks import STREAM as CLICKS
from vadkit.data.clicks import click_rows
from vadkit.data.presence import beyond_end, undiluted, with_gaps
from vadkit.data.prompts import Prompts
from vadkit.data.shape_checks import check_videos
from vadkit.data.targets import STREAM as TARGETS
from vadkit.data.whole_videos import Align, cut_to_shortest, no_video
from vadkit.kinds import Sampler
from vadkit.memory import free_memory
from vadkit.presence import STREAM as PRESENCE
from vadkit.problems import fail
from vadkit.store.array_file import as_float32, check_finite
from vadkit.video import Video, VideoDataset, crop_of, with_label

Batch = dict[str, Any]
Place = tuple[int, int, "Bag", int]  # row of the buffer, row of the whole batch, bag, crop
NO_CHOICE = np.random.default_rng(0)  # for samplers that draw nothing; creating one takes as long as opening a file
PART = 8  # crops per task of a thread
BUFFERS = 3  # the batch in use, the one before it, and the one being filled


@dataclass(frozen=True)
class Bag:
    """A video and those of its crops that are one training example."""

    video: Video
    crops: tuple[int, ...]


class TrainBatches:
    """Batches for training. ``batch(step)`` depends on the arguments and ``step`` only.

    A batch holds every stream as float32 (b, t, dim) and the values of ``BATCH_PORTS``; ``class_set``, ``prompts``,
    ``clicks``, and ``targets`` with ``target_weight`` where the arguments provide them. In paired batches the normal
    bags come first; rely on ``labels``, not on the order. Streams keep their own snippet counts until the sampler has
    brought them to training length.

    Its tensors are reused two calls later: ``clone`` what is needed longer.

    Args:
        dataset: of kind dataset; ``split`` of it is used.
        sampler: of kind sampler; brings each bag to training length.
        streams: names of the graph's inputs; the first counts the snippets.
        batch: bags of each label in a step; if not ``paired``, bags in a step.
        seed: of the order and of the sampler's choices.
        sizes: the graph's width of each input, to be checked.
        crops: "each" crop is a bag, the "first" is the only one, or "all" are one bag.
        paired: as many normal as abnormal bags in a step.
        listed: the bags come in the order of the data set, the same in every epoch.
        classes: the classes in the order of ``class_set``, ``classes`` and ``prompts``, see ``ClassOrder``.
        prompts: file of class vectors, see ``Prompts``; ``several`` is for videos of several classes.
        targets: returns float32 (t, 2) of a video, a target and a weight for each of its snippets. The sampler
            brings them to training length with the features; in the padding both are 0.
        clicks: give the snippets of the videos' clicks, which the sampler brings to training length with the features.
        accumulate: batches of an optimizer step, for ``epoch`` and ``step``.
        workers: threads that read and sample; with 0 the caller's thread does, and nothing is prefetched.
        rank, world_size: this process's share. The normal parts of all ranks, concatenated, and then
            their abnormal parts, are the batch of a single process.
        pin: use pinned memory, for copies to a GPU.
        presence: videos may lack streams: these are zeros, and the batch has ``presence``. Needs ``sizes``.
        align: give the sampler the streams as they are ("first"), or all cut to the "shortest".

    Videos of unknown label are in no batch. Raises VadkitError, with all problems, for features that cannot be used
    or do not fit.
    """

    def __init__(
        self,
        dataset: VideoDataset,
        sampler: Sampler,
        streams: Sequence[str],
        batch: int,
        seed: int,
        *,
        sizes: Mapping[str, int] | None = None,
        crops: Literal["each", "first", "all"] = "each",
        paired: bool = True,
        listed: bool = False,
        classes: Sequence[str] | None = None,
        prompts: str | Path | None = None,
        several: Literal["first", "mean"] = "first",
        targets: Callable[[Video], np.ndarray] | None = None,
        clicks: bool = False,
        accumulate: int = 1,
        workers: int = 2,
        rank: int = 0,
        world_size: int = 1,
        split: str = "train",
        pin: bool = False,
        align: Align = "first",
        presence: bool = False,
    ) -> None:
        self.dataset, self.sampler, self.streams = dataset, sampler, list(streams)
        self.seed, self.rank, self.world_size, self.pin = seed, rank, world_size, pin
        self.align, self.presence, self.sizes = align, presence, dict(sizes or {})
        videos = with_label(dataset.videos(split))
        self._refuse_labels(videos, split, paired)
        counts = check_videos(dataset, videos, self.streams, sizes, presence)
        bags = [bag for video in videos for bag in _bags(video, counts[video.name], crops)]
        self.crops = _same_crops(bags)
        self.normal, self.abnormal = ([b for b in bags if b.video.label == label] for label in (0, 1))
        self.bags = bags
        self.order = self._order(batch, paired, listed)
        self.classes = ClassOrder(dataset, classes)
        self.classes.check(videos)
        self.prompts = self._prompts(prompts, several, videos)
        self.targets, self.clicks, self.accumulate = targets, clicks, accumulate
        self._in_place = type(sampler).sample_into is not Sampler.sample_into
        self._finite: set[tuple[str, str, int]] = set()
        self._buffers: list[dict[str, Tensor]] = [{} for _ in range(BUFFERS)]
        self._turn = 0
        self._fill = ThreadPoolExecutor(workers, "vadkit-fill") if workers > 1 else None
        self._prefetch = ThreadPoolExecutor(1, "vadkit-prefetch") if workers > 0 else None
        self._next: tuple[int, Future[Batch]] | None = None

    def __len__(self) -> int:
        """Steps of an epoch."""
        return self.order.steps

    def epoch(self, step: int) -> int:
        """Return how many whole epochs of optimizer steps come before the batch of a step."""
        return step // (self.accumulate * max(1, len(self) // self.accumulate))

    def batch(self, step: int) -> Batch:
        """Return the batch of a step, and start to fill the one after it."""
        result = self._prefetched(step) or self._filled(step, self._next_buffer())
        if self._prefetch is not None:
            self._next = step + 1, self._prefetch.submit(self._filled, step + 1, self._next_buffer())
        return result

    def close(self) -> None:
        """Stop the threads. ``batch`` cannot be called afterwards."""
        for pool in (self._prefetch, self._fill):
            if pool is not None:
                pool.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> TrainBatches:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _prompts(
        self, path: str | Path | None, several: Literal["first", "mean"], videos: list[Video]
    ) -> Prompts | None:
        if path is None:
            return None
        prompts = Prompts(path, self.classes.names, several)
        for video in videos:
            prompts.of(video)  # raises now rather than in step 500
        return prompts

    # -- what is in a batch ----------------------------------------------------------------------
    def _refuse_labels(self, videos: list[Video], split: str, paired: bool) -> None:
        if not videos:
            fail(*no_video(self.dataset, split))
        for label, word in enumerate(("normal", "abnormal")):
            if paired and not any(video.label == label for video in videos):
                fail(
                    f"split '{split}' has no {word} video, and paired batches need both kinds",
                    hint="add some, or set data.paired=false",
                )

    def _order(self, batch: int, paired: bool, listed: bool) -> Paired | Unpaired:
        if batch < 1:
            raise ValueError(f"batch must be at least 1, not {batch}")
        if batch % self.world_size:
            fail(
                f"a batch of {batch} bags cannot be shared by {self.world_size} processes",
                hint=f"make data.batch a multiple of {self.world_size}",
            )
        if paired:
            return Paired(len(self.normal), len(self.abnormal), batch, self.seed, listed)
        order = Unpaired(len(self.bags), batch, self.seed, listed)
        last = len(order.bags(order.steps - 1))
        if last < self.world_size:
            fail(
                f"the last batch of an epoch has {last} of {len(self.bags)} bags, too few for {self.world_size} "
                "processes",
                hint="choose another data.batch, or set data.paired=true",
            )
        return order

    def rows(self, step: int) -> list[Bag]:
        """Return the bags of the whole batch of a step, over all ranks, in order."""
        if isinstance(self.order, Unpaired):
            return [self.bags[i] for i in self.order.bags(step)]
        normal, abnormal = self.order.bags(step)
        return [self.normal[i] for i in normal] + [self.abnormal[i] for i in abnormal]

    def _own(self, count: int) -> list[int]:
        """Return which rows of a batch of ``count`` bags belong to this rank."""
        rows = list(range(count))
        if isinstance(self.order, Unpaired):
            return share(rows, self.rank, self.world_size)
        half = count // 2
        return [r for part in (rows[:half], rows[half:]) for r in share(part, self.rank, self.world_size)]

    # -- how it is filled --------------------------------------------------------------------------
    def _prefetched(self, step: int) -> Batch | None:
        """Return the prefetched batch if it is that of ``step``."""
        if self._next is None:
            return None
        number, future = self._next
        self._next = None
        if number == step:
            return future.result()
        if not future.cancel():
            future.exception()  # waits, because its buffer is free only afterwards
        self._turn -= 1  # that buffer was never returned, so it is used next
        return None

    def _next_buffer(self) -> dict[str, Tensor]:
        self._turn += 1
        return self._buffers[self._turn % BUFFERS]

    def _filled(self, step: int, buffer: dict[str, Tensor]) -> Batch:
        bags = self.rows(step)
        own = self._own(len(bags))
        # A sampler whose `finish` depends on the whole batch (it cuts to the longest bag) needs all of it
        # on every rank, or the ranks would differ in t.
        whole = self.world_size > 1 and type(self.sampler).finish is not Sampler.finish
        kept = range(len(bags)) if whole else own
        streams, lengths = self._sampled(step, [(row, bags[row]) for row in kept], buffer)
        # No filling of the padding may touch what is said of snippets.
        said, real = {name: streams.pop(name) for name in (TARGETS, CLICKS) if name in streams}, lengths
        presence = streams.pop(PRESENCE, None)
        if presence is not None:
            streams = undiluted(streams, presence, self.streams)
        streams, lengths = self.sampler.finish(streams, lengths)
        t = streams[self.streams[0]].shape[1]
        for name, x in said.items():
            streams[name] = x[:, :t] * (torch.arange(t) < real[:, None])[..., None]
        if presence is not None:
            streams[PRESENCE] = beyond_end(presence[:, :t], real)
        if whole:
            rows = torch.tensor([row * self.crops + crop for row in own for crop in range(self.crops)])
            streams, lengths = {name: x[rows] for name, x in streams.items()}, lengths[rows]
        about = self._about([bags[row] for row in own], streams, lengths)
        about["step"] = torch.full((len(own),), step // self.accumulate)
        return {**streams, **about, "epoch": self.epoch(step)}

    def _sampled(
        self, step: int, bags: list[tuple[int, Bag]], buffer: dict[str, Tensor]
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Return the streams (b, t, dim), views of ``buffer``, and the lengths (b)."""
        places = [
            (n * self.crops + i, row, bag, crop)
            for n, (row, bag) in enumerate(bags)
            for i, crop in enumerate(bag.crops)
        ]
        lengths = torch.zeros(len(places), dtype=torch.long)
        lengths[0] = self._first(buffer, step, len(places), places[0])  # its shapes determine the buffer's
        arrays = {name: buffer[name].numpy() for name in self._sampled_names}

        def fill(part: list[Place]) -> None:
            for place in part:
                lengths[place[0]] = self._place(arrays, step, place)

        if self._fill is None:
            fill(places[1:])
        else:  # in parts, because submitting a single crop takes as long as reading it
            parts = [places[start : start + PART] for start in range(1, len(places), PART)]
            list(self._fill.map(fill, parts))
        return {name: buffer[name][: len(places)] for name in self._sampled_names}, lengths

    @property
    def _sampled_names(self) -> list[str]:
        more = {TARGETS: self.targets is not None, CLICKS: self.clicks, PRESENCE: self.presence}
        return [*self.streams, *(name for name, there in more.items() if there)]

    def _first(self, buffer: dict[str, Tensor], step: int, rows: int, place: Place) -> int:
        """Sample the first crop, and allocate a buffer of ``rows`` such crops if there is none."""
        sampled, length = self.sampler.sample(*self._drawn(step, place))
        if not all(name in buffer for name in sampled):
            _refuse_large(rows, sum(4 * x.size for x in sampled.values()))
        for name, x in sampled.items():
            shape = (rows, *x.shape)
            if name not in buffer or not _fits(buffer[name], shape):
                buffer[name] = torch.zeros(shape, pin_memory=self.pin)
            buffer[name][0].numpy()[...] = x
        return length

    def _place(self, arrays: dict[str, np.ndarray], step: int, place: Place) -> int:
        """Read and sample one crop into its row of the buffer; return its length."""
        at, _, bag, _ = place
        out = {name: array[at] for name, array in arrays.items()}
        streams, rng = self._drawn(step, place)
        if self._in_place:
            return self.sampler.sample_into(streams, rng, out)
        sampled, length = self.sampler.sample(streams, rng)
        for name, x in sampled.items():
            if x.shape != out[name].shape:
                fail(
                    f"the sampler returned stream '{name}' of video '{bag.video.name}' as {tuple(x.shape)}, "
                    f"but that of another video as {tuple(out[name].shape)}",
                    hint="a sampler must bring every video to one length",
                )
            out[name][...] = x
        return length

    def _drawn(self, step: int, place: Place) -> tuple[dict[str, np.ndarray], np.random.Generator]:
        """Return the streams of a crop, and the source of its random choices."""
        _, row, bag, crop = place
        # Seeded by the row in the whole batch, so that a rank draws what a single process would.
        rng = np.random.default_rng([self.seed, 3, step, row]) if self.sampler.draws else NO_CHOICE
        if self.presence:
            streams = with_gaps(
                self.dataset, bag.video, self.streams, self.sizes, lambda stream: self._read(bag.video, stream, crop)
            )
        else:
            streams = {stream: self._read(bag.video, stream, crop) for stream in self.streams}
        if self.targets is not None:
            streams[TARGETS] = self.targets(bag.video)
        if self.clicks:
            t = len(streams[self.streams[0]])
            streams[CLICKS] = click_rows(bag.video, t, self.dataset.snippet_frames)
        return cut_to_shortest(streams) if self.align == "shortest" else streams, rng

    def _read(self, video: Video, stream: str, crop: int) -> np.ndarray:
        """Return float32 (t, dim)."""
        features = crop_of(self.dataset, video, stream, crop)
        if (video.name, stream, crop) not in self._finite:
            check_finite(features, f"stream '{stream}' of video '{video.name}'")
            self._finite.add((video.name, stream, crop))
        return as_float32(features)

    def _about(self, bags: list[Bag], streams: dict[str, Tensor], lengths: Tensor) -> Batch:
        t = streams[self.streams[0]].shape[1]
        about: Batch = {
            "mask": torch.arange(t) < lengths[:, None],
            "labels": torch.tensor([float(bag.video.label == 1) for bag in bags]),
            "classes": torch.tensor([self.classes.index(bag.video) for bag in bags]),
            "crops": self.crops,
        }
        if self.classes.given:
            about["class_set"] = torch.stack([self.classes.row(bag.video) for bag in bags])
        if TARGETS in streams:
            about["targets"], about["target_weight"] = streams[TARGETS].unbind(-1)
        if CLICKS in streams:
            about["clicks"] = (streams[CLICKS][..., 0] > 0).float()
        if self.prompts is not None:
            about["prompts"] = torch.stack([self.prompts.of(bag.video) for bag in bags])
        return about


def _bags(video: Video, crops: int, how: str) -> list[Bag]:
    if how == "each":
        return [Bag(video, (crop,)) for crop in range(crops)]
    return [Bag(video, tuple(range(crops)) if how == "all" else (0,))]


def _same_crops(bags: list[Bag]) -> int:
    crops = len(bags[0].crops)
    for bag in bags:
        if len(bag.crops) != crops:
            fail(
                f"video '{bag.video.name}' has {len(bag.crops)} crops, but '{bags[0].video.name}' has {crops}; "
                "bags of all crops need the same number everywhere",
                hint="set data.crops to each or first",
            )
    return crops


def _refuse_large(rows: int, size: int) -> None:
    """Raise VadkitError if the buffers for batches of rows of ``size`` bytes do not fit into the memory."""
    needed, free = BUFFERS * rows * size, free_memory()
    if free is not None and needed > free:
        fail(
            f"batches of {rows} bags x crops take {needed / 2**30:.1f} GiB, but only {free / 2**30:.1f} GiB of memory "
            "are free",
            hint="use a smaller data.batch or a shorter data.sampler.args.length",
        )


def _fits(buffer: Tensor, shape: tuple[int, ...]) -> bool:
    return len(buffer) >= shape[0] and buffer.shape[1:] == shape[1:]
