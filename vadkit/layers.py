"""The few blocks that several plugins need.

Legend: ``b`` bags x crops (the crops of one video are neighbours), ``v`` videos,
``t`` snippets, ``c`` channels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from typing import Literal

import torch
from einops import rearrange, repeat
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from vadkit.dropout import Dropout as Dropout

KEPT_LENGTH, KEPT_MAPS = 512, 16  # see ``kept``: at most 16 MiB in float32
PAST_ROWS = 256  # queries of ``attend_past`` computed at once, or as many as they look back if that is more
CELLS = 2**23  # entries of a map over pairs of snippets computed at once: 32 MiB in float32
Activation = Literal["none", "relu", "gelu", "sigmoid", "quick_gelu"]
Init = Literal["xavier", "torch", "keras"]


class QuickGelu(nn.Module):
    """CLIP's approximation of GELU: x sigmoid(1.702 x)."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)


_ACTIVATIONS: dict[str, type[nn.Module]] = {
    "none": nn.Identity,
    "relu": nn.ReLU,
    "gelu": nn.GELU,  # the exact (erf) form
    "sigmoid": nn.Sigmoid,
    "quick_gelu": QuickGelu,
}


def nonlinearity(name: str) -> nn.Module:
    """Return the named activation as a module. Raises ValueError for an unknown name."""
    if name not in _ACTIVATIONS:
        raise ValueError(f"activation must be one of {', '.join(_ACTIVATIONS)}, not '{name}'")
    return _ACTIVATIONS[name]()


def initialise(module: nn.Module, init: Init = "xavier") -> None:
    """Re-initialise the weights of all linear and convolution layers inside ``module``.

    "xavier" is Xavier-uniform on the weights with PyTorch's own biases, as in the seed paper,
    PEL4VAD and CLIP-TSA; "torch" keeps PyTorch's initialisation; "keras" is Xavier-normal with
    biases of 0, which Sultani et al. chose in Keras.
    """
    if init == "torch":
        return
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv1d):
            if init == "xavier":
                nn.init.xavier_uniform_(layer.weight)
                continue
            nn.init.xavier_normal_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def distances(x: Tensor, rows: slice = slice(None)) -> Tensor:
    """Return |i - j| between the snippets of ``x`` (b, t, c) as integers, (t, t) or some rows of that."""
    position = torch.arange(x.shape[1], device=x.device)
    return (position[rows, None] - position[None, :]).abs()


_KEPT: dict[Hashable, Tensor] = {}


def kept(build: Callable[[], Tensor], x: Tensor, *key: Hashable) -> Tensor:
    """Return what ``build`` returns; the next bags of as many snippets as ``x`` (b, t, c) get the same tensor.

    For maps over pairs of snippets that no weight and no number in ``x`` enters; ``key`` is what else they depend on.
    A few small ones are kept, for each device and dtype.
    """
    real = type(x) is Tensor and not x.is_meta and not torch.compiler.is_compiling()
    # Inside a CUDA graph a map must live as long as the graph does, so the graph computes its own.
    captured = real and x.is_cuda and torch.cuda.is_current_stream_capturing()
    if not real or captured or x.shape[1] > KEPT_LENGTH:
        return build()
    full = (*key, x.shape[1], x.device, x.dtype)
    found = _KEPT.pop(full, None)
    if found is None:
        with torch.inference_mode(False), torch.no_grad():  # a map from inference could not be used in training
            found = build()
    _KEPT[full] = found  # the last one used is last
    for oldest in list(_KEPT)[:-KEPT_MAPS]:
        _KEPT.pop(oldest, None)
    return found


def by_rows(read: Callable[[slice], Tensor], x: Tensor) -> Tensor:
    """Return ``read`` of all t snippets of ``x`` (b, t, c), computed as many rows at a time as memory allows.

    ``read(rows)`` computes some rows of a map over pairs of snippets and returns (b, rows, ...). The whole
    map of a three-hour video takes a gigabyte. While a graph is traced, t is no number: all rows at once.
    """
    if torch.compiler.is_compiling() or x.is_meta:
        return read(slice(None))
    rows = max(1, CELLS // (x.shape[0] * x.shape[1]))
    if rows >= x.shape[1]:
        return read(slice(None))
    parts = [read(slice(start, start + rows)) for start in range(0, x.shape[1], rows)]
    return torch.cat(parts, dim=1)


def hide(logits: Tensor, keep: Tensor) -> Tensor:
    """Return attention logits, so low where ``keep`` is False that softmax gives 0.

    Finite and not -inf: a row without any entry to keep must not become NaN.
    """
    return logits.masked_fill(~keep, torch.finfo(logits.dtype).min)


def padding_bias(mask: Tensor | None, x: Tensor) -> Tensor | None:
    """Return what to add to attention logits so that padding gets no weight: (b, 1, t), or None."""
    if mask is None:
        return None
    return hide(torch.zeros_like(mask, dtype=x.dtype), mask)[:, None, :]


def since(n: int, m: int, like: Tensor) -> Tensor:
    """Return how many snippets each of m snippets is before each of the last n of them, (n, m); negative if after."""
    own = torch.arange(n, device=like.device) + (m - n)
    return own[:, None] - torch.arange(m, device=like.device)[None, :]


def attend_past(q: Tensor, k: Tensor, v: Tensor, past: int, bias: Tensor | None = None) -> Tensor:
    """Return softmax attention (b, h, n, d) of each snippet to itself and to the ``past`` - 1 before it.

    Queries are (b, h, n, d), keys and values (b, h, m, d): the queries are those of the last n of the m snippets.
    ``bias`` (b, 1, 1, m) is added to the logits. Of a long video only the pairs near enough are computed.
    """
    n, m = q.shape[2], k.shape[2]
    at_once = max(past, PAST_ROWS)
    if torch.compiler.is_compiling() or q.is_meta or n <= at_once:
        return _attend_past(q, k, v, past, bias)
    parts = []
    for start in range(0, n, at_once):
        rows = q[:, :, start : start + at_once]
        seen = slice(max(0, m - n + start - past + 1), m - n + start + rows.shape[2])
        near = None if bias is None else bias[..., seen]
        parts.append(_attend_past(rows, k[:, :, seen], v[:, :, seen], past, near))
    return torch.cat(parts, dim=2)


def _attend_past(q: Tensor, k: Tensor, v: Tensor, past: int, bias: Tensor | None) -> Tensor:
    if not torch.compiler.is_compiling() and q.shape[2] == 1 and k.shape[2] <= past:
        return scaled_dot_product_attention(q, k, v, attn_mask=bias)  # one snippet, which sees all that is kept
    before = since(q.shape[2], k.shape[2], q)
    mask = hide(torch.zeros_like(before, dtype=q.dtype), (before >= 0) & (before < past))
    return scaled_dot_product_attention(q, k, v, attn_mask=mask if bias is None else mask + bias)


def remember(kept: Tensor | None, new: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return the rows kept so far (b, m, c) followed by new ones (b, n, c), and the last ``count`` of both to keep."""
    joined = new if kept is None else torch.cat([kept, new], dim=1)
    return joined, joined[:, max(0, joined.shape[1] - count) :].clone()


def clear(x: Tensor, mask: Tensor | None) -> Tensor:
    """Return ``x`` (b, t, c) with zeros where ``mask`` (b, t) is False."""
    return x if mask is None else x.masked_fill(~mask[..., None], 0)


def sinusoid(x: Tensor) -> Tensor:
    """Return the sine and cosine position code of Vaswani et al. for ``x`` (b, t, c), as (t, c)."""
    length, width = x.shape[1], x.shape[2]
    pairs = (width + 1) // 2
    rate = torch.exp(torch.arange(pairs, device=x.device) * (-math.log(10000.0) / pairs))
    angle = torch.arange(length, device=x.device)[:, None] * rate
    code = rearrange([angle.sin(), angle.cos()], "two t pairs -> t (pairs two)")  # sin, cos, sin, cos, ...
    return code[:, :width].to(x.dtype)


def to_rows(per_video: Tensor, rows: int) -> Tensor:
    """Repeat one entry per video (v, ...) for each of its crops: (b, ...) with b = ``rows``."""
    return repeat(per_video, "v ... -> (v crops) ...", crops=rows // per_video.shape[0])


def per_video(x: Tensor, crops: int = 1) -> Tensor:
    """Return rows (b, ...) as (v, crops, ...)."""
    return rearrange(x, "(v crops) ... -> v crops ...", crops=crops)


def presence_columns(streams: list[str] | None, of: list[str | None] | None, count: int) -> list[int | None]:
    """Return the column of ``presence`` for each of ``count`` values; None is for one that is always there.

    Args:
        streams: the graph's inputs, which the columns are.
        of: the input that each value is computed from, None for one that is always there; None if all are.
    """
    if of is None:
        return [None] * count
    if len(of) != count:
        raise ValueError(f"of must name the stream of each of the {count} values, but it has {len(of)}")
    names = list(streams or ())
    for name in of:
        if name is not None and name not in names:
            raise ValueError(f"of: there is no stream '{name}'; the graph has {', '.join(names) or 'no named one'}")
    return [None if name is None else names.index(name) for name in of]


def presence_of(presence: Tensor, columns: list[int | None]) -> Tensor:
    """Return (b, t, values), 1 where each value is there, from presence (b, t, streams)."""
    always = presence.new_ones(presence.shape[:2])
    return torch.stack([always if i is None else presence[..., i] for i in columns], -1)


def masked_mean(x: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return the mean of ``x`` (b, t) or (b, t, c) over the snippets where ``mask`` (b, t) is True.

    A row without a real snippet gives 0.
    """
    if mask is None:
        return x.mean(1)
    keep = mask if x.dim() == 2 else mask[..., None]
    return x.masked_fill(~keep, 0).sum(1) / keep.sum(1).clamp_min(1)


def part_means(x: Tensor, run: int) -> Tensor:
    """Return the mean of ``x`` (b, t) over each part of ``run`` snippets, (b, p); a last part may be shorter."""
    b, t = x.shape
    count = -(-t // run)
    padded = nn.functional.pad(x, (0, count * run - t)).view(b, count, run)
    real = (torch.arange(count * run, device=x.device) < t).view(count, run).sum(1)
    return padded.sum(2) / real.to(x.dtype)


def topk_mask(scores: Tensor, k: Tensor, mask: Tensor) -> Tensor:
    """Return True (b, t) at the ``k`` (b) highest ``scores`` (b, t) of each row that are real."""
    rank = hide(scores, mask).argsort(dim=1, descending=True).argsort(dim=1)
    return (rank < k[:, None]) & mask


def topk_mean(scores: Tensor, k: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return the mean of the ``k`` (b) largest of ``scores`` (b, t) in each row, as (b).

    Snippets where ``mask`` is False are excluded. k is cut to what a row has, and is at least 1.
    """
    k = k.clamp_max(scores.shape[1]) if mask is None else torch.minimum(k, mask.sum(1))
    k = k.clamp_min(1)
    ranked = (scores if mask is None else hide(scores, mask)).sort(dim=1, descending=True).values
    chosen = torch.arange(scores.shape[1], device=scores.device) < k[:, None]
    return (ranked * chosen).sum(1) / k


def weighted_mean(values: Tensor, weight: Tensor) -> Tensor:
    """Return the mean of ``values`` where ``weight`` (0 or 1, same shape) is 1; 0 where it is nowhere 1.

    Entries of weight 0 may hold anything, also NaN.
    """
    kept = torch.where(weight > 0, values, 0)
    return kept.sum() / weight.sum().clamp_min(1)


def batch_norm(norm: nn.BatchNorm1d, x: Tensor) -> Tensor:
    """Return ``x`` (b, c, t) normalised. A training batch of one snippet has no deviation: the running one is taken."""
    if norm.training and x.shape[0] * x.shape[2] == 1:
        mean, variance = norm.running_mean, norm.running_var
        return nn.functional.batch_norm(x, mean, variance, norm.weight, norm.bias, eps=norm.eps)
    normalised: Tensor = norm(x)
    return normalised


def full_precision(x: Tensor) -> Tensor:
    """Return ``x`` in float32, or in float64 if it is in that: losses are too fine for half precision."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def probability_loss(probability: Tensor, target: Tensor) -> Tensor:
    """Return the binary cross entropy of each entry, in full precision even under autocast."""
    probability = full_precision(probability)
    with torch.autocast(probability.device.type, enabled=False):
        return nn.functional.binary_cross_entropy(probability, target.to(probability.dtype), reduction="none")


def pair_bags(labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Pair the i-th normal video with the i-th abnormal one.

    Takes labels (v); returns three tensors of v // 2 entries: the normal rows, the abnormal rows,
    and 1.0 where the pair exists (if one class has fewer videos, the rest has no partner). The
    sizes do not depend on the labels, so that nothing waits for the device.
    """
    pairs = torch.arange(labels.shape[0] // 2, device=labels.device)
    normal_first = (labels > 0.5).int().argsort(stable=True)
    abnormal = (labels > 0.5).sum()
    normal = labels.shape[0] - abnormal
    exists = pairs < torch.minimum(normal, abnormal)
    last = (normal + pairs).clamp_max(labels.shape[0] - 1)
    return normal_first[pairs], normal_first[last], exists.float()


def gather_snippets(x: Tensor, index: Tensor) -> Tensor:
    """Return the snippets ``index`` (b, k) of ``x`` (b, t, c), as (b, k, c)."""
    return x.gather(1, index[..., None].expand(-1, -1, x.shape[-1]))


class PostNormLayer(nn.Module):
    """A transformer layer with a LayerNorm after each residual: attention, then a ReLU feed-forward part.

    With ``norm_first`` one more LayerNorm is applied to what comes in, queries and memory alike, and the first
    residual starts from its result. A head is dim // heads wide (at least 1).

    Args:
        dim: width of the snippets, kept.
        heads: attention heads.
        ff_dim: width inside the feed-forward part.
        dropout: after both parts.
        inner_dropout: of attention weights, and inside the feed-forward part.
        norm_first: whether the input is normalised.
        equal_start: start the four projections of the attention as copies of one.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        ff_dim: int,
        dropout: float,
        *,
        inner_dropout: float = 0.1,
        norm_first: bool = False,
        equal_start: bool = False,
    ) -> None:
        super().__init__()
        inner = heads * max(1, dim // heads)
        self.heads = heads
        self.in_norm = nn.LayerNorm(dim) if norm_first else nn.Identity()
        self.q, self.k, self.v = (nn.Linear(dim, inner) for _ in range(3))
        self.out = nn.Linear(inner, dim)
        self.attn_norm = nn.LayerNorm(dim)
        self.ff_in = nn.Linear(dim, ff_dim)
        self.ff_out = nn.Linear(ff_dim, dim)
        self.ff_norm = nn.LayerNorm(dim)
        self.dropout, self.inner_dropout = Dropout(dropout), Dropout(inner_dropout)
        if equal_start and inner == dim:
            for layer in (self.k, self.v, self.out):
                layer.load_state_dict(self.q.state_dict())

    def forward(self, x: Tensor, memory: Tensor | None = None, bias: Tensor | None = None) -> Tensor:
        """Take x (b, t, c), what it attends to (b, s, c) if that is not x, and a bias (b, 1, s); return (b, t, c)."""
        x = self.in_norm(x)
        memory = x if memory is None else self.in_norm(memory)
        x = self.attn_norm(x + self.dropout(self.attend(x, memory, bias)))
        hidden = self.inner_dropout(self.ff_in(x).relu())
        return self.ff_norm(x + self.dropout(self.ff_out(hidden)))  # type: ignore[no-any-return]

    def attend(self, x: Tensor, memory: Tensor, bias: Tensor | None) -> Tensor:
        """Return what x takes from the memory, (b, t, c)."""
        parts = (self.q(x), self.k(memory), self.v(memory))
        q, k, v = (rearrange(part, "b t (h d) -> b h t d", h=self.heads) for part in parts)
        p = self.inner_dropout.p if self.training else 0.0
        bias = None if bias is None else bias[:, None]  # the same for all heads
        found = scaled_dot_product_attention(q, k, v, attn_mask=bias, dropout_p=p)
        return self.out(rearrange(found, "b h t d -> b t (h d)"))  # type: ignore[no-any-return]
