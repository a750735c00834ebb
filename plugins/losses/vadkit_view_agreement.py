"""Agreement of two views of a snippet: where one is sure of its class, the other follows it.

FixMatch (Sohn et al., NeurIPS 2020), as in UMIL: Lv et al., "Unbiased Multiple Instance Learning for Weakly Supervised
Video Anomaly Detection", CVPR 2023.

Legend: b bags x crops, t snippets, n classes.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from vadkit import Loss, hookimpl
from vadkit.layers import full_precision, masked_mean


class ViewAgreement(Loss):
    """Average over all snippets the cross entropy of the strong view with the class that the weak one is sure of.

    A snippet whose most probable class in the weak view is less probable than ``above`` counts as 0. No gradient
    reaches the weak view. Padding is excluded.

    Args:
        num_classes: classes.
        above: how probable the weak view's class must be.
    """

    name = "view_agreement"
    inputs = {"strong": "b t num_classes", "weak": "b t num_classes", "mask?": "b t"}
    example = {"num_classes": 2, "above": 0.5}
    paper = "Lv et al., Unbiased Multiple Instance Learning, CVPR 2023"
    fidelity = "paper"

    def __init__(self, *, num_classes: int, above: float = 0.8) -> None:
        super().__init__()
        if not 0 <= above < 1:
            raise ValueError(f"above must be at least 0 and below 1, not {above}")
        self.num_classes, self.above = num_classes, above

    def forward(self, strong: Tensor, weak: Tensor, mask: Tensor | None = None) -> Tensor:
        """Take logits (b, t, n) of both views and mask (b, t); return the loss."""
        sure, chosen = full_precision(weak).detach().softmax(-1).max(-1)
        entropy = F.cross_entropy(full_precision(strong).transpose(1, 2), chosen, reduction="none")
        entropy = entropy * (sure >= self.above)
        if mask is None:
            return entropy.mean()
        return masked_mean(entropy.reshape(1, -1), mask.reshape(1, -1)).sum()


@hookimpl
def vadkit_components() -> list[type]:
    return [ViewAgreement]
