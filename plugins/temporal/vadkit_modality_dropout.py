"""Modality dropout: in training, streams are taken away, of a whole video or for a while.

    kept:  {use: modality_dropout, in: presence, args: {together: [[rgb, clip]]}}
    audio_there: {use: gap_token, in: {x: audio, presence: kept}, args: {stream: audio}}

It takes and gives ``presence``, and touches no stream: the nodes that honour presence take it from here in place of the
batch, so one node decides for all of them, and a graph without this node is the same graph without the dropout. Columns
are named by the graph's inputs ("audio"), which the compiler fills in: nothing else in the language is new.

Neverova et al., "ModDrop: Adaptive Multi-Modal Gesture Recognition", IEEE TPAMI 2016, drop whole modalities of an
example; the blocks are ours.

Legend: b bags x crops, v videos, t snippets, n streams, k blocks of a video, g groups of streams.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vadkit import Temporal, hookimpl

MIX = ((30, 0x3F58476D1CE4E5B9), (27, 0x14D049BB133111EB))  # shifts and factors of splitmix64, below 2**63
GOLDEN = 0x1E3779B97F4A7C15


class ModalityDropout(Temporal):
    """Take away streams in training, of whole videos and of blocks of snippets, but never all that are there.

    Each video loses each stream with probability ``video``; what is left loses each of its blocks with probability
    ``block``. Where that would take all streams that are there, one of them stays. Draws are a function of the seed of
    the training and of the step, so that a resumed run continues them; without a step, they are another one's each
    time. All crops of a video lose the same. In evaluation it changes nothing.

    Args:
        in_dim: the columns of ``presence``, kept.
        streams: the graph's inputs, which the columns are.
        video: probability that a video loses a stream.
        block: probability that a block of a stream is lost.
        length: snippets of a block.
        together: streams that are lost together, since they come from one sensor, such as [[rgb, clip]].
        never: streams that are never taken away.
    """

    name = "modality_dropout"
    inputs = {"x": "b t in_dim", "step?": "v", "crops?": ""}
    outputs = {"x": "b t dim"}
    example = {"in_dim": 3}
    paper = "Neverova et al., ModDrop: Adaptive Multi-Modal Gesture Recognition, IEEE TPAMI 2016"
    fidelity = "ours"
    lookback = 0

    def __init__(
        self,
        *,
        in_dim: int,
        streams: list[str] | None = None,
        video: float = 0.25,
        block: float = 0.15,
        length: int = 4,
        together: list[list[str]] | None = None,
        never: list[str] | None = None,
    ) -> None:
        super().__init__()
        for what, share in (("video", video), ("block", block)):
            if not 0 <= share < 1:
                raise ValueError(f"{what} must be at least 0 and below 1, not {share}")
        if length < 1:
            raise ValueError(f"length must be at least 1, not {length}")
        self.dim = self.in_dim = in_dim
        self.video, self.block, self.length = video, block, length
        names = list(streams or [])
        columns = list(range(in_dim))
        for group in together or []:
            first, *others = [_column(names, name) for name in group]
            for other in others:
                columns[other] = columns[first]
        groups = {column: number for number, column in enumerate(dict.fromkeys(columns))}
        kept = {_column(names, name) for name in never or []}
        # Buffers, so that a recorded update copies nothing from the host.
        self.register_buffer("group", torch.tensor([groups[column] for column in columns]), persistent=False)
        self.register_buffer("never", torch.tensor([n in kept for n in range(in_dim)]), persistent=False)
        self.groups = len(groups)  # of streams
        self.register_buffer("key", torch.randint(2**62, ()), persistent=False)  # by the seed, as weights are

    def forward(self, x: Tensor, step: Tensor | None = None, crops: int | None = None) -> Tensor:
        """Take ``presence`` (b, t, n); return it with more zeros."""
        if not self.training or (self.video == 0 and self.block == 0):
            return x
        return x * self.kept(x, step, crops or 1)

    def kept(self, x: Tensor, step: Tensor | None, crops: int) -> Tensor:
        """Return (b, t, n), 1 for what stays."""
        b, t, n = x.shape
        videos, groups = b // crops, self.groups
        blocks = -(-t // self.length)
        noise = self.noise(step, videos * (blocks + 1) * groups).view(videos, blocks + 1, groups).to(x.dtype)
        keep = (noise[:, :1] >= self.video) & (noise[:, 1:] >= self.block)  # (v, k, g)
        rank = noise[:, :1] + noise[:, 1:] / 8  # who stays if all would go: mostly the same one along a video
        rows = torch.arange(t, device=x.device) // self.length
        keep, rank = (y[:, rows][..., self.group].repeat_interleave(crops, 0) for y in (keep, rank))
        keep = keep | self.never
        there = x > 0
        none = ~(keep & there).any(-1, keepdim=True)
        best = (rank + there).amax(-1, keepdim=True)
        return (keep | (none & (rank + there >= best))).to(x.dtype)

    def noise(self, step: Tensor | None, count: int) -> Tensor:
        """Return ``count`` uniform numbers in [0, 1), float64, of the key and the step."""
        key: Tensor = self.key  # type: ignore[assignment]
        number = torch.randint(2**30, (), device=key.device) if step is None else step.reshape(-1)[0]
        x = (torch.arange(count, device=key.device) + number * 2**24 + key) * GOLDEN
        for shift, factor in MIX:
            x = (x ^ ((x >> shift) & (2 ** (64 - shift) - 1))) * factor
        return (((x ^ (x >> 31)) >> 11) & (2**52 - 1)).double() / 2**52


def _column(names: list[str], name: str) -> int:
    if name not in names:
        raise ValueError(f"there is no stream '{name}'; the graph has {', '.join(names) or 'none that is named'}")
    return names.index(name)


@hookimpl
def vadkit_components() -> list[type]:
    return [ModalityDropout]
