"""``train --overwrite`` deletes a run only once its successor has a checkpoint, and files of the user's never."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
from pathlib import Path

import pytest
import yaml

from vadkit.cli import main
from vadkit.engine import old_run
from vadkit.engine.progress import Progress
from vadkit.engine.train import train
from vadkit.graph.model_file import read_header
from vadkit.problems import VadkitError

pytestmark = pytest.mark.guards("D1", "4")


@pytest.fixture(scope="module")
def finished(store, tmp_path_factory):
    """Return the folder of a finished run."""
    from engine_stub import GRAPH

    out = tmp_path_factory.mktemp("finished") / "run"
    config = {**GRAPH, "data": {**GRAPH["data"], "args": {"root": str(store)}}}
    train(config, ["train.steps=2"], out, device="cpu")
    return out


@pytest.fixture
def run(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "run")


@pytest.fixture
def config(graph, tmp_path):
    path = tmp_path / "graph.yaml"
    path.write_text(yaml.safe_dump(graph))
    return path


def content(folder):
    """Return the files of a run with their bytes, without the lock and the record."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in (".lock", ".written-by-vadkit")
    }


def overwrite(config, run, *more):
    return main(["train", str(config), "--out", str(run), "--overwrite", "--device", "cpu", *more])


MISTAKES = {
    "data set": ["--set", "data.args.root=stroe"],
    "stream": ["--set", "data.streams.rgb=rbg"],
    "prompts": ["--set", "data.prompts=none.npy"],
    "warm start": ["--set", "train.warm_start.file=none.safetensors"],
    "precision": ["--set", "train.precision=fp16"],
    "sampler": ["--set", "data.sampler.args.length=-1"],
    "device": ["--device", "gpu"],
    "batch": ["--set", "data.batch=0"],
    "split": ["--set", "train.select=val", "--set", "data.val_fraction=2"],
    "component": ["--set", "nodes.cnn.use=dens"],
    "first step": ["--set", "train.optimizer.lr=1e38", "--set", "train.steps=30"],
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_a_run_that_cannot_begin_leaves_the_old_one(config, run, mistake, capfd):
    before = content(run)
    assert overwrite(config, run, *mistake) == 2
    assert content(run) == before
    assert "Traceback" not in capfd.readouterr().err
    assert main(["train", str(config), "--set", "train.steps=2", "--out", str(run), "--resume", "--device", "cpu"]) == 0


def test_the_new_run_takes_the_place_of_the_old_one(config, run):
    assert overwrite(config, run, "--set", "train.steps=3") == 0
    assert read_header(run / "model.safetensors")["extra"]["steps"] == 3
    assert not [path.name for path in run.iterdir() if "old-run" in path.name]
    assert overwrite(config, run, "--set", "train.steps=2") == 0


class Kill(Progress):
    """Ends the process in step 2, as nothing but a power cut does."""

    def step(self, step):
        if step == 2:
            os.kill(os.getpid(), signal.SIGKILL)


def killed(config, run, when, monkeypatch):
    """Overwrite the run in a process that is killed while the old run is moved, in step 2, or after a checkpoint."""
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(BaseException):
            replace = os.replace

            def until_the_third(source, target):
                if len(list(run.glob(".moving-old-run/*"))) == 2 and when == "moving":
                    os.kill(os.getpid(), signal.SIGKILL)
                replace(source, target)

            monkeypatch.setattr(os, "replace", until_the_third)
            seconds = 0 if when == "saved" else 60
            train(config, (), run, overwrite=True, device="cpu", progress=Kill(), checkpoint_seconds=seconds)
        os._exit(1)
    return os.waitpid(pid, 0)[1]


@pytest.mark.parametrize("when", ["moving", "training", "saved"])
@pytest.mark.parametrize("more", ["--overwrite", "--resume"])
@pytest.mark.filterwarnings("ignore:.*fork")
def test_after_a_kill_the_next_command_finds_a_whole_run(config, run, when, more, capfd, monkeypatch):
    before = content(run)
    assert killed(config, run, when, monkeypatch) == signal.SIGKILL
    assert content(run) != before  # the kill came in between
    command = ["train", str(config), "--out", str(run), "--device", "cpu"]
    if when == "saved":  # the new run has a checkpoint, and is resumed
        assert main([*command, more]) == 0
        assert not (run / old_run.OLD).exists()
        return
    if when == "training":
        assert main(["eval", "--model", str(run / "model.safetensors")]) == 2
        assert f"the earlier run's is {run / '.old-run' / 'model.safetensors'}" in capfd.readouterr().err
    assert main([*command, "--set", "data.args.root=stroe", more]) == 2
    assert "holds its earlier run again" in capfd.readouterr().err.replace("\n", " ")
    assert content(run) == before
    assert main([*command, "--set", "train.steps=2", more]) == 0


def test_a_restart_by_torchrun_goes_on_with_the_new_run(config, run, monkeypatch, capfd):
    """It finds the command with --overwrite, whatever has been written before."""
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    assert overwrite(config, run, "--set", "train.steps=3") == 0  # the old run was not yet moved: it is replaced
    assert "resuming" not in capfd.readouterr().err
    (run / old_run.OLD).mkdir()  # as after a checkpoint of the new run
    (run / "model.safetensors").unlink()
    assert overwrite(config, run, "--set", "train.steps=5") == 0
    assert "resuming after step 3" in capfd.readouterr().err.replace("\n", " ")
    assert not (run / old_run.OLD).exists()


# -- files of the user's ---------------------------------------------------------------------------
def test_a_config_in_the_folder_of_its_run_is_never_written_to(graph, tmp_path):
    out = tmp_path / "run"
    out.mkdir()
    text = "# mine\n" + yaml.safe_dump(graph)
    (out / "config.yaml").write_text(text)
    for more in ([], ["--overwrite"], ["--resume"]):
        command = ["train", str(out / "config.yaml"), "--out", str(out), "--device", "cpu", "--set", "train.steps=2"]
        assert main([*command, *more]) == 0
        assert (out / "config.yaml").read_text() == text


@pytest.mark.parametrize("name", ["config.yaml", "result.json", "model.safetensors", "log.jsonl", "checkpoints/my.pth"])
@pytest.mark.parametrize("more", [[], ["--overwrite"], ["--resume"]], ids=["train", "overwrite", "resume"])
def test_files_of_the_users_are_refused_by_name(config, tmp_path, name, more, capfd):
    mine = tmp_path / "run" / name
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    assert main(["train", str(config), "--out", str(tmp_path / "run"), "--device", "cpu", *more]) == 2
    assert f"{mine} exists and was not written by vadkit" in capfd.readouterr().err
    assert mine.read_text() == "mine"


def test_a_model_to_start_from_is_not_replaced(config, run, capfd):
    before = content(run)
    warm = ["--set", f"train.warm_start.file={json.dumps(str(run / 'model.safetensors'))}"]
    assert overwrite(config, run, *warm) == 2
    assert "model.safetensors is an input of this command" in capfd.readouterr().err
    assert content(run) == before


def test_what_the_user_has_changed_keeps_its_content_when_the_run_is_resumed(config, run, capfd):
    with (run / "config.yaml").open("a") as file:
        file.write("# changed\n")
    mine = (run / "config.yaml").read_text()
    command = ["train", str(config), "--out", str(run), "--device", "cpu", "--set", "train.steps=2"]
    assert main([*command, "--overwrite"]) == 2
    assert "config.yaml has been changed since vadkit wrote it" in capfd.readouterr().err
    assert main([*command, "--resume"]) == 0
    assert (run / "config.yaml.1").read_text() == mine
    assert "it is now config.yaml.1" in capfd.readouterr().err.replace("\n", " ")


def test_a_run_that_was_copied_without_its_record_is_still_a_run(config, run):
    (run / ".written-by-vadkit").unlink()
    command = ["train", str(config), "--out", str(run), "--device", "cpu", "--set", "train.steps=2"]
    assert main([*command, "--resume"]) == 0
    (run / ".written-by-vadkit").unlink()
    assert main([*command, "--overwrite"]) == 0


def test_an_old_run_that_cannot_be_put_back_is_named(graph, run, monkeypatch):
    def refuse(*args):
        raise OSError(13, "Permission denied")

    (run / old_run.OLD).mkdir()
    os.replace(run / "config.yaml", run / old_run.OLD / "config.yaml")
    (run / "model.safetensors").unlink()
    shutil.rmtree(run / "checkpoints")
    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(VadkitError, match="cannot be put back"):
        old_run.settle(Path(run), print)
