"""Choosing a device, and ``vadkit train`` on CUDA as far as a machine without a GPU can go: see cuda_stand_in."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch
import yaml
from cuda_stand_in import stand_in
from engine_stub import StubBatches, StubModel, section

from vadkit.cli import main
from vadkit.devices import choose_device, current, seed_torch
from vadkit.engine import checkpoints, distributed
from vadkit.engine.session import Session
from vadkit.engine.tensor_tree import same
from vadkit.graph.model_file import read_weights
from vadkit.problems import VadkitError

CUDA_0 = torch.device("cuda", 0)


@pytest.fixture
def one_gpu(monkeypatch):
    with stand_in(monkeypatch) as cuda:
        yield cuda


@pytest.fixture
def three_gpus(monkeypatch):
    with stand_in(monkeypatch, 3) as cuda:
        yield cuda


def test_a_seed_gives_what_it_always_gives_and_leaves_nothing_behind() -> None:
    torch.manual_seed(5)
    wanted, before = torch.rand(3), len(torch.cuda._queued_calls)
    for _ in range(3):
        seed_torch(5)
        assert torch.equal(torch.rand(3), wanted)
    assert len(torch.cuda._queued_calls) == before


def test_a_device_of_another_kind_is_seeded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds: list[int] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch, "manual_seed", seeds.append)
    seed_torch(5)
    assert seeds == [5]


def test_the_stand_in_refuses_what_the_real_one_refuses(one_gpu):
    with pytest.raises(ValueError, match="Expected a torch.device with a specified index"):
        torch.cuda.set_device(torch.device("cuda"))
    with pytest.raises(RuntimeError, match="invalid device ordinal"):
        torch.zeros(1, device="cuda:1")
    assert torch.zeros(1, device="cuda").device.type == "cpu"


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "auto"])
def test_a_cuda_device_always_has_its_index(one_gpu, name):
    assert choose_device(name) == CUDA_0
    assert distributed.local_device(name) == CUDA_0


def test_without_an_index_it_is_the_current_gpu(three_gpus):
    torch.cuda.set_device(2)
    assert choose_device("cuda") == choose_device("auto") == torch.device("cuda", 2)
    assert choose_device("cuda:1") == torch.device("cuda", 1)


def test_each_process_of_torchrun_takes_its_own_gpu(three_gpus, monkeypatch):
    for name, value in {"WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    assert distributed.local_device("cuda") == distributed.local_device("auto") == torch.device("cuda", 1)
    assert distributed.local_device("cuda:2") == torch.device("cuda", 2)
    assert distributed.local_device("cpu") == torch.device("cpu")
    monkeypatch.setenv("LOCAL_RANK", "3")
    with pytest.raises(VadkitError, match="this process was started to use cuda:3, but there are 3 GPUs") as error:
        distributed.local_device("auto")
    assert "at most one process per GPU" in str(error.value)


def test_a_gpu_that_does_not_exist_is_refused(one_gpu):
    with pytest.raises(VadkitError, match="device cuda:7 cannot be used here: there is one GPU, cuda:0"):
        choose_device("cuda:7")


def test_several_gpus_are_counted(three_gpus):
    with pytest.raises(VadkitError, match="there are 3 GPUs, cuda:0 to cuda:2"):
        choose_device("cuda:3")


def test_cuda_without_cuda_is_refused_with_a_reason(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for version, cause in (("13.0", "torch finds no CUDA device"), (None, "this torch was built without CUDA")):
        monkeypatch.setattr(torch.version, "cuda", version)
        for name in ("cuda", "cuda:0"):
            with pytest.raises(VadkitError, match=f"device {name} cannot be used here: {cause}"):
                choose_device(name)
    assert choose_device("auto") == torch.device("cpu")


@pytest.mark.parametrize("name", ["cud", "gpu:0", "meta", "cuda:-1", "cuda:x", ""])
def test_anything_else_is_refused(one_gpu, name):
    with pytest.raises(VadkitError, match=f"device {name} cannot be used here: .") as error:
        choose_device(name)
    assert "auto takes a GPU if there is one" in str(error.value)


def test_the_current_gpu_of_the_caller_is_restored(three_gpus):
    with pytest.raises(ValueError), current(torch.device("cuda", 2)):
        assert torch.cuda.current_device() == 2
        raise ValueError
    assert torch.cuda.current_device() == 0
    with current(torch.device("cpu")):
        assert torch.cuda.current_device() == 0


# -- training --------------------------------------------------------------------------------------
@pytest.fixture
def config(graph, tmp_path):
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(graph))
    return str(tmp_path / "small.yaml")


def train(config, out, device, *sets, more=()):
    settings = [word for change in ("train.evaluate_every=3", *sets) for word in ("--set", change)]
    return main(["train", config, "--device", device, "--out", str(out), *settings, *more])


@pytest.mark.parametrize("device", ["cuda", "cuda:0", "auto"])
def test_train_runs_to_its_end(one_gpu, config, tmp_path, device, capfd):
    assert train(config, tmp_path / "gpu", device, "train.steps=6") == 0, capfd.readouterr().err
    assert set(one_gpu.set) == {0} and set(one_gpu.used) == {0}
    assert (tmp_path / "gpu" / "model.safetensors").exists()
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16"])
def test_it_resumes_on_the_gpu_it_is_given(three_gpus, config, tmp_path, precision):
    """The arithmetic is the CPU's, so the weights of cpu and cuda:2 are equal here but for the rate's rounding."""
    sets = [f"train.precision={precision}", "train.select=val", "train.ema=0.9"]
    cpu = [*sets, "train.precision=fp32"] if precision == "tf32" else sets
    if precision != "bf16":  # autocast for CUDA does nothing to tensors on the CPU
        assert train(config, tmp_path / "cpu", "cpu", "train.steps=6", *cpu) == 0
    assert train(config, tmp_path / "whole", "cuda:2", "train.steps=6", *sets) == 0
    assert train(config, tmp_path / "cut", "cuda:2", "train.steps=4", *sets) == 0
    assert train(config, tmp_path / "cut", "cuda:2", "train.steps=6", *sets, more=["--resume"]) == 0
    assert set(three_gpus.used) == {2} and torch.cuda.current_device() == 0
    weights = {p.name: read_weights(p / "model.safetensors") for p in tmp_path.iterdir() if p.is_dir()}
    assert same(weights["whole"], weights["cut"])
    for name, weight in weights.get("cpu", {}).items():
        torch.testing.assert_close(weight, weights["whole"][name], atol=1e-3, rtol=0)


def test_the_random_state_of_the_gpu_is_saved_and_restored(one_gpu, tmp_path):
    Session(StubModel(), StubBatches(), section(steps=2), torch.device("cuda"), folder=tmp_path).run()
    checkpoint = checkpoints.latest(tmp_path)
    saved = checkpoint.state["random"][0]["cuda"]
    one_gpu.restored.clear()
    session = Session(
        StubModel(), StubBatches(), section(steps=3), torch.device("cuda"), folder=tmp_path, checkpoint=checkpoint
    )
    assert session.device == CUDA_0  # with its index, whoever made it
    session.run()
    assert any(torch.equal(state, saved) for state in one_gpu.restored)
    assert torch.equal(one_gpu.restored[-1], one_gpu.states[0])  # the caller's again


@pytest.mark.parametrize("device", ["cuda:7", "banana"])
def test_the_commands_refuse_a_wrong_device_in_a_sentence(one_gpu, config, tmp_path, device, capfd):
    assert train(config, tmp_path / "run", "cpu", "train.steps=1") == 0
    model = str(tmp_path / "run" / "model.safetensors")
    out = str(tmp_path / "out")
    for command in (
        ["train", config, "--out", out],
        ["eval", "--model", model],
        ["predict", __file__, "--model", model, "--out", out],
        ["extract", str(tmp_path), "--stream", "rgb=i3d_rgb", "--out", out],
        ["bench", "swap", config, "--node", "context", "--with", "tca", "--out", out],
    ):
        assert main([*command, "--device", device]) == 2, command
        err = capfd.readouterr().err
        assert f"device {device} cannot be used here" in err and "Traceback" not in err, (command, err)


def test_a_machine_without_cuda_says_so_at_the_command_line(config, tmp_path):
    code = "import sys; from vadkit.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "train", config, "--device", "cuda", "--out", str(tmp_path / "run")]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "CUDA_VISIBLE_DEVICES": ""}, timeout=120
    )
    assert done.returncode == 2 and "device cuda cannot be used here" in done.stderr
    assert "Traceback" not in done.stderr and not (tmp_path / "run").exists()
