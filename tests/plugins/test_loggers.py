"""TensorBoard and CSV show what the log holds, also of a run that resumes."""

from __future__ import annotations

import csv
import sys

import pytest
from vadkit_csv_log import CsvLog
from vadkit_tensorboard import TensorBoard

from vadkit import VadkitError
from vadkit.testing import check_component

pytestmark = pytest.mark.guards("6")


def train(step, **losses):
    return {"kind": "train", "step": step, "epoch": step / 10, "losses": losses, "lr": {"rest": 0.1}}


def table(file):
    with file.open(newline="") as stream:
        return list(csv.reader(stream))


@pytest.mark.parametrize("cls", [CsvLog, TensorBoard])
def test_contract(cls):
    report = check_component(cls)
    assert not report.broken and not report.not_run


def test_tensorboard_gets_the_same_figures(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = TensorBoard()
    board.open(tmp_path, None)
    board.write({"kind": "train", "step": 5, "losses": {"total": 0.5}, "lr": {"rest": 0.1}})
    figures = {"ap": 0.25, "per_class": {}}
    board.write({"kind": "evaluation", "step": 6, "split": "test", "figures": figures, "note": "flatters"})
    board.close()
    found = EventAccumulator(str(tmp_path)).Reload()
    scalars = {tag: [(e.step, round(e.value, 6)) for e in found.Scalars(tag)] for tag in found.Tags()["scalars"]}
    assert scalars == {"losses/total": [(5, 0.5)], "lr/rest": [(5, 0.1)], "test/ap": [(6, 0.25)]}
    assert found.Tags()["tensors"] == ["note/text_summary"]


def test_without_tensorboard_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(VadkitError, match=r"tensorboard, which is not installed") as error:
        TensorBoard().open(tmp_path, None)
    assert "vadkit[tensorboard]" in str(error.value)


def test_csv_has_a_row_per_record_and_grows_by_a_column(tmp_path):
    log = CsvLog()
    log.open(tmp_path, None)
    log.write(train(1, total=0.5))
    log.write(train(2, total=0.4, mil=0.3))
    log.write({"kind": "evaluation", "step": 2, "split": "val", "figures": {"ap": 0.25, "per_class": {}, "auc": None}})
    log.close()
    assert table(tmp_path / "train.csv") == [
        ["step", "epoch", "total", "lr.rest", "mil"],
        ["1", "0.1", "0.5", "0.1", ""],
        ["2", "0.2", "0.4", "0.1", "0.3"],
    ]
    assert table(tmp_path / "evaluation.csv") == [["step", "split", "ap"], ["2", "val", "0.25"]]


def test_csv_of_a_resumed_run_is_that_of_one_run(tmp_path):
    straight, resumed = tmp_path / "straight", tmp_path / "resumed"
    for folder, parts in ((straight, ((None, (1, 2, 3, 4)),)), (resumed, ((None, (1, 2, 3)), (2, (3, 4))))):
        folder.mkdir()
        for keep, steps in parts:
            log = CsvLog()
            log.open(folder, keep)
            for step in steps:
                log.write(train(step, total=step / 8))
    with (resumed / "train.csv").open("a") as stream:
        stream.write("9,")  # a kill
    log.open(resumed, 4)
    assert table(resumed / "train.csv") == table(straight / "train.csv")
