"""Compare snippets with text vectors that are adapted to each video.

VadCLIP: Wu et al., "VadCLIP: Adapting Vision-Language Models for Weakly Supervised Video Anomaly Detection", AAAI 2024.

Legend: b bags x crops, t snippets, n classes, c channels.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from vadkit import Temporal, hookimpl
from vadkit.layers import clear, nonlinearity


class TextAlignment(Temporal):
    """Return a logit for each class of each snippet: its cosine with the text of the class, by the temperature.

    To the text of every class are added the snippets of the video, weighted by their scores and summed (its length is
    then 1), and what a small network makes of that sum of both.

    Quirk: the weights are logits, so that a snippet with a negative one is subtracted, and padding takes part.
    ``use_mask`` leaves padding out.

    Args:
        dim: width of snippets and texts.
        num_classes: texts.
        hidden: width inside the small network; null means 4 x ``dim``.
        temperature: what the cosines are divided by.
        use_mask: exclude padding from the sum.
    """

    name = "text_alignment"
    inputs = {"x": "b t dim", "text": "num_classes dim", "scores": "b t", "mask?": "b t"}
    outputs = {"x": "b t num_classes"}
    needs = {"scores": "logit"}
    example = {"dim": 8, "num_classes": 3}
    paper = "Wu et al., VadCLIP, AAAI 2024"
    fidelity = "code"
    lookahead = "all"
    mask_switch = "use_mask"

    def __init__(
        self,
        *,
        dim: int,
        num_classes: int,
        hidden: int | None = None,
        temperature: float = 0.07,
        use_mask: bool = False,
    ) -> None:
        super().__init__()
        if temperature <= 0:
            raise ValueError(f"temperature must be above 0, not {temperature}")
        if hidden is not None and hidden < 1:
            raise ValueError(f"hidden must be at least 1, or null for 4 x dim, not {hidden}")
        self.dim, self.num_classes = dim, num_classes
        self.temperature, self.use_mask = temperature, use_mask
        self.widen = nn.Linear(dim, hidden or 4 * dim)
        self.activation = nonlinearity("quick_gelu")
        self.narrow = nn.Linear(hidden or 4 * dim, dim)

    def forward(self, x: Tensor, text: Tensor, scores: Tensor, mask: Tensor | None = None) -> Tensor:
        """Take x (b, t, c), text (n, c), logits (b, t) and mask (b, t); return (b, t, n)."""
        texts = self.adapted(x, text, scores, mask)
        return F.normalize(x, dim=-1) @ F.normalize(texts, dim=-1).transpose(1, 2) / self.temperature

    def adapted(self, x: Tensor, text: Tensor, scores: Tensor, mask: Tensor | None) -> Tensor:
        """Return the texts of each video, (b, n, c)."""
        kept = clear(x, mask if self.use_mask else None)
        video = F.normalize(scores[:, None, :] @ kept, dim=-1)  # (b, 1, c)
        texts = text + video
        return texts + self.narrow(self.activation(self.widen(texts)))


@hookimpl
def vadkit_components() -> list[type]:
    return [TextAlignment]
