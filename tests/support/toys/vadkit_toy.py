"""A tiny plugin of components whose results can be computed by hand."""

import torch
from torch import Tensor, nn

from vadkit import Fusion, Head, Loss, Selector, Source, Temporal, hookimpl


class ToyLinear(Temporal):
    """A linear layer."""

    name = "toy_linear"
    inputs = {"x": "b t in_dim"}
    outputs = {"x": "b t dim"}

    def __init__(self, *, in_dim: int, dim: int | None = None) -> None:
        super().__init__()
        self.in_dim, self.dim = in_dim, dim or in_dim
        self.linear = nn.Linear(in_dim, self.dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x)


class ToyGate(Temporal):
    """Two outputs; sees the mask always and the labels in training."""

    name = "toy_gate"
    inputs = {"x": "b t dim", "mask?": "b t", "labels?": "v"}
    outputs = {"x": "b t dim", "gate": "b t"}
    lookahead = 2

    def __init__(self, *, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: Tensor, mask: Tensor | None = None, labels: Tensor | None = None) -> dict[str, Tensor]:
        gate = x.mean(-1)
        if mask is not None:
            gate = gate * mask
        if labels is not None and self.training:
            gate = gate + labels[:, None]
        return {"x": x * gate[..., None], "gate": gate}


class ToyPatchMean(Temporal):
    """The mean over the patches of a snippet."""

    name = "toy_patch_mean"
    inputs = {"x": "b t patches dim"}
    outputs = {"x": "b t dim"}

    def __init__(self, *, patches: int, dim: int) -> None:
        super().__init__()
        self.patches, self.dim = patches, dim

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(2)


class ToyConcat(Fusion):
    """Concatenation."""

    name = "toy_concat"

    def __init__(self, *, dims: list[int]) -> None:
        super().__init__()
        self.dims, self.dim = dims, sum(dims)

    def forward(self, x: list[Tensor]) -> Tensor:
        return torch.cat(x, -1)


class ToySum(Fusion):
    """A sum of equals."""

    name = "toy_sum"
    inputs = {"*x": "b t dim"}
    lookahead = 1

    def __init__(self, *, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: list[Tensor]) -> Tensor:
        return torch.stack(x).sum(0)


class ToyHead(Head):
    """One linear score."""

    name = "toy_head"

    def __init__(self, *, dim: int) -> None:
        super().__init__()
        self.dim = dim
        self.linear = nn.Linear(dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x).squeeze(-1)


class ToyTwoScores(Head):
    """A distance of any size, and the probability from which it is made; or the logit of that."""

    name = "toy_two_scores"
    outputs = {"scores": "b t", "belief": "b t"}

    def __init__(self, *, dim: int, logits: bool = False) -> None:
        super().__init__()
        self.dim, self.logits = dim, logits
        self.range = {"scores": "unbounded", "belief": "logit" if logits else "probability"}
        self.linear = nn.Linear(dim, 1)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        logit = self.linear(x).squeeze(-1)
        return {"scores": 10 + x.square().sum(-1), "belief": logit if self.logits else torch.sigmoid(logit)}


class ToyDamp(Temporal):
    """Scale snippets by a probability."""

    name = "toy_damp"
    inputs = {"x": "b t dim", "by": "b t"}
    outputs = {"x": "b t dim", "kept": "b t"}
    needs = {"by": "probability"}
    range = "probability"

    def __init__(self, *, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: Tensor, by: Tensor) -> dict[str, Tensor]:
        return {"x": x * by[..., None], "kept": by}


class ToyTokens(Temporal):
    """Attend to learned tokens, the same in every bag."""

    name = "toy_tokens"
    inputs = {"x": "b t dim"}
    outputs = {"x": "b t dim"}
    lookahead = "all"

    def __init__(self, *, dim: int) -> None:
        super().__init__()
        self.dim = dim
        self.tokens = nn.Parameter(torch.randn(3, dim))
        self.layer = nn.TransformerEncoderLayer(dim, 1, dim, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.layer(self.tokens.expand(x.shape[0], 3, self.dim))
        return x + tokens.mean(1, keepdim=True)


class ToyLoss(Loss):
    """Cross-entropy of the best snippet, with a part."""

    name = "toy_loss"
    inputs = {"scores": "b t", "labels": "v", "mask?": "b t"}
    needs = {"scores": "probability"}

    def forward(self, scores: Tensor, labels: Tensor, mask: Tensor | None = None) -> dict[str, Tensor]:
        best = scores.max(1).values
        return {"total": nn.functional.binary_cross_entropy(best, labels), "best": best.mean()}


class ToyMemory(Loss):
    """Cross-entropy of the mean score less its moving average, which is a buffer."""

    name = "toy_memory"
    inputs = {"scores": "b t", "labels": "v"}
    needs = {"scores": "probability"}

    def __init__(self, *, momentum: float = 0.9) -> None:
        super().__init__()
        self.momentum = momentum
        self.register_buffer("mean", torch.tensor(0.5))

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        means = scores.mean(1)
        if self.training:
            with torch.no_grad():
                self.mean.lerp_(means.mean(), 1 - self.momentum)
        return nn.functional.binary_cross_entropy_with_logits(means - self.mean, labels)


class ToyLiar(Temporal):
    """Declares one shape and returns another."""

    name = "toy_liar"
    inputs = {"x": "b t dim"}
    outputs = {"x": "b t dim"}

    def __init__(self, *, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        return x.transpose(1, 2)


class ToyFussy(Temporal):
    """Refuses an odd number of heads."""

    name = "toy_fussy"
    inputs = {"x": "b t dim"}
    outputs = {"x": "b t dim"}

    def __init__(self, *, dim: int, heads: int = 2) -> None:
        super().__init__()
        if heads % 2:
            raise ValueError(f"heads must be even, not {heads}")
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        return x


class ToyBank(Source):
    """A few rows."""

    name = "toy_bank"

    def __init__(self, *, rows: int = 3, dim: int = 4) -> None:
        super().__init__()
        self.rows, self.dim = rows, dim
        self.weight = nn.Parameter(torch.zeros(rows, dim))

    def forward(self) -> Tensor:
        return self.weight


class ToyChosen(Selector):
    """The snippets of largest sum."""

    name = "toy_chosen"

    def __init__(self, *, in_dim: int, k: int = 2) -> None:
        super().__init__()
        self.in_dim, self.k = in_dim, k

    def forward(self, x: Tensor) -> Tensor:
        return x.sum(-1).topk(min(self.k, x.shape[1])).indices


class ToyAt(Loss):
    """The mean score at chosen snippets, times the first of some rows."""

    name = "toy_at"
    inputs = {"scores": "b t", "index": "v k", "bank": "rows dim"}
    indices = {"index": "t"}

    def __init__(self, *, k: int, rows: int, dim: int) -> None:
        super().__init__()
        self.k, self.rows, self.dim = k, rows, dim

    def forward(self, scores: Tensor, index: Tensor, bank: Tensor) -> Tensor:
        return scores.gather(1, index).mean() * bank[0].sum()


class ToyPlaces(Temporal):
    """Numbers in the shape of indices, from indices."""

    name = "toy_places"
    inputs = {"x": "v k"}
    outputs = {"x": "v k"}

    def __init__(self, *, k: int) -> None:
        super().__init__()
        self.k = k

    def forward(self, x: Tensor) -> Tensor:
        return x / 2


class ToyFaultyLoss(Loss):
    """A loss that fails, or returns no number."""

    name = "toy_faulty_loss"
    inputs = {"scores": "b t", "labels": "v"}

    def __init__(self, *, returns: str = "scores") -> None:
        super().__init__()
        self.returns = returns

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        return labels[2:] + scores if self.returns == "error" else scores if self.returns == "scores" else "nothing"


class ToyLogits(Temporal):
    """A logit for each class, and their largest as a score."""

    name = "toy_logits"
    outputs = {"x": "b t num_classes", "scores": "b t"}

    def __init__(self, *, in_dim: int, num_classes: int = 3) -> None:
        super().__init__()
        self.in_dim, self.num_classes = in_dim, num_classes
        self.linear = nn.Linear(in_dim, num_classes)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        logits = self.linear(x)
        return {"x": logits, "scores": logits.max(-1).values}


class ToyClasses(Loss):
    """Cross-entropy of the mean logits with the classes of a video."""

    name = "toy_classes"
    inputs = {"x": "b t num_classes", "class_set": "v num_classes"}

    def __init__(self, *, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes

    def forward(self, x: Tensor, class_set: Tensor) -> Tensor:
        return nn.functional.binary_cross_entropy_with_logits(x.mean(1), class_set)


class ToyTargets(Loss):
    """Weighted squares of the distance to the targets, more of them with each epoch."""

    name = "toy_targets"
    inputs = {"scores": "b t", "targets": "b t", "target_weight?": "b t", "epoch": ""}
    needs = {"scores": "probability"}

    def forward(self, scores: Tensor, targets: Tensor, epoch: int, target_weight: Tensor | None = None) -> Tensor:
        weight = torch.ones_like(targets) if target_weight is None else target_weight
        return (epoch + 1) * (weight * (scores - targets).square()).mean()


@hookimpl
def vadkit_components() -> list[type]:
    nodes = [ToyLinear, ToyGate, ToyPatchMean, ToyConcat, ToySum, ToyHead, ToyTwoScores, ToyDamp, ToyTokens]
    others = [ToyLiar, ToyFussy, ToyLogits, ToyBank, ToyChosen, ToyPlaces]
    return [*nodes, *others, ToyMemory, ToyLoss, ToyAt, ToyFaultyLoss, ToyClasses, ToyTargets]
