"""What a graph or a model file asks for is compared with the free memory before any of it is taken."""

import json
import os
import struct
import time

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import vadkit
from vadkit import VadkitError, memory
from vadkit.cli import main
from vadkit.graph import model_file, module
from vadkit.graph.weights import Weights

pytestmark = pytest.mark.guards("D6", "5.3")


def wide(*sizes):
    nodes, source = {}, "rgb"
    for number, size in enumerate(sizes):
        nodes[f"n{number}"] = {"use": "dense", "in": source, "args": {"dim": size}}
        source = f"n{number}"
    nodes["score"] = {"use": "mlp_head", "in": source}
    return {"inputs": {"rgb": "b t 8"}, "nodes": nodes, "output": "score"}


@pytest.fixture
def free(monkeypatch):
    """A machine with 8 GB of free memory."""
    monkeypatch.setattr(memory, "free_memory", lambda: 8_000_000_000)
    monkeypatch.setattr(model_file, "free_memory", lambda: 8_000_000_000)


@pytest.fixture
def never_built(monkeypatch):
    def built(plan):
        raise AssertionError("weights were allocated")

    monkeypatch.setattr(module, "_module", built)


TOO_LARGE = "the weights of the graph take 14.4 GB, and 8.0 GB of memory are free; node 'n1' (dense) has most of them"


def test_a_graph_larger_than_the_free_memory(free, never_built, tmp_path, capsys):
    with pytest.raises(VadkitError) as caught:
        vadkit.build(wide(60000, 60000))
    (problem,) = caught.value.problems
    assert problem.message.startswith(TOO_LARGE) and problem.place and "extra digit" in problem.hint
    path = tmp_path / "g.yaml"
    path.write_text(json.dumps(wide(60000, 60000)))
    assert main(["build", str(path), "-o", str(tmp_path / "m.safetensors")]) == 2
    shown = capsys.readouterr().err
    assert f"{path}:1:" in shown and TOO_LARGE in shown and "data.batch" not in shown
    assert not (tmp_path / "m.safetensors").exists()


def test_the_sum_counts_and_not_one_node_alone(free, never_built):
    vadkit_build_of_one = wide(40000, 40000)  # 6.4 GB: fits
    with pytest.raises(AssertionError, match="allocated"):
        vadkit.build(vadkit_build_of_one)
    with pytest.raises(VadkitError, match=r"take 12\.8 GB, and 8\.0 GB"):
        vadkit.build(wide(40000, 40000, 40000))


def test_buffers_and_mere_attributes_count_once():
    with torch.device("meta"):
        part = nn.Linear(10, 10, bias=False)
        part.register_buffer("table", torch.zeros(100), persistent=False)
        part.loose = torch.zeros(1000)
        part.again = part.weight
    weights = Weights()
    weights.add("x", "node 'x'", part, None)
    assert weights.bytes["node 'x'"][0] == 4 * (100 + 100 + 1000)


# -- model files -----------------------------------------------------------------------------------
@pytest.fixture
def small(tmp_path):
    return model_file.save(vadkit.build(wide(4, 4)), tmp_path / "small.safetensors")


def prepared(path, change, state):
    """Write a model file whose header has ``change`` done to it, with the SHA-256 that goes with it."""
    header = model_file.read_header(path)
    change(header)
    text = json.dumps(header)
    out = path.with_name("prepared.safetensors")
    save_file(state, out, {"vadkit": text, "sha256": model_file._digest(text, state)})
    return out


def widen(header):
    header["spec"]["nodes"]["n0"]["args"]["dim"] = 1_000_000
    for name in ("n1", "score"):
        header["spec"]["nodes"][name]["args"]["in_dim"] = 1_000_000 if name == "n1" else 2000
    header["spec"]["nodes"]["n1"]["args"]["dim"] = 2000


def test_a_small_file_that_asks_for_8_gb(small, never_built, tmp_path, capsys):
    bomb = prepared(small, widen, model_file.read_weights(small))
    assert bomb.stat().st_size < 10_000
    start = time.perf_counter()
    with pytest.raises(VadkitError, match=r"the weights do not fit the graph inside: n0\.\S+ is of shape \[4"):
        vadkit.load(bomb)
    bomb = prepared(small, widen, {"w": torch.zeros(1)})
    for command in (["eval"], ["predict", str(small), "--out", str(tmp_path / "out")]):
        assert main([*command, "--model", str(bomb)]) == 2
        assert "Traceback" not in capsys.readouterr().err
    assert time.perf_counter() - start < 10


def test_the_weights_of_a_file_must_fit_into_memory(small, free):
    with open(small, "r+b") as file:
        file.truncate(100 << 30)  # sparse: it takes no space
    with pytest.raises(VadkitError, match=r"has 107\.4 GB, and 8\.0 GB of memory are free"):
        vadkit.load(small)


def table(entries, data=b"\0" * 16):
    text = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
    return struct.pack("<Q", len(text)) + text + data


WEIGHT = '{"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}'
HEADERS = {
    "3 GB": (struct.pack("<Q", 3 << 30) + b"{", "its header has 3221225472 bytes, the limit is 16777216"),
    "longest number": (b"\xff" * 9, "bytes, the limit is 16777216"),
    "cut off": (struct.pack("<Q", 100) + b"{}", "it is cut off"),
    "no JSON": (table(b"{x}"), "its header is no JSON"),
    "not UTF-8": (table(b'{"\xff": 1}'), "its header is no JSON"),
    "nested": (table(b"[" * 100_000), "its header is nested too deeply"),
    "duplicate name": (table(f'{{"a": {WEIGHT}, "a": {WEIGHT}}}'.encode()), "it holds a name twice"),
    "duplicate metadata": (table(b'{"__metadata__": {"vadkit": "a", "vadkit": "b"}}'), "it holds a name twice"),
    "a list": (table([]), "not a sound .safetensors file"),
    "a number": (table(b"5"), "not a sound .safetensors file"),
    "offsets outside": (table({"a": {"dtype": "F32", "shape": [9], "data_offsets": [0, 36]}}), "not a sound"),
    "offsets reversed": (table({"a": {"dtype": "F32", "shape": [1], "data_offsets": [8, 4]}}), "not a sound"),
    "huge shape": (table({"a": {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 16]}}), "not a sound"),
    "negative shape": (table({"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}), "not a sound"),
    "unknown type": (table({"a": {"dtype": "F3", "shape": [1], "data_offsets": [0, 4]}}), "not a sound"),
    "metadata of another type": (table({"__metadata__": {"vadkit": 5}}, b""), "not a sound .safetensors file"),
}


@pytest.mark.guards("D15")
@pytest.mark.parametrize(("data", "message"), HEADERS.values(), ids=HEADERS)
def test_headers_that_are_not_what_they_should_be(data, message, tmp_path, capsys):
    path = tmp_path / "m.safetensors"
    path.write_bytes(data)
    with pytest.raises(VadkitError) as caught:
        vadkit.load(path)
    assert message in str(caught.value)
    for command in (["eval"], ["predict", str(path), "--out", str(tmp_path / "out")]):
        assert main([*command, "--model", str(path)]) == 2
        shown = capsys.readouterr().err
        assert message in shown and "Traceback" not in shown


@pytest.mark.guards("D23")
def test_complex_weights_are_refused(small):
    state = model_file.read_weights(small)
    name = next(iter(state))
    path = prepared(small, lambda header: None, {**state, name: state[name].to(torch.complex64)})
    with pytest.raises(VadkitError, match=f"{name} holds complex numbers, and the graph has floating-point ones"):
        vadkit.load(path)


@pytest.mark.guards("D21")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "m.safetensors")
    with pytest.raises(VadkitError, match="is not a regular file"):
        vadkit.load(tmp_path / "m.safetensors")


# -- how much is free ------------------------------------------------------------------------------
def test_the_limit_of_a_container_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "GROUP", tmp_path)
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("900000\n")
    (tmp_path / "memory.stat").write_text("anon 5\ninactive_file 300000\n")
    assert memory.free_memory() == 400_000
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.free_memory() is None or memory.free_memory() > 10**7


def test_the_limit_of_a_process_counts(monkeypatch):
    monkeypatch.setattr(memory.resource, "getrlimit", lambda kind: (2**40, 2**40))
    assert memory.free_memory() < 2**40
    monkeypatch.setattr(memory.resource, "getrlimit", lambda kind: (1, 1))
    assert memory.free_memory() == 0
