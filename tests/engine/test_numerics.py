"""What a run changes in the process while it trains, that it changes it back, and what cannot be deterministic."""

from __future__ import annotations

import os

import pytest
import torch
from engine_stub import StubBatches, StubModel, section

from vadkit.devices import float32
from vadkit.engine import numerics
from vadkit.engine.precision import note
from vadkit.engine.progress import Progress
from vadkit.engine.run_log import Log
from vadkit.engine.session import Session
from vadkit.engine.tensor_tree import same
from vadkit.problems import VadkitError

CPU = torch.device("cpu")


def process_state():
    """Return all that decides how torch computes in this process."""
    return {
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "warn only": torch.is_deterministic_algorithms_warn_only_enabled(),
        "fill": torch.utils.deterministic.fill_uninitialized_memory,
        "benchmark": torch.backends.cudnn.benchmark,
        "cudnn deterministic": torch.backends.cudnn.deterministic,
        "cudnn attention": torch.backends.cuda.cudnn_sdp_enabled(),
        "autocast": torch.is_autocast_enabled("cpu"),
        "matmul tf32": torch.backends.cuda.matmul.allow_tf32,
        "cudnn tf32": torch.backends.cudnn.allow_tf32,
        "float32": torch.get_float32_matmul_precision(),
        "threads": torch.get_num_threads(),
    }


def state_while(train, device=CPU):
    """Return the state inside a run, as an evaluation sees it."""
    seen = []
    Session(
        StubModel(),
        StubBatches(),
        section(steps=1, evaluate_every=1, **train),
        device,
        evaluate=lambda model: {"n": seen.append(process_state())},
    ).run()
    return seen[0]


@pytest.fixture(params=["torch's own", "the contrary"])
def caller(request):
    """Yield the state of a caller: torch's defaults, or everything the other way round; take it back afterwards."""
    if request.param == "torch's own":
        yield process_state()
        return
    fill = torch.utils.deterministic.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = not fill
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.enable_cudnn_sdp(True)
    with float32(tf32=True), torch.autocast("cpu", torch.bfloat16):
        yield process_state()
    torch.use_deterministic_algorithms(False)
    torch.utils.deterministic.fill_uninitialized_memory = fill
    torch.backends.cudnn.benchmark = False


@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16"])
def test_a_run_decides_how_torch_computes_and_restores_what_was(caller, precision):
    seen = state_while({"precision": precision})
    assert seen["deterministic"] and not seen["warn only"] and not seen["benchmark"] and not seen["cudnn attention"]
    assert seen["cudnn deterministic"] and not seen["autocast"]
    assert seen["matmul tf32"] == seen["cudnn tf32"] == (precision == "tf32")
    assert process_state() == caller


def test_a_run_that_fails_restores_it_too(caller):
    class Broken(StubModel):
        def loss(self, batch):
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        Session(Broken(), StubBatches(), section(precision="tf32"), CPU).run()
    assert process_state() == caller


def test_not_deterministic_leaves_the_algorithms_to_the_caller(caller):
    seen = state_while({"deterministic": False})
    for key in ("deterministic", "warn only", "benchmark", "cudnn deterministic", "cudnn attention", "fill"):
        assert seen[key] == caller[key], key


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_autocast_of_a_caller_changes_nothing(precision):
    def weights():
        model = StubModel()
        Session(model, StubBatches(), section(precision=precision), CPU).run()
        return model.state_dict()

    alone = weights()
    with torch.autocast("cpu", torch.bfloat16):
        assert same(alone, weights())


def test_an_evaluation_is_in_exact_float32_whatever_the_training_is(graph, tmp_path):
    """``vadkit eval`` can then give the figures of the training again."""
    import vadkit
    from vadkit.data.from_config import open_dataset
    from vadkit.evaluate.score import evaluate_as_configured

    model = vadkit.build(graph)
    seen = []
    model.register_forward_hook(lambda *args: seen.append(torch.backends.cudnn.allow_tf32))
    with float32(tf32=True):
        evaluate_as_configured(model, open_dataset(model.spec["data"]), model.spec["eval"])
        assert torch.backends.cudnn.allow_tf32
    assert seen and not any(seen)


# -- tf32 on the CPU -------------------------------------------------------------------------------
def test_tf32_on_the_cpu_is_fp32_and_is_reported_once():
    class Notes(Progress):
        def __init__(self):
            self.notes = []

        def note(self, text):
            self.notes.append(text)

    weights, progress = [], Notes()
    for precision in ("fp32", "tf32"):
        model = StubModel()
        Session(model, StubBatches(), section(precision=precision), CPU, log=Log(progress=progress)).run()
        weights.append(model.state_dict())
    assert same(*weights)
    assert progress.notes == ["train.precision tf32 is for GPUs; on cpu it is the same as fp32"]


@pytest.mark.parametrize(("capability", "says"), [((7, 5), "this GPU has no TF32"), ((9, 0), None)])
def test_tf32_on_a_gpu(monkeypatch, capability, says):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    found = note("tf32", torch.device("cuda:0"))
    assert found is None if says is None else says in found


# -- operations without a deterministic form -------------------------------------------------------
class Put(torch.autograd.Function):
    """put_ without accumulation: the one kind of operation that torch refuses on the CPU too."""

    where = "forward"

    @staticmethod
    def refused(x):
        x.put_(torch.tensor([0]), x.flatten()[:1].clone())

    @staticmethod
    def forward(ctx, x):
        if Put.where == "forward":
            Put.refused(x.clone())
        return x * 1

    @staticmethod
    def backward(ctx, grad):
        if Put.where == "backward":
            Put.refused(grad.clone())
        return grad


class Putting(StubModel):
    def forward(self, x):
        return Put.apply(super().forward(x))


@pytest.mark.parametrize("where", ["forward", "backward"])
def test_an_operation_without_a_deterministic_form_is_refused_by_name(monkeypatch, where):
    monkeypatch.setattr(Put, "where", where)
    with pytest.raises(VadkitError, match="cannot hold: put_ has no deterministic form on this device") as error:
        Session(Putting(), StubBatches(), section(), CPU).run()
    assert "train.deterministic=false" in str(error.value)
    assert Session(Putting(), StubBatches(), section(deterministic=False), CPU).run().steps == 12


def test_cublas_that_was_in_use_before_is_explained():
    error = RuntimeError(
        "Deterministic behavior was enabled with either `torch.use_deterministic_algorithms(True)` or "
        "`at::Context::setDeterministicAlgorithms(true)`, but this operation is not deterministic because it uses "
        "CuBLAS and you have CUDA >= 10.2."
    )
    with pytest.raises(VadkitError, match="before it could be made deterministic") as refused:
        numerics.refuse_nondeterministic(error)
    assert "CUBLAS_WORKSPACE_CONFIG=:4096:8 before Python starts" in str(refused.value)
    numerics.refuse_nondeterministic(RuntimeError("something else"))


def test_a_cublas_set_up_to_vary_is_refused(monkeypatch):
    monkeypatch.setenv(numerics.CUBLAS, ":0:0")
    with pytest.raises(VadkitError, match="sets CUBLAS_WORKSPACE_CONFIG to ':0:0'"):
        with numerics.deterministic(True, torch.device("cuda:0")):
            pytest.fail("entered")
    monkeypatch.delenv(numerics.CUBLAS)
    with numerics.deterministic(True, torch.device("cuda:0")):
        assert os.environ[numerics.CUBLAS] == ":4096:8"
    with numerics.deterministic(True, CPU):
        pass


def test_the_evaluation_at_the_end_does_not_lose_a_finished_training(graph, tmp_path, monkeypatch):
    from vadkit.engine import results
    from vadkit.engine.train import train

    def measure(*args, **kwargs):
        Put.refused(torch.ones(2))
        return original(*args, **kwargs)

    original = results.evaluate_as_configured
    monkeypatch.setattr(results, "evaluate_as_configured", measure)
    with pytest.warns(UserWarning, match="put_ does not have a deterministic"):
        assert train(graph, ["train.steps=2"], tmp_path / "run", device="cpu").model_path.exists()
