"""Sultani et al. at other lengths, widths and batches, against a second, slow formula."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import plain
import pytest
import systems
import torch
import variants as v
from cases import Case, load_case
from compare import compare, difference
from torch import Tensor


def scores(w: dict[str, Tensor], x: Tensor) -> Tensor:
    hidden = plain.linear(w, "fc2", plain.linear(w, "fc1", x).clamp_min(0))
    return torch.sigmoid(plain.linear(w, "fc3", hidden))[..., 0]


def record(case: Case) -> Case:
    w, config = v.weights(case), case.config
    halves = [scores(w, v.drawn(case, name)) for name in ("abnormal", "normal")]
    rows = []
    nothing = w["fc3.bias"][0] * 0
    for low in halves[1]:
        rows.append(sum(((config["margin"] - high.max() + low.max()).clamp_min(0) for high in halves[0]), nothing))
    parts = {
        "loss_hinge": plain.mean(rows),
        "loss_sparsity_weighted": config["sparsity"] * sum(row.sum() for row in halves[0]),
        "loss_smooth_weighted": config["smooth"] * sum((row[1:] - row[:-1]).square().sum() for row in halves[0]),
        "loss_l2": config["l2"] * sum(w[f"fc{i}.weight"].square().sum() for i in (1, 2, 3)),
    }
    objective = parts["loss_hinge"] + parts["loss_sparsity_weighted"] + parts["loss_smooth_weighted"]
    total = objective + parts["loss_l2"]
    norm = v.gradients(case, w, total)["grad_norm"]
    every = torch.cat(halves)
    return v.with_record(case, {
        **parts, "scores": every, "argmax": every.argmax(1), "loss_objective": objective, "loss_total": total,
        "grad_norm": norm,
    })  # fmt: skip


@pytest.mark.parametrize("name", ["sultani-train-b2-d1024", "sultani-train-b3-t32"])
def test_the_second_formula_meets_the_records(name: str) -> None:
    case = load_case(v.CASES / f"{name}.json")
    found = [difference(n, case.outputs[n], o.value) for n, o in record(case).outputs.items()]
    assert len(found) == 9 and not [str(d) for d in found if not d.equal]


@pytest.mark.parametrize(("bags", "t"), [((5, 5), 32), ((2, 2), 1), ((1, 1), 5), ((3, 1), 2), ((1, 2), 1200)])
def test_any_batch(bags: tuple[int, int], t: int, tmp_path: Path) -> None:
    def edit(raw: dict[str, Any]) -> None:
        raw["config"] |= {"input_dim": 12, "margin": 0.7, "sparsity": 3e-3, "smooth": 2e-3, "l2": 0.01}
        raw["state"]["shapes"]["fc1.weight"] = [512, 12]
        for name, rows in zip(("abnormal", "normal"), bags):
            raw["inputs"][name]["draw"] = [rows, t, 12]

    case = record(v.edited("sultani-train-b2-d1024", edit, tmp_path))
    wrong = [str(d) for d in compare(case, systems.run(case)) if not d.equal]
    assert not wrong, "\n".join(wrong)
