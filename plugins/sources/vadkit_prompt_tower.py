"""Text vectors of classes from CLIP's text tower, with learned words around the name of each class.

VadCLIP: Wu et al., "VadCLIP: Adapting Vision-Language Models for Weakly Supervised Video Anomaly Detection", AAAI 2024;
the tower: Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", ICML 2021.

Legend: n classes, l positions of a sentence, c channels.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from vadkit import Source, hookimpl
from vadkit.layers import nonlinearity

# CLIP's tokens of normal, abuse, arrest, arson, assault, burglary, explosion, fighting, road accidents, robbery,
# shooting, shoplifting, stealing, vandalism: the classes of UCF-Crime, each between start and end.
UCF_CRIME = [
    [49406, *words, 49407]
    for words in (
        [5967], [7678], [9320], [29937], [9679], [32573], [13785],
        [4652], [4370, 22072], [16393], [3992], [5738, 10857], [14242], [45664],
    )
]  # fmt: skip
FROZEN = ("words", "places", "layers", "norm", "projection")


class PromptTower(Source):
    """Give each class a sentence of its name between learned words, and return its vector from CLIP's text tower.

    A sentence is: start, ``prefix`` learned words, the name, ``postfix`` learned words, end. All classes share the
    learned words; each position has one of its own. The tower is frozen: only the learned words are trained. Its
    layers look back only, so what follows the end is left out, where the authors compute all ``context`` positions.

    In eval mode the vectors are computed once for the weights at hand, not once per video.

    Args:
        tokens: CLIP's token ids of each class, from start to end; null means the 14 of UCF-Crime.
        dim: width of the tower.
        depth: layers of the tower.
        heads: heads of each.
        vocabulary: token ids that exist.
        context: positions of a sentence.
        prefix: learned words before the name.
        postfix: learned words after it.
    """

    name = "prompt_tower"
    example = {"tokens": [[1, 3, 2], [1, 4, 5, 2]], "dim": 8, "depth": 1, "heads": 2, "vocabulary": 9, "context": 12,
               "prefix": 2, "postfix": 1}  # fmt: skip
    paper = "Wu et al., VadCLIP, AAAI 2024"
    fidelity = "code"

    def __init__(
        self,
        *,
        tokens: list[list[int]] | None = None,
        dim: int = 512,
        depth: int = 12,
        heads: int = 8,
        vocabulary: int = 49408,
        context: int = 77,
        prefix: int = 10,
        postfix: int = 10,
    ) -> None:
        super().__init__()
        tokens = UCF_CRIME if tokens is None else tokens
        _check(tokens, vocabulary, context - prefix - postfix)
        if min(dim, depth, heads) < 1 or dim % heads:
            raise ValueError(f"depth must be at least 1, and {heads} heads must divide a width of {dim}")
        if min(prefix, postfix) < 0:
            raise ValueError(f"prefix and postfix must be at least 0, not {prefix} and {postfix}")
        self.dim, self.rows = dim, len(tokens)
        self.prompts = nn.Parameter(0.01 * torch.randn(context, dim))
        self.words = nn.Embedding(vocabulary, dim)
        self.places = nn.Parameter(0.01 * torch.randn(context, dim))
        self.layers = nn.ModuleList(_layer(dim, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(dim)
        self.projection = nn.Parameter(dim**-0.5 * torch.randn(dim, dim))
        for name in FROZEN:
            getattr(self, name).requires_grad_(False)
        fixed, end = _sentences(tokens, prefix, postfix)
        self.register_buffer("fixed", fixed, persistent=False)  # (n, l), -1 where a word is learned
        self.register_buffer("end", end, persistent=False)  # (n)
        self._known: tuple[Any, Tensor] | None = None

    def forward(self) -> Tensor:
        """Return (n, c)."""
        if self.training or torch.is_grad_enabled() or torch.compiler.is_compiling() or self.prompts.is_meta:
            return self.read()
        state = self._state()
        if self._known is None or self._known[0] != state:
            self._known = state, self.read()
        return self._known[1]

    def read(self) -> Tensor:
        """Return (n, c), computed."""
        length = self.fixed.shape[1]
        learned = self.prompts[:length]
        x = torch.where(self.fixed[..., None] < 0, learned, self.words(self.fixed.clamp_min(0)))
        x = x + self.places[:length]
        later = torch.ones(length, length, dtype=torch.bool, device=x.device).triu(1)
        for layer in self.layers:
            x = layer(x, src_mask=later)
        last = x[torch.arange(len(x), device=x.device), self.end]
        return self.norm(last) @ self.projection

    def _state(self) -> tuple[Any, ...]:
        """Return what changes whenever a weight does."""
        weights = tuple((w.data_ptr(), 0 if w.is_inference() else w._version) for w in self.parameters())
        return self.prompts.device, self.prompts.dtype, torch.is_autocast_enabled(self.prompts.device.type), weights

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_known": None}


def _layer(dim: int, heads: int) -> nn.TransformerEncoderLayer:
    activation = nonlinearity("quick_gelu")
    return nn.TransformerEncoderLayer(
        dim, heads, 4 * dim, dropout=0.0, activation=activation, batch_first=True, norm_first=True
    )


def _check(tokens: list[list[int]], vocabulary: int, room: int) -> None:
    if not tokens or any(not isinstance(name, list) or len(name) < 3 for name in tokens):
        raise ValueError("tokens must be a list of at least 3 token ids for each class: start, name, end")
    for token in (token for name in tokens for token in name):
        if not isinstance(token, int) or not 0 <= token < vocabulary:
            raise ValueError(f"tokens are from 0 to {vocabulary - 1}, not {token!r}")
    longest = max(map(len, tokens))
    if longest > room:
        raise ValueError(
            f"a class of {longest} tokens does not fit: the context has room for {room} besides the prompts"
        )


def _sentences(tokens: list[list[int]], prefix: int, postfix: int) -> tuple[Tensor, Tensor]:
    """Return the token at each position (n, l), -1 where a word is learned, and the position of the end (n)."""
    rows = [[name[0], *[-1] * prefix, *name[1:-1], *[-1] * postfix, name[-1]] for name in tokens]
    length = max(map(len, rows))
    fixed = torch.tensor([row + [-1] * (length - len(row)) for row in rows])
    return fixed, torch.tensor([len(row) - 1 for row in rows])


@hookimpl
def vadkit_components() -> list[type]:
    return [PromptTower]
