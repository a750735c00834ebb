"""The graph as mmengine's BaseModel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmengine.model import BaseDataPreprocessor, BaseModel
from torch import Tensor, nn


class ToDevice(BaseDataPreprocessor):  # type: ignore[misc]
    """Moves a batch. Returns it under one name, because mmengine passes a batch on as keyword
    arguments and a stream may be called ``mode``."""

    def forward(self, data: Mapping[str, Any], training: bool = False) -> dict[str, Any]:
        return {"batch": self.cast_data(data)}


class GraphAdapter(BaseModel):  # type: ignore[misc]
    """What mmengine trains: ``graph`` with ``loss(batch) -> {"total": (), other names: ()}``."""

    def __init__(self, graph: nn.Module) -> None:
        # Not "non_blocking": the batch's memory is refilled while the device may still be copying.
        super().__init__(data_preprocessor=ToDevice())
        self.graph = graph

    def init_weights(self) -> None:
        """Do nothing: the nodes were initialised when they were built, or warm-started since."""

    def forward(self, batch: dict[str, Any], mode: str = "loss") -> dict[str, Tensor]:
        """Return the losses; only ``total`` has a gradient.

        With several processes torch waits for a gradient of whatever an output reaches, and a loss of
        weight 0 gives none.
        """
        losses: dict[str, Tensor] = self.graph.loss(batch)  # type: ignore[operator]
        return {name: value if name == "total" else value.detach() for name, value in losses.items()}

    def parse_losses(self, losses: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss to minimise and all losses for the log.

        mmengine adds up every entry whose name contains 'loss'; here ``total`` is the sum already.
        """
        return losses["total"], {name: value.detach() for name, value in losses.items()}
