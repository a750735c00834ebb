"""Transformer over the patches of a few consecutive snippets: one vector for each such part of a video.

Sun and Gong, "Long-Short Temporal Co-Teaching for Weakly Supervised Video Anomaly Detection" (LSTC), ICME 2023: with
one snippet in a part the short-term network (STN), with several the long-term network (LTN).

Legend: b bags x crops, t snippets, p patches of a snippet, m parts, r snippets of a part, n tokens of a part (r x p),
c channels, h heads, d head width.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from einops import rearrange
from torch import Tensor, nn

from vadkit import Temporal, hookimpl
from vadkit.layers import Dropout

Option = Literal[
    "attention_norm", "ff_norm", "input_norm", "learned_cls", "positions", "unit_at_test", "unit", "xavier"
]
AT_ONCE = 8  # parts of each bag, where there is no gradient
OPTIONS = get_args(Option)


class PartTransformer(Temporal):
    """Describe each part of ``run`` consecutive snippets by a class token that attends to all of its patches.

    The patches of a part are its tokens, before them a class token: their mean. Layers of attention without biases,
    then of feed-forward, each with a residual and, if asked for, a LayerNorm after it; there is no norm at the end. The
    class token of the last layer is the output, the same for all snippets of a part.

    Quirks of the authors that are kept: if t is no multiple of ``run``, the last part takes the last ``run`` snippets,
    and describes those that are left with them; of a video shorter than a part, only the last min(run - t, t) snippets
    are seen. The relative bias of patch i to patch j is that of a grid of ``window`` x ``window``, whatever the number
    of patches, and the class token has none.

    Args:
        patches: patches of a snippet.
        in_dim: width of a patch, kept.
        run: snippets of a part.
        heads: attention heads of each layer, so the length of the list is the depth.
        widths: of a head's queries and keys, of its values, and inside the feed-forward part; null means an equal
            share of ``in_dim`` for each head, and ``in_dim``.
        dropout: of attention weights, and after attention and feed-forward.
        window: side of the grid of patches for the relative bias, in 3-D over a part; null means no bias.
        options: "attention_norm" and "ff_norm" are norms after the two halves of a layer; "input_norm" one of the
            patches; "learned_cls" is a class token that is learned; "positions" adds a learned vector to each token;
            "unit" scales each patch to length 1, "unit_at_test" in evaluation only (the authors' on UCF-Crime, whose
            training file seems to hold scaled ones); "xavier" starts the weights Xavier-uniform.
    """

    name = "part_transformer"
    inputs = {"x": "b t patches in_dim"}
    outputs = {"x": "b t dim"}
    example = {"patches": 3, "in_dim": 8, "run": 2, "heads": [2, 2], "window": 2}
    paper = "Sun and Gong, Long-Short Temporal Co-Teaching, ICME 2023"
    fidelity = "code"
    # Of the last layer only the class token is wanted, and that has no bias.
    no_gradient = ("layers.1.bias.table",)

    def __init__(
        self,
        *,
        patches: int,
        in_dim: int,
        run: int = 1,
        heads: list[int] | None = None,
        widths: list[int] | None = None,
        dropout: list[float] | None = None,
        window: int | None = None,
        options: list[Option] | None = None,
    ) -> None:
        super().__init__()
        heads, chosen = [8, 8, 8] if heads is None else heads, ["ff_norm"] if options is None else options
        if not heads or min(run, *heads) < 1:
            raise ValueError(
                f"run and heads must be at least 1, and heads a list for the layers, not {run} and {heads}"
            )
        if unknown := [option for option in chosen if option not in OPTIONS]:
            raise ValueError(f"options are {', '.join(OPTIONS)}, not {unknown[0]}")
        rates = _three(dropout, [0.3, 0.3, 0.3], "dropout", least=0)
        if window is not None and window < 1:
            raise ValueError(f"window must be at least 1, or null for no bias, not {window}")
        self.patches, self.in_dim, self.dim, self.run, self.lookahead = patches, in_dim, in_dim, run, run - 1
        self.lookback, self.period = run - 1, run
        self.cls = nn.Parameter(torch.randn(1, 1, in_dim)) if "learned_cls" in chosen else None
        tokens = run * patches
        self.positions = nn.Parameter(0.02 * torch.randn(1, tokens + 1, in_dim)) if "positions" in chosen else None
        self.norm = nn.LayerNorm(in_dim, eps=1e-6) if "input_norm" in chosen else None
        self.unit = "unit" in chosen
        self.unit_at_test = "unit_at_test" in chosen
        sides = None if window is None else (run, window, tokens)
        self.layers = nn.ModuleList(
            Layer(
                in_dim, count, _three(widths, [max(1, in_dim // count)] * 2 + [in_dim], "widths"), rates, sides, chosen
            )
            for count in heads
        )
        if "xavier" in chosen:
            for weight in self.parameters():
                if weight.dim() > 1:
                    nn.init.xavier_uniform_(weight)

    def forward(self, x: Tensor) -> Tensor:
        """Take x (b, t, p, c); return (b, t, c)."""
        t = x.shape[1]
        rows = part_rows(t, self.run, x.device)
        if torch.is_grad_enabled() or torch.compiler.is_compiling() or x.is_meta:
            found = self._parts(x, rows)
        else:  # the layers of a long video take gigabytes, and no part sees another
            found = x.new_empty(x.shape[0], len(rows), x.shape[-1])
            for some, place in zip(rows.split(AT_ONCE), found.split(AT_ONCE, 1)):
                place.copy_(self._parts(x, some))
        return found[:, torch.arange(t, device=x.device) // self.run]

    def _parts(self, x: Tensor, rows: Tensor) -> Tensor:
        """Return what is read from parts of x (b, t, p, c), whose snippets are ``rows`` (m, r): (b, m, c)."""
        tokens = rearrange(x[:, rows], "b m r p c -> (b m) (r p) c")
        if self.unit or (self.unit_at_test and not self.training):
            tokens = nn.functional.normalize(tokens, dim=-1)
        return rearrange(self.encode(tokens, only_first=True)[:, 0], "(b m) c -> b m c", b=x.shape[0])

    def encode(self, x: Tensor, only_first: bool = False) -> Tensor:
        """Take the tokens of parts (m, n, c); return the class token and them, (m, 1 + n, c); or it alone."""
        if self.norm is not None:
            x = self.norm(x)
        first = x.mean(1, keepdim=True) if self.cls is None else self.cls.expand(x.shape[0], -1, -1)
        x = torch.cat([first, x], dim=1)
        if self.positions is not None:
            x = x + self.positions[:, : x.shape[1]]
        for number, layer in enumerate(self.layers, 1):
            x = layer(x, only_first and number == len(self.layers))
        return x


def part_rows(t: int, run: int, device: torch.device) -> Tensor:
    """Return the snippets of each part, (parts, r): of t, in parts of ``run``."""
    if t < run:
        seen = min(run - t, t)
        return torch.arange(t - seen, t, device=device)[None]
    starts = (torch.arange((t + run - 1) // run, device=device) * run).clamp_max(t - run)
    return starts[:, None] + torch.arange(run, device=device)


def _three(given: list | None, default: list, what: str, least: int = 1) -> list:  # type: ignore[type-arg]
    values = default if given is None else given
    if len(values) != 3 or min(values) < least:
        raise ValueError(f"{what} are three numbers of at least {least}, not {values}")
    return values


class Layer(nn.Module):
    """One layer: attention, then feed-forward, each with a residual and perhaps a norm after it."""

    def __init__(
        self,
        dim: int,
        heads: int,
        widths: list[int],
        rates: list[float],
        sides: tuple[int, int, int] | None,
        chosen: list[Option],
    ) -> None:
        super().__init__()
        key, value, hidden = widths
        self.heads, self.scale = heads, key**-0.5
        self.q = nn.Linear(dim, heads * key, bias=False)
        self.k = nn.Linear(dim, heads * key, bias=False)
        self.v = nn.Linear(dim, heads * value, bias=False)
        self.out = nn.Linear(heads * value, dim, bias=False)
        self.attention_norm = nn.LayerNorm(dim, eps=1e-6) if "attention_norm" in chosen else nn.Identity()
        self.ff_in, self.ff_out = nn.Linear(dim, hidden), nn.Linear(hidden, dim)
        self.ff_norm = nn.LayerNorm(dim, eps=1e-6) if "ff_norm" in chosen else nn.Identity()
        self.bias = None if sides is None else RelativeBias(*sides, heads)
        self.drop_attention, self.drop_out, self.drop_ff = map(Dropout, rates)

    def forward(self, x: Tensor, only_first: bool) -> Tensor:
        """Take (m, 1 + n, c); return it, or its first token alone, which has no bias."""
        seen, n = x[:, :1] if only_first else x, x.shape[1] - 1
        parts = ((self.q, seen), (self.k, x), (self.v, x))
        q, k, v = (rearrange(part(tokens), "m n (h d) -> m h n d", h=self.heads) for part, tokens in parts)
        logits = (q * self.scale) @ k.transpose(-2, -1)
        if self.bias is not None and not only_first:
            logits = logits + self.bias(n)
        attended = rearrange(self.drop_attention(logits.softmax(-1)) @ v, "m h n d -> m n (h d)")
        x = self.attention_norm(seen + self.drop_out(self.out(attended)))
        return self.ff_norm(x + self.drop_ff(self.ff_out(self.ff_in(x).relu())))  # type: ignore[no-any-return]


class RelativeBias(nn.Module):
    """A learned number for each head and each offset of two patches in a grid of depth x side x side."""

    index: Tensor

    def __init__(self, depth: int, side: int, tokens: int, heads: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.empty((2 * depth - 1) * (2 * side - 1) ** 2, heads))
        nn.init.trunc_normal_(self.table, std=0.02)
        most = depth * side * side
        if tokens > most:
            raise ValueError(f"a part has {tokens} patches, and window {side} is for {most}; make it larger")
        self.register_buffer("index", offsets(depth, side)[:tokens, :tokens], persistent=False)

    def forward(self, n: int) -> Tensor:
        """Return (h, 1 + n, 1 + n); 0 for the class token."""
        bias = rearrange(self.table[self.index[:n, :n]], "i j h -> h i j")
        return nn.functional.pad(bias, (1, 0, 1, 0))


def offsets(depth: int, side: int) -> Tensor:
    """Return which entry of the table belongs to cells i and j of a grid, (cells, cells)."""
    axes = [torch.arange(size, device="cpu") for size in (depth, side, side)]
    cells = torch.stack(torch.meshgrid(*axes, indexing="ij")).flatten(1)
    apart = cells[:, :, None] - cells[:, None, :]
    down, right = side * 2 - 1, 1
    return (
        (apart[0] + depth - 1) * down * down + (apart[1] + side - 1) * down + (apart[2] + side - 1) * right
    ).contiguous()


@hookimpl
def vadkit_components() -> list[type]:
    return [PartTransformer]
