"""class_logits with hidden layers; tests/formulas looks at one layer."""

from __future__ import annotations

import pytest
import torch
from vadkit_class_logits import ClassLogits


@torch.no_grad()
def test_layers_follow_one_another():
    torch.manual_seed(0)
    node = ClassLogits(in_dim=4, num_classes=3, hidden=[5, 2])
    x = torch.randn(2, 6, 4)
    first, second, last = node.layers
    torch.testing.assert_close(node(x), last(second(first(x).relu()).relu()))


def test_without_a_number_there_are_as_many_classes_as_channels():
    assert ClassLogits(in_dim=4)(torch.zeros(1, 2, 4)).shape == (1, 2, 4)
    with pytest.raises(ValueError, match="num_classes and hidden widths must be at least 1, not 0 and None"):
        ClassLogits(in_dim=4, num_classes=0)
