"""The graphs of WSV-GST hold the losses of its code: they meet the seed's records without any change of a loss."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from cases import load_case
from compare import compare
from names import Names
from systems import graphs, seed
from variants import CASES


@pytest.fixture(autouse=True)
def own_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)

    def graph(case: Any, base: str, changes: dict[str, Any], names: Names) -> graphs.Graph:
        assert "losses" not in changes
        return graphs.graph(case, base.replace("seed_", "wsv_gst_").removesuffix("_rgb"), changes, names)

    monkeypatch.setattr(seed, "graph", graph)
    monkeypatch.setattr(seed, "_losses", lambda case, pel_encoder: {})


@pytest.mark.parametrize("name", ["seed-rgb-xd-train", "seed-rgb-ucf-eval", "seed-rgb-sht-eval"])
def test_meets_the_record(name: str) -> None:
    case = load_case(CASES / f"{name}.json")
    wrong = [str(d) for d in compare(case, seed.run(case)) if not d.equal]
    assert not wrong, "\n".join(wrong)
