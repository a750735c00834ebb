"""The kinds of component: the ports that each must have and what it promises. No logic.

A component is a class of one of these kinds with a ``name``, a docstring (paper, equations,
shapes, deviations) and, for kinds that are modules, flat keyword arguments. Legend: ``b`` bags x
crops (the crops of one video are adjacent), ``t`` snippets, ``v`` videos.

Ports are patterns: a word is a constructor argument or an attribute of the built module. Ports
named in ``BATCH_PORTS`` are filled from the batch when the YAML does not wire them.

A component with a port ``presence``, or one that is wired to it, may have an argument ``streams: list[str]``: the names
of the graph's inputs, which are the columns of ``presence``. The compiler fills it, so that a graph says by name which
stream is meant, and stays right when an input is added.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from vadkit.batch_ports import BATCH_PORTS, BatchPort

if TYPE_CHECKING:
    from vadkit.events import Event

Lookahead = int | Literal["all"]
Range = Literal["logit", "probability", "unbounded"]
Ranges = Range | Mapping[str, Range]  # of every port with one number per snippet, or by port


class Component:
    """What every kind has in common."""

    kind: ClassVar[str]
    name: ClassVar[str]
    paper: ClassVar[str] = ""
    # What its numbers were checked against, from the authors' own figures down to none.
    fidelity: ClassVar[Literal["official", "code", "paper", "reconstruction", "ours"]] = "ours"


class ModuleComponent(Component, nn.Module):
    """A component that is a node of the graph (or a loss at its end)."""

    inputs: ClassVar[dict[str, str]]
    outputs: ClassVar[dict[str, str]]
    # Tiny constructor arguments with which the contract test and the dry run can build it.
    example: ClassVar[dict[str, Any]] = {}
    # Ports, in or out, of int64 indices, and the count that they are below: {"index": "t"}. Where the count is smaller
    # than the last size of the pattern, there are only so many indices: ``v k`` is then ``v t``.
    indices: ClassVar[Mapping[str, str]] = {}
    # The range of its outputs, and the one that its inputs take: the graph applies a sigmoid, once, where a logit meets
    # a port that needs a probability. Class values, or set by the constructor.
    range: Ranges | None = None
    needs: Ranges | None = None
    # Of a node with a finite ``lookahead``: how many earlier snippets an output depends on. A live score is computed
    # from so many rows before; what has a ``step`` keeps its own state instead. Set by the constructor if it depends on
    # arguments.
    lookback: Lookahead = "all"
    # Snippets after which the position of a snippet means the same again: a video may be cut at multiples of it.
    period: int = 1
    # Parameters whose gradient is exactly zero by construction; the contract test verifies it.
    no_gradient: ClassVar[tuple[str, ...]] = ()
    # Name in our state dict -> name in the authors' checkpoint, or several if they use the part more
    # than once. A name also covers everything below it, and ``*`` is one number, the same on both sides:
    # {"layers.*.attn_norm": "layers.*.0.norm", "gamma": "loc_adj.w", "linear": ("linear1", "linear2")}.
    authors_names: ClassVar[Mapping[str, str | tuple[str, ...]]] = {}


@dataclass(frozen=True)
class PublicWeights:
    """A weight file that somebody else publishes and that a backbone reads.

    Attributes:
        file: its name, as published.
        source: who publishes it, and where it is found.
        licence: the terms under which it is published, as far as they are stated.
        sha256: its digest in lowercase hex, or the beginning of it where the file's name gives only that;
            empty where no published digest is known.
        args: the arguments of the backbone that go with this file.
    """

    file: str
    source: str
    licence: str
    sha256: str = ""
    args: Mapping[str, Any] = field(default_factory=dict)


class Backbone(Component):
    """A frozen feature extractor of one modality that owns its preprocessing.

    ``modality`` is what it takes: "rgb" frames, "flow" frame pairs, or "audio" samples. It is
    called once per snippet batch by ``vadkit.extract``: see ``extract``.

    A backbone of frames may also have ``rows(batch) -> Tensor``: the same from frames that are on its GPU, a
    ``vadkit.backbones.FrameBatch``, to float32 features there. It must not wait for the GPU. Its GPU is its attribute
    ``device``, or that of its ``frozen``. ``vadkit.extract`` then sends frames once for all backbones.
    """

    kind: ClassVar[str] = "backbone"
    modality: ClassVar[Literal["rgb", "flow", "audio"]]
    dim: ClassVar[int]
    # Of the published weights. A store states it next to the recipe, since it affects no number.
    licence: ClassVar[str] = ""
    # The public files that its ``weights`` may be; ``vadkit weights list`` shows them.
    public_weights: ClassVar[Sequence[PublicWeights]] = ()
    # How many views (crops, mirrored or not) it takes of each snippet. Set by the constructor if not 1.
    num_crops: int = 1

    def recipe(self) -> dict[str, Any]:
        """Return everything that affects the numbers: weights' SHA-256, sizes, normalisation, rates."""
        raise NotImplementedError

    def extract(self, snippets: list[np.ndarray]) -> np.ndarray:
        """Return float32 (s, dim) for s snippets; (s, num_crops, dim) if there are several crops.

        For "rgb" and "flow" a snippet is uint8 frames (f, height, width, 3); for "audio" it is
        float32 mono samples at ``recipe()["sample_rate"]`` that end where the snippet ends.
        """
        raise NotImplementedError


class Temporal(ModuleComponent):
    """Snippets in, snippets out. Keeps ``t``; the output is as wide as the input by default, so that
    any temporal component can replace another.

    A node of any kind whose ``lookahead`` is 0 and whose outputs depend on more than a few earlier snippets may have a
    method ``step(state, **ports)``, for live scores. It takes what it returned before (None at first) and the next
    snippets (b, n, ...) of its ports, n at least 1, and returns its outputs for them and the new state: tensors,
    numbers, and lists or dicts of them, of a bounded size.
    """

    kind: ClassVar[str] = "temporal"
    inputs: ClassVar[dict[str, str]] = {"x": "b t in_dim"}
    outputs: ClassVar[dict[str, str]] = {"x": "b t dim"}
    # How many later snippets a score may depend on. A class value, or set by the constructor.
    lookahead: Lookahead = 0
    # Name of the boolean argument that makes it honour the mask, if it has one. Published code
    # mostly lets padding take part, so the switch is off by default.
    mask_switch: ClassVar[str | None] = None


class Fusion(ModuleComponent):
    """Any number of streams in, from one up; one stream out. Knows no modality names."""

    kind: ClassVar[str] = "fusion"
    inputs: ClassVar[dict[str, str]] = {"*x": "b t dims"}
    outputs: ClassVar[dict[str, str]] = {"x": "b t dim"}
    lookahead: Lookahead = 0
    mask_switch: ClassVar[str | None] = None


class Head(ModuleComponent):
    """Snippets in, one number per snippet out. Declares its range; where a probability is needed, the
    graph applies the sigmoid, once."""

    kind: ClassVar[str] = "head"
    inputs: ClassVar[dict[str, str]] = {"x": "b t dim"}
    outputs: ClassVar[dict[str, str]] = {"scores": "b t"}
    range: Ranges = "logit"
    lookahead: Lookahead = 0
    mask_switch: ClassVar[str | None] = None


class Source(ModuleComponent):
    """Nothing of the graph in, rows out: text vectors of classes, prototypes, what a prompt tower returns.

    If it keeps the rows as a parameter or buffer ``weight`` (rows, dim), ``train.warm_start`` can take them from a
    .npy file. It never reads a file itself: a model file must need nothing else.
    """

    kind: ClassVar[str] = "source"
    inputs: ClassVar[dict[str, str]] = {}
    outputs: ClassVar[dict[str, str]] = {"x": "rows dim"}
    lookahead: Lookahead = 0


class Selector(ModuleComponent):
    """Snippets in, the indices of the ``k`` chosen ones of each video out, for losses or nodes that gather them.

    A video of fewer than ``k`` snippets gives as many as it has.
    """

    kind: ClassVar[str] = "selector"
    inputs: ClassVar[dict[str, str]] = {"x": "b t in_dim"}
    outputs: ClassVar[dict[str, str]] = {"index": "v k"}
    indices: ClassVar[Mapping[str, str]] = {"index": "t"}
    lookahead: Lookahead = "all"
    mask_switch: ClassVar[str | None] = None


class Loss(ModuleComponent):
    """Any ports in, one finite differentiable number out. May return a dict whose
    ``total`` is the loss and whose other entries are logged parts.
    """

    kind: ClassVar[str] = "loss"
    outputs: ClassVar[dict[str, str]] = {"total": ""}
    mask_switch: ClassVar[str | None] = None
    # True if the n-th abnormal video is compared with the n-th normal one, so that order matters
    # within the normal and within the abnormal videos of a batch. May be set in the constructor.
    pairs_bags: bool = False


class Sampler(Component):
    """Brings the snippets of one video to training length, and a batch to one length; may also cut videos at test time.

    ``sample`` gets float32 (t, dim) arrays by stream name and returns them at training length with
    the number of real snippets. ``finish`` may change the assembled batch (cut, fill padding).
    ``draws`` False promises that nothing is drawn from the generator.

    A sampler that ``eval.sampler`` names overrides ``cut``, ``spread`` or both. As they are, they leave a video whole.
    """

    kind: ClassVar[str] = "sampler"
    draws: ClassVar[bool] = True

    def sample(self, streams: dict[str, np.ndarray], rng: np.random.Generator) -> tuple[dict[str, np.ndarray], int]:
        raise NotImplementedError

    def sample_into(self, streams: dict[str, np.ndarray], rng: np.random.Generator, out: dict[str, np.ndarray]) -> int:
        """As ``sample``, but write into ``out``, arrays of the shapes it returns. Override it to save a copy."""
        sampled, length = self.sample(streams, rng)
        for name, x in sampled.items():
            out[name][...] = x
        return length

    def finish(self, streams: dict[str, Tensor], lengths: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Take and return streams (b, t, dim) and the lengths (b)."""
        return streams, lengths

    def cut(self, streams: dict[str, np.ndarray]) -> list[tuple[dict[str, np.ndarray], int]]:
        """Return the pieces in which a video is scored, each with its number of real snippets; padding comes last.

        Takes the float32 streams (t, dim) of one crop, all of one t. How they are cut depends on t alone.
        """
        return [(streams, len(next(iter(streams.values()))))]

    def spread(self, scores: list[np.ndarray], t: int) -> np.ndarray:
        """Return one score for each of t snippets, from those of the real snippets of each piece (real,)."""
        return np.concatenate(scores)[:t]


class Dataset(Component):
    """Knows the videos of a data set: names, labels, classes, intervals, and where their features are."""

    kind: ClassVar[str] = "dataset"


class Metric(Component):
    """Takes snippet scores and truth video by video, in bounded memory, and returns figures."""

    kind: ClassVar[str] = "metric"


class Postprocess(Component):
    """Changes the finished scores of one video, e.g. smooths them.

    ``lookahead``, ``lookback`` and ``period`` are as those of nodes. With "all", live scores go without it.
    """

    kind: ClassVar[str] = "postprocess"
    lookahead: Lookahead = "all"
    lookback: Lookahead = "all"
    period: int = 1

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        """Take and return (t,)."""
        raise NotImplementedError


class Labeller(Component):
    """Turns the scores of the training videos into the targets of the next round of a recipe.

    It keeps nothing and draws nothing: equal scores give equal targets.
    """

    kind: ClassVar[str] = "labeller"

    def label(
        self, scores: Mapping[str, np.ndarray], labels: Mapping[str, int], earlier: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Return float32 (t, 2) for every video: a target from 0 to 1, and its weight, of 0 or more.

        All by video name. ``scores`` are float32 (passes, t): a row for each pass with dropout, and for each round
        that is looked at, the newest last. ``labels`` are 1 for abnormal and 0 for normal videos. ``earlier`` are
        the targets (t, 2) that the newest of these rounds was trained on; empty if it had none.
        """
        raise NotImplementedError


class Optimizer(Component):
    """The update rule of a training.

    The learning rate and the weight decay are keys of the config, since groups of nodes may have their own; what
    else the rule takes are constructor arguments.
    """

    kind: ClassVar[str] = "optimizer"

    def build(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        """Return the optimizer of torch's parameter groups, each with ``params``, ``lr`` and ``name``.

        ``weight_decay`` is there unless the caller leaves it to the rule. The optimizer keeps the groups as they
        are and updates without a closure.
        """
        raise NotImplementedError


class Schedule(Component):
    """The learning rate over a run, as a share of ``train.optimizer.lr``. It keeps nothing from step to step."""

    kind: ClassVar[str] = "schedule"
    # True if steps count from the start of the run, False if from the end of its warm-up.
    counts_warmup: ClassVar[bool] = False

    def share(self, step: float, steps: float) -> float:
        """Return the share at ``step`` (from 0) of a curve of ``steps``. A run may be longer than its curve.

        With ``train.schedule.unit: epoch`` both count epochs, and fractions of them.
        """
        raise NotImplementedError


class Logger(Component):
    """Writes the records of a training run, besides the run's own log.jsonl.

    A record is a dict with a ``kind``. "train": step, epoch, losses by name, lr by group, and the weights of losses
    whose weight changes; "evaluation": step, split, figures by name, a ``note`` if they flatter, and ``final`` for
    those of the finished run; "start" and "resume".
    """

    kind: ClassVar[str] = "logger"

    def open(self, folder: Path, keep: int | None) -> None:
        """Begin to write into ``folder``, which exists and is this logger's own.

        ``keep`` is None for a new run. A run that resumes after step ``keep`` writes the later records again: what
        the folder holds of them is to be dropped.
        """
        raise NotImplementedError

    def write(self, record: dict[str, Any]) -> None:
        raise NotImplementedError

    def close(self) -> None:
        """Close the files; called once, also where a run fails."""


@dataclass(frozen=True)
class Track:
    """The pictures or the sound of one video, as a corruption is given them.

    Attributes:
        rate: frames or samples per second.
        level: root mean square of all samples of the sound; 0 of pictures, and of silence.
    """

    rate: float
    level: float = 0.0


class Corruption(Component):
    """Damages the pictures ("rgb") or the sound ("audio") of a video, in one of five severities.

    An object damages one track at a time, piece by piece from ``begin`` to ``last_frames`` or ``last_samples``, in
    memory that does not grow with its length, and leaves what it is given as it is. All that it draws comes from the
    generator, so that equal generators give equal bytes; how the sound is cut into pieces changes nothing.
    """

    kind: ClassVar[str] = "corruption"
    modality: ClassVar[Literal["rgb", "audio"]]
    # The amount at each severity, from mild to severe, and its unit in words.
    levels: ClassVar[tuple[float, float, float, float, float]]
    unit: ClassVar[str] = ""
    # True if frames get other times, so that each is heard with other sound.
    moves_time: ClassVar[bool] = False

    def __init__(self, *, severity: int = 3) -> None:
        if severity not in range(1, 6):
            raise ValueError(f"severity must be a whole number from 1 to 5, not {severity}")
        self.severity, self.level = severity, self.levels[severity - 1]

    def begin(self, track: Track, rng: np.random.Generator) -> None:
        """Forget what was before, and begin with a track."""
        raise NotImplementedError

    def frame(self, frame: np.ndarray, time: float) -> list[tuple[np.ndarray, float]]:
        """Take the next frame, uint8 (height, width, 3), and its time in seconds; return frames of the same size.

        Times begin with 0 and rise; so must those that are returned. A frame may be left out, or come later.
        """
        raise NotImplementedError

    def last_frames(self) -> list[tuple[np.ndarray, float]]:
        """Return the frames that are left when the track has ended."""
        return []

    def samples(self, samples: np.ndarray) -> np.ndarray:
        """Take the next samples, float32 (n,), 1 at full scale; return as many, or fewer if some come later."""
        raise NotImplementedError

    def last_samples(self) -> np.ndarray:
        """Return the samples that are left when the track has ended: it keeps its length."""
        return np.zeros(0, np.float32)


class Sink(Component):
    """Where the events of watched cameras are sent.

    It is called by a thread of its own, never by the one that scores, and one call at a time. It needs no queue and
    no second try: an event that could not be delivered is tried again with growing pauses, ``attempts`` times in all,
    and once more when watching is started again.
    """

    kind: ClassVar[str] = "sink"
    # Constructor arguments for the contract test, which sets the environment variable VADKIT_TEST_SECRET.
    example: ClassVar[dict[str, Any]] = {}
    # Seconds after which ``send`` and ``health`` have returned or raised. A class value, or set by the constructor.
    timeout_s: float = 5.0
    attempts: int = 10  # with pauses of 1 s to 1 min between them, 4 minutes in all
    # Of deliveries; None is without limit. An update that waits is replaced by the next message of its event.
    per_minute: float | None = None

    def open(self, folder: Path) -> None:
        """Begin; files go into ``folder``, which exists and is this sink's own. A receiver need not be up yet."""
        raise NotImplementedError

    def send(self, event: Event) -> None:
        """Deliver one message of an event. Raises ``vadkit.sinks.SinkError``, without secrets, if it could not."""
        raise NotImplementedError

    def health(self, source: str, values: Mapping[str, Any]) -> None:
        """Take what is known of a source now: ``state`` (online, offline), and numbers such as ``fps``.

        May raise ``SinkError``. It is not tried again, since the next values come soon.
        """

    def close(self) -> None:
        """End connections and threads; called once."""


KINDS: dict[str, type[Component]] = {
    kind.kind: kind
    for kind in (
        Backbone,
        Temporal,
        Fusion,
        Head,
        Source,
        Selector,
        Loss,
        Sampler,
        Dataset,
        Metric,
        Postprocess,
        Labeller,
        Optimizer,
        Schedule,
        Logger,
        Corruption,
        Sink,
    )
}
NODE_KINDS = ("temporal", "fusion", "head", "source", "selector")

__all__ = [
    "BATCH_PORTS",
    "KINDS",
    "NODE_KINDS",
    "Backbone",
    "BatchPort",
    "Component",
    "Corruption",
    "Dataset",
    "Fusion",
    "Head",
    "Labeller",
    "Logger",
    "Lookahead",
    "Loss",
    "Metric",
    "ModuleComponent",
    "Optimizer",
    "Postprocess",
    "Range",
    "Ranges",
    "Sampler",
    "Schedule",
    "Selector",
    "Sink",
    "Source",
    "Temporal",
    "Track",
]
