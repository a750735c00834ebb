"""unit_rows: rows of length 1, zeros stay, and training as the switch says."""

from __future__ import annotations

import torch
from vadkit_unit_rows import UnitRows

from vadkit.testing import check_component


def test_rows_have_length_one():
    x = torch.randn(2, 5, 4, dtype=torch.float64)
    x[0, 1] = 0
    y = UnitRows(in_dim=4)(x)
    for row, unit in zip(x.reshape(-1, 4), y.reshape(-1, 4)):
        size = float(sum(v * v for v in row) ** 0.5)
        torch.testing.assert_close(unit, row / size if size else row)


def test_the_switch_of_lstc_leaves_training_alone():
    x = torch.randn(1, 3, 4)
    node = UnitRows(in_dim=4, in_training=False)
    assert torch.equal(node.train()(x), x)
    assert torch.equal(node.eval()(x), UnitRows(in_dim=4)(x))


def test_contract():
    check_component(UnitRows)
