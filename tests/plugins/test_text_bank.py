"""text_bank: unit vectors, frozen or learned, part of the model file, and read from a file when training begins."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_store import write_tiny_store
from vadkit_text_bank import TextBank

import vadkit
from vadkit.testing import check_component


@pytest.mark.parametrize("learned", [False, True])
def test_vectors_of_length_one(learned: bool) -> None:
    bank = TextBank(rows=3, dim=7, learned=learned)
    torch.testing.assert_close(bank().norm(dim=-1), torch.ones(3))
    assert [name for name, _ in bank.named_parameters()] == ["weight"] * learned
    assert list(bank.state_dict()) == ["weight"]
    check_component(TextBank, learned=learned)


def test_refuses_no_rows() -> None:
    with pytest.raises(ValueError, match="rows must be at least 1, not 0"):
        TextBank(rows=0)


def test_umil_trains_on_text_vectors_of_a_file(tmp_path: Path) -> None:
    root = write_tiny_store(tmp_path / "store")
    text = np.random.default_rng(0).normal(size=(2, 6)).astype(np.float32)
    np.save(tmp_path / "text.npy", text)
    sets = [
        "inputs.rgb=b t 16", "nodes.text.args.dim=6", f"data.args.root={root}", "data.workers=0", "train.epochs=null",
        "train.steps=2", "train.accumulate=1", "train.schedule.warmup=0", "train.warm_start.nodes=[text]",
        f"train.warm_start.file={tmp_path / 'text.npy'}",
    ]  # fmt: skip
    result = vadkit.train("umil_ucf", set=sets, out=tmp_path / "run")
    loaded = vadkit.load(result.model_path)
    assert np.array_equal(loaded.text.weight.numpy(), text)
