"""``train`` and ``vadkit train``: what is written, what is refused, and that the parts fit together."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys

import pytest
import torch
import yaml
from engine_stub import fit

import vadkit
from vadkit.cli import main
from vadkit.engine.progress import Progress
from vadkit.engine.run_log import read_log
from vadkit.engine.selection import FLATTERS
from vadkit.engine.tensor_tree import same
from vadkit.engine.train import train
from vadkit.graph.model_file import read_header, read_weights
from vadkit.problems import VadkitError
from vadkit.results_folder import RECORD


class Kept(Progress):
    def __init__(self):
        self.notes, self.records = [], []

    def note(self, text):
        self.notes.append(text)

    def record(self, record):
        self.records.append(record)


def files(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_run_leaves_a_model_its_figures_its_log_and_its_config(graph, tmp_path):
    kept = Kept()
    result = train(graph, ["train.steps=60"], tmp_path / "run", device="cpu", progress=kept)
    names = {name.partition("/")[0] for name in files(tmp_path / "run")}
    assert names == {".lock", RECORD, "checkpoints", "config.yaml", "log.jsonl", "model.safetensors", "result.json"}
    header = read_header(result.model_path)
    written = json.loads((tmp_path / "run" / "result.json").read_text())
    assert written.pop("seconds") > 0  # of result.json alone: equal runs give equal model files
    assert header["extra"] == written and written["figures"] == result.figures
    assert written["figures"]["gain_ap"] > 0.1  # it learns when, not only whether
    assert written["protocol"]["split"] == "test" and written["protocol"]["select"] == "last"
    assert (written["seed"], written["steps"], written["chosen_step"]) == (0, 60, 60)
    assert set(written["versions"]) == {"vadkit", "torch", "python"} and "note" not in written
    assert yaml.safe_load((tmp_path / "run" / "config.yaml").read_text()) == header["spec"] == result.model.spec
    log = read_log(tmp_path / "run" / "log.jsonl")
    assert log == result.history == kept.records
    assert [r["kind"] for r in log] == ["start", *["train"] * 20, "evaluation"] and log[-1]["final"]
    model = vadkit.load(result.model_path)
    assert model(rgb=torch.rand(2, 5, 16), flow=torch.rand(2, 5, 12)).shape == (2, 5)


def test_the_same_seed_gives_the_same_file_and_the_flag_wins(graph, tmp_path):
    one, two, other = (
        read_weights(train(graph, ["train.seed=9"], tmp_path / str(n), device="cpu", seed=seed).model_path)
        for n, seed in enumerate((3, 3, 4))
    )
    assert same(one, two) and not same(one, other)
    assert read_header(tmp_path / "0" / "model.safetensors")["spec"]["train"]["seed"] == 3


def test_config_yaml_gives_the_same_run_again(graph, tmp_path):
    first = train(graph, ["train.ema=0.9"], tmp_path / "a", device="cpu")
    again = train(tmp_path / "a" / "config.yaml", (), tmp_path / "b", device="cpu")
    assert same(read_weights(first.model_path), read_weights(again.model_path))


def test_training_in_memory_gives_the_same_weights(graph, tmp_path):
    """A session without a folder is the same training."""
    from vadkit.data import TrainBatches, open_dataset
    from vadkit.data.from_config import build_sampler

    whole = train(graph, (), tmp_path / "run", device="cpu")
    torch.manual_seed(0)
    model = vadkit.build(graph)
    spec = model.spec
    with TrainBatches(
        open_dataset(spec["data"]), build_sampler(spec["data"]), list(model.input_sizes), 4, seed=0
    ) as batches:
        fit(model, batches)
    assert same(model.state_dict(), read_weights(whole.model_path))


def test_a_run_that_lacks_a_value_of_the_batch_does_not_begin(graph, tmp_path):
    graph["losses"]["known"] = {"use": "distillation", "in": {"scores": graph["output"], "teacher": "targets"}}
    with pytest.raises(VadkitError, match=r"loss 'known' \(distillation\) needs targets: set data.targets"):
        train(graph, (), tmp_path / "run", device="cpu")
    assert not (tmp_path / "run" / "log.jsonl").exists()


def test_test_best_is_labelled_in_every_output(graph, tmp_path, capfd):
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(graph))
    arguments = ["train", str(tmp_path / "small.yaml"), "--device", "cpu", "--out", str(tmp_path / "run")]
    sets = ["train.select=test_best", "train.evaluate_every=4", "train.log=[csv, tensorboard]"]
    assert main([*arguments, *(part for change in sets for part in ("--set", change))]) == 0
    out, err = capfd.readouterr()
    assert FLATTERS in re.sub(r"\s+", " ", out) and re.search(r"step \d+ of 12 \(test_best: flatters\)", out)
    assert err.count("test_best: flatters") == 3
    assert read_header(tmp_path / "run" / "model.safetensors")["extra"]["note"] == FLATTERS
    assert json.loads((tmp_path / "run" / "result.json").read_text())["note"] == FLATTERS
    evaluations = [r for r in read_log(tmp_path / "run" / "log.jsonl") if r["kind"] == "evaluation"]
    assert len(evaluations) == 4 and all(r["note"] == FLATTERS for r in evaluations)
    assert b"flatter" in b"".join(p.read_bytes() for p in (tmp_path / "run" / "logs" / "tensorboard").iterdir())


def test_val_selects_on_val_and_measures_on_test(graph, tmp_path):
    result = train(graph, ["train.select=val", "train.evaluate_every=4"], tmp_path / "run", device="cpu")
    splits = [r["split"] for r in result.history if r["kind"] == "evaluation"]
    assert splits == ["val", "val", "val", "test"] and result.note is None
    watched = [r["figures"]["ap"] for r in result.history if r["kind"] == "evaluation"][:3]
    written = json.loads((tmp_path / "run" / "result.json").read_text())
    assert written["selected_by"] == {"ap": max(watched), "split": "val"}
    assert result.chosen == 4 * (1 + watched.index(max(watched)))


def test_val_without_validation_videos_takes_some_of_the_training_videos_and_says_so(graph, tmp_path):
    from tiny_store import write_tiny_store

    kept = Kept()
    store = write_tiny_store(tmp_path / "store")
    sets = ["train.select=val", "data.val_fraction=0.5", f"data.args.root={store}", "train.steps=3"]
    result = train(graph, sets, tmp_path / "run", device="cpu", progress=kept)
    said = (
        "the data set has no validation videos: 9 of its 16 training videos serve as such "
        "(fraction 0.5, seed 0, by class)"
    )
    assert said in kept.notes and said in result.warnings


def test_the_data_section_decides_what_stands_for_several_classes(graph, tmp_path, monkeypatch):
    from vadkit.data.batches import TrainBatches

    found = []

    class Watched(TrainBatches):
        def __init__(self, *args, **kwargs):
            found.append(kwargs["several"])
            super().__init__(*args, **kwargs)

    monkeypatch.setattr("vadkit.engine.train.TrainBatches", Watched)
    for number, sets in enumerate(([], ["data.several_classes=mean"])):
        train(graph, ["train.steps=1", *sets], tmp_path / str(number), device="cpu")
    assert found == ["first", "mean"]


def test_without_videos_to_measure_on_there_is_a_model_without_figures(graph, tmp_path):
    from tiny_store import write_tiny_store

    store = write_tiny_store(tmp_path / "store", test=0)
    kept = Kept()
    result = train(graph, [f"data.args.root={store}", "train.steps=2"], tmp_path / "run", device="cpu", progress=kept)
    assert result.figures == {} and result.model_path.exists()
    assert any("no video in split 'test'" in note for note in kept.notes)
    with pytest.raises(VadkitError, match="no video in split 'test'"):
        train(graph, [f"data.args.root={store}", "train.select=test_best"], tmp_path / "b", device="cpu")


def test_a_warm_start_takes_the_named_nodes_and_says_how_many(graph, tmp_path):
    first = train(graph, (), tmp_path / "first", device="cpu")
    kept = Kept()
    sets = [
        f"train.warm_start.file={first.model_path}",
        "train.warm_start.nodes=[context, cnn]",
        "train.seed=5",
        "train.groups=[{nodes: [context, cnn], lr: 0.0}]",
        "train.steps=1",
    ]
    second = train(graph, sets, tmp_path / "second", device="cpu", progress=kept)
    old, new = read_weights(first.model_path), read_weights(second.model_path)
    for name, tensor in new.items():
        taken = name.startswith(("context.", "cnn."))
        assert torch.equal(tensor, old[name]) == taken, name
    numbers = sum(t.numel() for n, t in old.items() if n.startswith(("context.", "cnn.")))
    assert any(f"({numbers:,} values) of 2 nodes" in note for note in kept.notes)


def test_warm_starts_are_taken_one_after_the_other(graph, tmp_path):
    first, other = (train(graph, [f"train.seed={n}"], tmp_path / f"{n}", device="cpu").model_path for n in (1, 2))
    sets = [f"train.warm_start=[{{file: {first}}}, {{file: {other}, nodes: [cnn]}}]", "train.optimizer.lr=1e-12"]
    sets += ["train.optimizer.weight_decay=0", "train.steps=1"]
    third = train(graph, sets, tmp_path / "run", device="cpu")
    one, two, new = (read_weights(path) for path in (first, other, third.model_path))
    for name, tensor in new.items():
        if tensor.is_floating_point():
            assert torch.allclose(tensor, (two if name.startswith("cnn.") else one)[name], atol=1e-6), name
    assert [entry["nodes"] for entry in read_header(third.model_path)["extra"]["warm_start"]] == [None, ["cnn"]]
    resumed = [f"train.warm_start=[{{file: moved}}, {{file: {other}, nodes: [cnn]}}]", *sets[1:-1], "train.steps=2"]
    train(graph, resumed, tmp_path / "run", device="cpu", resume=True)
    other_nodes = [f"train.warm_start=[{{file: {first}}}, {{file: {other}}}]", *sets[1:]]
    with pytest.raises(VadkitError, match="the config differs from the run's in train.warm_start"):
        train(graph, other_nodes, tmp_path / "run", device="cpu", resume=True)


def test_files_of_a_list_are_found_next_to_the_config(graph, tmp_path):
    first = train(graph, (), tmp_path / "first", device="cpu").model_path
    (tmp_path / "near").mkdir()
    shutil.copy(first, tmp_path / "near" / "near.safetensors")
    config = tmp_path / "near" / "mine.yaml"
    config.write_text(
        yaml.safe_dump({**graph, "train": {**graph["train"], "warm_start": [{"file": "near.safetensors"}]}})
    )
    kept = Kept()
    train(config, (), tmp_path / "run", device="cpu", progress=kept)
    assert any("near/near.safetensors" in note for note in kept.notes)


def test_a_warm_start_from_a_file_that_is_not_there_leaves_no_run(graph, tmp_path):
    with pytest.raises(VadkitError, match="there is no file no.safetensors"):
        train(graph, ["train.warm_start.file=no.safetensors"], tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()


def test_a_run_that_cannot_begin_leaves_a_folder_that_was_there(graph, tmp_path):
    (tmp_path / "run").mkdir()
    with pytest.raises(VadkitError, match="there is no file"):
        train(graph, ["train.warm_start.file=no.safetensors"], tmp_path / "run", device="cpu")
    assert set(files(tmp_path / "run")) == {".lock"}


# -- the folder ------------------------------------------------------------------------------------
def test_a_folder_with_a_run_is_refused_and_left_as_it_is(graph, tmp_path):
    train(graph, ["train.steps=2"], tmp_path / "run", device="cpu")
    before = files(tmp_path / "run")
    with pytest.raises(VadkitError, match="already holds a run") as error:
        train(graph, (), tmp_path / "run", device="cpu")
    assert "--resume" in str(error.value) and "--overwrite" in str(error.value)
    assert files(tmp_path / "run") == before


def test_overwrite_replaces_the_run_and_nothing_else(graph, tmp_path):
    train(graph, ["train.steps=2"], tmp_path / "run", device="cpu")
    (tmp_path / "run" / "notes.txt").write_text("mine")
    result = train(graph, ["train.steps=3", "train.seed=4"], tmp_path / "run", overwrite=True, device="cpu")
    assert result.steps == 3 and (tmp_path / "run" / "notes.txt").read_text() == "mine"
    assert [p.name for p in (tmp_path / "run" / "checkpoints").iterdir()] == ["step-00000003"]
    assert read_log(tmp_path / "run" / "log.jsonl")[0]["seed"] == 4


def test_a_wrong_config_touches_no_folder(graph, tmp_path):
    with pytest.raises(VadkitError, match="unknown component"):
        train(graph, ["nodes.cnn.use=mlpp"], tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()


def test_a_folder_that_cannot_be_made_is_reported(graph, tmp_path):
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(VadkitError, match="cannot write to the folder"):
            train(graph, (), out, device="cpu")


def test_a_second_process_in_the_folder_is_refused(graph, tmp_path):
    from vadkit.engine.run_folder import claimed

    with claimed(tmp_path / "run"), pytest.raises(VadkitError, match="another process is training into"):
        train(graph, (), tmp_path / "run", device="cpu")


def test_a_disk_that_fills_up_is_reported_and_the_last_checkpoint_serves(graph, tmp_path):
    """The kernel refuses to write more than 4 kB into a file, as it does on a full disk."""
    whole = train(graph, ["train.steps=4"], tmp_path / "whole", device="cpu")
    train(graph, ["train.steps=2"], tmp_path / "cut", device="cpu")
    old_handler, old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, old[1]))
    try:
        with pytest.raises(VadkitError, match="could not be written|cannot be written"):
            train(graph, ["train.steps=4"], tmp_path / "cut", resume=True, device="cpu")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, old_handler)
    again = train(graph, ["train.steps=4"], tmp_path / "cut", resume=True, device="cpu")
    assert same(read_weights(whole.model_path), read_weights(again.model_path))


# -- the command line ------------------------------------------------------------------------------
@pytest.fixture
def arguments(graph, tmp_path):
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(graph))
    return ["train", str(tmp_path / "small.yaml"), "--device", "cpu", "--out", str(tmp_path / "run")]


def test_the_command_prints_the_figures_and_shows_losses_and_rate(arguments, tmp_path, capfd):
    assert main(arguments) == 0
    out, err = capfd.readouterr()
    assert re.search(r"ap +0\.\d{4}", out) and "step 12 of 12" in out and "model.safetensors" in out
    assert "12/12" in err and "mil" in err and "steps/s" in err


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--device", "gpu"], "device gpu cannot be used here"),
        (["--resume", "--overwrite"], "cannot be combined"),
        (["--set", "train.precision=fp16"], "fp16 needs a CUDA device"),
        (["--set", "train.optimizer.lr=0"], "train.optimizer.lr must be a number above 0"),
        (["--set", "data.args.root=/no/such/folder"], "/no/such/folder"),
        (["--seed", "-1"], "train.seed must be a whole number"),
    ],
)
def test_a_mistake_is_reported_in_a_sentence(arguments, more, says, capfd):
    assert main([*arguments, *more]) == 2
    out, err = capfd.readouterr()
    assert says in err and "Traceback" not in err and out == ""


def test_a_run_that_explodes_is_reported(graph, tmp_path):
    """Binary cross entropy raises for a score that is nan, where another loss would become nan."""
    with pytest.raises(VadkitError, match=r"(not finite after|nan, in) step \d+; training stopped") as error:
        train(graph, ["train.optimizer.lr=1e30", "train.steps=30"], tmp_path / "run", device="cpu")
    assert "train.clip_grad" in str(error.value)


def test_help_does_not_import_torch():
    code = "import sys; from vadkit.cli import main; main(['train', '--help']); assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ)
    assert done.returncode == 0 and "--resume" in done.stdout, done.stderr
