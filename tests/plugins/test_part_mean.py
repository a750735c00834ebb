"""part_mean against the loop of the authors' test code over frames."""

from __future__ import annotations

import numpy as np
import pytest
from vadkit_part_mean import PartMean

from vadkit.testing import check_component


@pytest.mark.parametrize("t", [1, 2, 3, 31, 32, 33, 64, 200, 1200])
def test_equals_a_loop_over_frames(t):
    scores = np.random.default_rng(t).random(t).astype(np.float32)
    frames = [float(s) for s in scores for _ in range(16)]
    size = len(frames) // 32
    curve = []
    for i in range(32):
        part = frames[i * size : (i + 1) * size]
        curve += [sum(part) / max(len(part), 1)] * len(part)
    rest = frames[32 * size :]
    curve += [sum(rest) / max(len(rest), 1)] * len(rest)
    wanted = [sum(curve[16 * i : 16 * i + 16]) / 16 for i in range(t)]
    found = PartMean()(scores)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_there_are_as_many_values_as_parts():
    scores = np.random.default_rng(0).random(320)
    assert len(np.unique(PartMean(parts=32)(scores).round(9))) == 32


def test_contract_and_refusal():
    check_component(PartMean)
    with pytest.raises(ValueError, match="parts must be at least 1, not 0"):
        PartMean(parts=0)
