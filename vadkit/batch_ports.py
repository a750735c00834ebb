"""The values that a batch brings besides the streams: one table, which everything that knows of them reads.

Legend: ``b`` bags x crops (the crops of one video are adjacent), ``t`` snippets, ``v`` videos.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from vadkit.shapes import Pattern, parse_pattern


@dataclass(frozen=True)
class Drawing:
    """What a value is drawn for: its shape, the labels (v,), crops per video, and the source of random numbers.

    Without a generator, torch's global one is used.
    """

    shape: tuple[int, ...]
    labels: Tensor
    crops: int = 1
    generator: torch.Generator | None = None

    def uniform(self) -> Tensor:
        """Return float numbers from 0 to 1."""
        return torch.rand(self.shape, generator=self.generator)

    def class_set(self) -> Tensor:
        """Return (v, classes): a normal video is of the first class, an abnormal one of one or more others."""
        v, classes = self.shape
        order = torch.rand(v, max(classes - 1, 1), generator=self.generator)
        own = (order < 0.3) | (order == order.amin(1, keepdim=True))
        found = torch.cat([torch.zeros(v, 1), own.float()], 1)[:, :classes]
        normal = torch.eye(1, classes)
        return torch.where((self.labels > 0)[:, None], found, normal)


@dataclass(frozen=True)
class BatchPort:
    """A value of the batch that a port of its name gets.

    Attributes:
        pattern: its shape; empty for a plain Python number. A word in it is a size.
        training: whether only training has it.
        draw: returns such a value of random or typical numbers, for tests, timing and the dry run.
        filled_by: the key of the config that it needs; empty if every batch has it.
        hint: what to set if it is missing.
        later: whether something besides that key can fill it once the graph is built: a recipe.
    """

    pattern: str
    training: bool
    draw: Callable[[Drawing], Any]
    filled_by: str = ""
    hint: str = ""
    later: bool = False

    @property
    def shape(self) -> Pattern:
        """The parsed pattern."""
        return parse_pattern(self.pattern)

    def lacks(self, config: Mapping[str, Any]) -> bool:
        """Return whether a config leaves the key empty that it needs."""
        section, _, key = self.filled_by.partition(".")
        values = config.get(section)
        return bool(self.filled_by) and not (isinstance(values, Mapping) and values.get(key))


_TARGETS = "set data.targets to a file of targets, or train in a recipe, which writes it"

BATCH_PORTS: dict[str, BatchPort] = {
    # bool, True where a snippet is real
    "mask": BatchPort("b t", False, lambda d: torch.ones(d.shape, dtype=torch.bool)),
    # float, 1 where a stream is there, 0 where it is absent, a share between them where a sampler averaged over both;
    # a column for each input of the graph, in their order. What is absent is zeros
    "presence": BatchPort("b t streams", False, lambda d: (d.uniform() > 0.2).float()),
    # float, 1 abnormal, 0 normal
    "labels": BatchPort("v", True, lambda d: d.labels.float()),
    # long, index of the video's main class, 0 normal, -1 unknown
    "classes": BatchPort("v", True, lambda d: d.labels.long()),
    # float, 1 at every class of the video, the first being normal
    "class_set": BatchPort(
        "v num_classes",
        True,
        Drawing.class_set,
        "data.classes",
        "set data.classes to the classes in the order of their columns, normal first",
    ),
    # float, text vectors of [normal, own class]
    "prompts": BatchPort(
        "v 2 prompt_dim",
        True,
        lambda d: torch.randn(d.shape, generator=d.generator),
        "data.prompts",
        "set data.prompts to the file of class vectors",
    ),
    # float, a label of each snippet and how much it counts
    "targets": BatchPort("b t", True, Drawing.uniform, "data.targets", _TARGETS, later=True),
    "target_weight": BatchPort("b t", True, Drawing.uniform, "data.targets", _TARGETS, later=True),
    # float, 1 at the snippets that hold a click
    "clicks": BatchPort(
        "b t",
        True,
        lambda d: (d.uniform() > 0.9).float(),
        "data.clicks",
        "set data.clicks to true; the abnormal training videos of the data set need clicks, one in each event",
    ),
    # long, optimizer steps so far, in a tensor so that a recorded update is given those of each step
    "step": BatchPort("v", True, lambda d: torch.zeros(d.shape, dtype=torch.long)),
    # int, crops per video, so b = v * crops
    "crops": BatchPort("", False, lambda d: d.crops),
    # int, whole epochs so far
    "epoch": BatchPort("", True, lambda d: 0),
}


def as_shape(pattern: Pattern, sizes: Mapping[str, Any]) -> tuple[int, ...]:
    """Return a pattern as numbers; ``sizes`` has every word of it."""
    return tuple(token if isinstance(token, int) else int(sizes[token]) for token in pattern.tokens)
