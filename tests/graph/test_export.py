"""The three-stream system leaves Python: torch.compile, torch.export, ONNX, each at sizes it was not traced with."""

import pytest
import torch

import vadkit

SIZES = [(1, 1), (2, 7), (3, 64), (1, 500)]  # bags, snippets


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return vadkit.build("seed_xd_three_stream").eval()


def streams(model, bags, snippets):
    generator = torch.Generator().manual_seed(bags * 1000 + snippets)
    return tuple(torch.rand(bags, snippets, size, generator=generator) for size in model.input_sizes.values())


@pytest.fixture(scope="module")
def exported(model):
    free = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    with torch.no_grad():
        return torch.export.export(model.inference, streams(model, 2, 40), dynamic_shapes=(free,) * 4)


@pytest.mark.parametrize("bags, snippets", SIZES)
def test_torch_export_with_dynamic_batch_and_time(model, exported, bags, snippets):
    inputs = streams(model, bags, snippets)
    with torch.no_grad():
        torch.testing.assert_close(exported.module()(*inputs), model(*inputs), atol=2e-6, rtol=1e-5)


def test_onnx_runs_in_onnxruntime(model, exported, tmp_path, thorough):
    onnxruntime = pytest.importorskip("onnxruntime", reason="the extra 'export' is not installed")
    path = tmp_path / "model.onnx"
    # What is exported already: from the module itself, the same is done first.
    torch.onnx.export(
        exported,
        (),
        path,
        dynamo=True,
        verbose=False,
        optimize=thorough,  # a third of the time, and onnxruntime optimises by itself
        output_names=["scores"],
        input_names=list(model.input_sizes),
    )
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for bags, snippets in SIZES:
        inputs = streams(model, bags, snippets)
        feed = {name: x.numpy() for name, x in zip(model.input_sizes, inputs)}
        (scores,) = session.run(["scores"], feed)
        with torch.no_grad():
            torch.testing.assert_close(torch.from_numpy(scores), model(*inputs), atol=5e-6, rtol=1e-5)


def test_torch_compile_takes_the_graph_whole(model):
    # The eager backend traces the whole graph as inductor would, without minutes of C++ compilation.
    compiled = torch.compile(model.inference, fullgraph=True, dynamic=True, backend="eager")
    for bags, snippets in [(2, 7), (3, 64)]:
        inputs = streams(model, bags, snippets)
        with torch.no_grad():
            torch.testing.assert_close(compiled(*inputs), model(*inputs), atol=2e-6, rtol=1e-5)
