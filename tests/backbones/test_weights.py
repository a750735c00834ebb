"""Weight files of every format give the same tensors; faults are reported; no code in a file is run."""

from __future__ import annotations

import io
import os
import time
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from vadkit.backbones.fold_batch_norm import folded
from vadkit.backbones.weights import check_names, fill, origin, randomise, read_weights, sha256
from vadkit.problems import VadkitError

STATE = {"a.weight": torch.arange(6.0).view(2, 3), "a.bias": torch.tensor([0.5, -0.5]), "steps": torch.tensor(7)}


def same(found):
    return list(found) == list(STATE) and all(torch.equal(found[name], STATE[name]) for name in STATE)


# -- forms -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "wrap",
    [
        lambda s: s,
        OrderedDict,
        lambda s: {"state_dict": s, "epoch": 3},
        lambda s: {"model": {"state_dict": s}},
        lambda s: {f"module.{name}": tensor for name, tensor in s.items()},
    ],
)
@pytest.mark.parametrize("new_form", [True, False])
def test_pytorch_files(tmp_path, wrap, new_form):
    path = tmp_path / "w.pt"
    torch.save(wrap(STATE), path, _use_new_zipfile_serialization=new_form)
    assert same(read_weights(path))


def test_safetensors_whatever_they_are_called(tmp_path):
    path = tmp_path / "w.bin"
    save_file(STATE, path)
    found = read_weights(path)
    assert all(torch.equal(found[name], STATE[name]) for name in STATE)


def test_numpy_archives(tmp_path):
    np.savez(tmp_path / "w.npz", **{name: tensor.numpy() for name, tensor in STATE.items()})
    assert same(read_weights(tmp_path / "w.npz"))


def test_pytorch_files_of_numpy_arrays(tmp_path):
    torch.save({name: tensor.numpy() for name, tensor in STATE.items()}, tmp_path / "w.pth")
    assert same(read_weights(tmp_path / "w.pth"))


# -- TorchScript archives --------------------------------------------------------------------------
class Inner(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2, bias=False))
        self.register_buffer("scale", torch.tensor([1.5, 2.5], dtype=torch.float64))
        self.sizes: list[int] = [3, 4, 2]
        self.ratio: float = 0.5

    def forward(self, x):
        return self.layers(x) * self.scale.to(x.dtype) * self.ratio


class Outer(nn.Module):
    def __init__(self):
        super().__init__()
        self.visual = Inner()
        self.text = nn.Embedding(5, 3)
        self.norm = nn.BatchNorm1d(2)

    def forward(self, x):
        return self.norm(self.visual(self.text(x)))


def archive(path, module=None, how="script"):
    module = module or Outer().eval().half()
    if how == "script":
        torch.jit.script(module).save(str(path))
    else:
        torch.jit.trace(module, torch.tensor([1, 2])).save(str(path))
    return module


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("how", ["script", "trace"])
def test_torchscript_archives_give_their_tensors(tmp_path, how):
    module = archive(tmp_path / "w.pt", None if how == "script" else Outer().eval(), how)
    found = read_weights(tmp_path / "w.pt")
    wanted = module.state_dict()
    assert set(found) == set(wanted)
    assert all(torch.equal(found[name], wanted[name]) and found[name].dtype == wanted[name].dtype for name in wanted)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_the_program_in_a_torchscript_archive_is_not_read(tmp_path, monkeypatch):
    archive(tmp_path / "w.pt")
    edited = tmp_path / "edited.pt"
    with zipfile.ZipFile(tmp_path / "w.pt") as old, zipfile.ZipFile(edited, "w") as new:
        for name in old.namelist():
            new.writestr(name, b"this is no program" if "/code/" in name else old.read(name))
    monkeypatch.setattr(torch.jit, "load", None)
    assert len(read_weights(edited)) == 10


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("damage", ["cut the program short", "cut a tensor short", "leave a tensor out"])
def test_damaged_torchscript_archives(tmp_path, damage):
    archive(tmp_path / "w.pt")
    edited = tmp_path / "edited.pt"
    with zipfile.ZipFile(tmp_path / "w.pt") as old, zipfile.ZipFile(edited, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if damage == "cut the program short" and name.endswith("/data.pkl"):
                content = content[:200]
            if name.endswith("/data/1"):
                if damage == "leave a tensor out":
                    continue
                content = content[:-4] if damage == "cut a tensor short" else content
            new.writestr(name, content)
    with pytest.raises(VadkitError, match="damaged"):
        read_weights(edited)


# -- what is wrong ---------------------------------------------------------------------------------
class Harmful:
    def __reduce__(self):
        return os.system, ("touch harm",)


@pytest.mark.parametrize("torchscript", [False, True])
def test_code_in_a_file_is_refused_and_not_run(tmp_path, monkeypatch, torchscript):
    monkeypatch.chdir(tmp_path)
    torch.save({"a": torch.zeros(1), "b": Harmful()}, "w.pt")
    if torchscript:  # the same instructions in an archive that says it is TorchScript
        with zipfile.ZipFile("w.pt", "a") as file:
            file.writestr("w/constants.pkl", b"")
        with pytest.raises(VadkitError, match="no tensors|damaged"):
            read_weights("w.pt")
    else:
        with pytest.raises(VadkitError, match="hold Python objects .*system.*, not only tensors"):
            read_weights("w.pt")
    assert not (tmp_path / "harm").exists()


def test_a_whole_module_is_refused_with_advice(tmp_path):
    torch.save(nn.Linear(2, 2), tmp_path / "w.pt")
    with pytest.raises(VadkitError, match=r"(?s)torch.nn.modules.linear.Linear.*hint.*model.state_dict"):
        read_weights(tmp_path / "w.pt")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "are empty"),
        (b"abc", "only 3 bytes long"),
        (b"<!DOCTYPE html><html><body>sign in</body></html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a", "Git LFS pointer"),
        (bytes(range(256)) * 4, "damaged or of no supported format"),
        (b'\x10\x00\x00\x00\x00\x00\x00\x00{"a": tru' + b"\0" * 30, "damaged or of no supported format"),
        (b"PK\x03\x04" + b"\0" * 100, "damaged or of no supported format"),
    ],
)
def test_files_that_are_no_weights(tmp_path, content, message):
    (tmp_path / "w.pt").write_bytes(content)
    with pytest.raises(VadkitError, match=message):
        read_weights(tmp_path / "w.pt")


def test_a_truncated_file(tmp_path):
    buffer = io.BytesIO()
    torch.save(STATE, buffer)
    (tmp_path / "w.pt").write_bytes(buffer.getvalue()[:-200])
    with pytest.raises(VadkitError, match="damaged or of no supported format"):
        read_weights(tmp_path / "w.pt")


def test_missing_files_and_folders(tmp_path):
    for use in (read_weights, sha256):
        with pytest.raises(VadkitError, match="no such file"):
            use(tmp_path / "none.pt")
        with pytest.raises(VadkitError, match="is a directory"):
            use(tmp_path)


def test_files_without_names(tmp_path):
    torch.save(torch.zeros(3), tmp_path / "w.pt")
    with pytest.raises(VadkitError, match="no named tensors"):
        read_weights(tmp_path / "w.pt")


def test_names_that_do_not_fit_are_told_together():
    wanted = {"a.weight": (2, 3), "a.bias": (3,), "b.weight": (1,)}
    with pytest.raises(VadkitError) as error:
        check_names({**STATE, "bn.num_batches_tracked": torch.tensor(0)}, wanted, "FILE", "Net", hint="what to do")
    assert str(error.value).splitlines() == [
        "the weights FILE are not those of Net (3 tensors): 1 missing (b.weight), 1 unknown (steps), "
        "1 of another size (a.bias is 2, not 3)",
        "  hint: what to do",
    ]


def test_unused_tensors_are_allowed():
    check_names(STATE, {"a.weight": (2, 3)}, "FILE", "Net", unused=("a.b", "steps"))
    with pytest.raises(VadkitError, match="unknown \\(steps\\)"):
        check_names(STATE, {"a.weight": (2, 3)}, "FILE", "Net", unused=("a.b",))


# -- where weights come from -----------------------------------------------------------------------
def test_a_backbone_without_weights_refuses_and_says_what_to_do():
    with pytest.raises(VadkitError, match=r"(?s)'net' has no weights.*random_weights: true.*permanently marked"):
        origin("net", None, False)


def test_the_hash_follows_the_file(tmp_path):
    path = tmp_path / "w.pt"
    path.write_bytes(b"one")
    first = origin("net", str(path), False)
    path.write_bytes(b"other")
    assert first["weights"] != origin("net", str(path), False)["weights"] == sha256(path)
    assert first["pretrained"] and not origin("net", None, True)["pretrained"]


# -- filling ---------------------------------------------------------------------------------------
def meta(make):
    with torch.device("meta"):
        return make()


def test_random_weights_are_the_same_each_time_and_leave_the_global_generator_alone():
    before = torch.get_rng_state()
    first, second = (randomise(meta(lambda: nn.Sequential(nn.Conv2d(3, 64, 5), nn.LayerNorm(8)))) for _ in range(2))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters()))
    assert first[0].weight.std().item() == pytest.approx((2 / 75) ** 0.5, rel=0.05)
    assert torch.equal(first[1].weight, torch.ones(8)) and torch.equal(first[0].bias, torch.zeros(64))
    assert not any(p.requires_grad for p in first.parameters()) and not first.training


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("eps", [1e-5, 1e-3])
def test_folding_a_batch_norm_changes_nothing(bias, eps):
    generator = torch.Generator().manual_seed(1)
    norm, conv = nn.BatchNorm3d(5, eps=eps).eval(), nn.Conv3d(2, 5, 3, bias=bias)
    for tensor in norm.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand(5, generator=generator) + 0.01)
    state = {f"c.{n}": t for n, t in conv.state_dict().items()} | {f"n.{n}": t for n, t in norm.state_dict().items()}
    network = nn.ModuleDict({"x": meta(lambda: nn.Conv3d(2, 5, 3))})
    fill(network, folded(state, [("x", "c", "n")], network, eps, "FILE", "Net"))
    x = torch.randn(2, 2, 4, 5, 6, generator=generator)
    with torch.no_grad():
        torch.testing.assert_close(network["x"](x), norm(conv(x)), rtol=1e-5, atol=1e-5)


# -- sizes, before memory and time are spent -------------------------------------------------------
def npy(shape, kind="<f4", content=b"\0" * 64):
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + content


def packed(path, members, how=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", how) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def refused(path):
    begun = time.monotonic()
    with pytest.raises(VadkitError) as caught:
        read_weights(path)
    assert time.monotonic() - begun < 10 and str(caught.value).startswith(f"the weights {path} ")
    return str(caught.value)


@pytest.mark.guards("5.3", "D19")
@pytest.mark.parametrize("name", ["a.npy", "w/data.pkl", "w/data/0"])
@pytest.mark.parametrize("torchscript", [False, True])
def test_an_archive_that_unpacks_to_much_more(tmp_path, name, torchscript):
    """84 MB in 0.08 MB."""
    path = tmp_path / "w.pt"
    packed(path, {name: bytes(80 << 20), **({"w/constants.pkl": b""} if torchscript else {})})
    assert "would take 83.9 MB when unpacked, but the file has 8" in refused(path)


@pytest.mark.guards("5.3")
def test_small_archives_may_compress_well(tmp_path):
    np.savez_compressed(tmp_path / "w.npz", a=np.zeros((1000, 1000), np.float32))
    assert read_weights(tmp_path / "w.npz")["a"].shape == (1000, 1000)


@pytest.mark.guards("5.3")
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (npy((10**10,)), "not the 40000000"),
        (npy((10**17, 10**17)), "bytes, not the"),
        (npy((-1, 3)), "its shape is (-1, 3)"),
        (npy((3,)), "bytes, not the"),
        (npy((16,), "|O"), "holds pickled Python objects"),
        (npy((4, 4))[:20], "it ends within its header"),
        (b"", "it ends within its header"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\x7f", "it is 2147483647 bytes long"),
        (b"no array at all", "it is of no known version"),
    ],
)
def test_members_of_a_numpy_archive_that_lie(tmp_path, content, message):
    packed(tmp_path / "w.npz", {"a.npy": npy((4, 4)), "b.npy": content})
    assert message in refused(tmp_path / "w.npz")


@pytest.mark.guards("5.3")
def test_numpy_archives_of_any_order_and_kind(tmp_path):
    arrays = {"a": np.asfortranarray(np.arange(6.0).reshape(2, 3)), "b": np.arange(3, dtype=">i4"), "c": np.float32(2),
              "d": np.zeros((0, 3), np.float32)}  # fmt: skip
    np.savez(tmp_path / "w.npz", **arrays)
    found = read_weights(tmp_path / "w.npz")
    assert all(np.array_equal(found[name].numpy(), array) for name, array in arrays.items())


@pytest.mark.guards("5.3")
@pytest.mark.parametrize("how", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("names", [["a.npy"], ["w/data.pkl", "w/constants.pkl", "w/data/0"], ["w/constants.pkl"]])
def test_damaged_members(tmp_path, how, names):
    """zlib, lzma and zipfile raise errors of their own; an archive without data.pkl a StopIteration."""
    path, rng = tmp_path / "w.pt", np.random.default_rng(0)
    packed(path, {name: npy((4, 4)) * 20 for name in names}, how)
    good = path.read_bytes()
    for _ in range(30):
        bad = bytearray(good)
        for at in rng.integers(30, len(bad), 3):
            bad[at] = rng.integers(256)
        path.write_bytes(bytes(bad))
        refused(path)


@pytest.mark.guards("5.3")
@pytest.mark.parametrize("key", ["state_dict", "model", "net"])
def test_a_state_dict_that_holds_itself(tmp_path, key):
    state = {"a": torch.zeros(2)}
    state[key] = state
    torch.save(state, tmp_path / "w.pt")
    assert "its state dict holds itself" in refused(tmp_path / "w.pt")


def torchscript(path, program, **tensors):
    packed(path, {"w/data.pkl": program, "w/constants.pkl": b"", **{f"w/data/{k}": v for k, v in tensors.items()}})


def module(inside):
    """Return the instructions of a module whose attributes ``inside`` sets."""
    return b"cM\nM\n)\x81q\x00}(" + inside + b"ub"


FLOATS = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQ"


def tensor(size, stride):
    sizes = b"".join(b"(" + b"".join(b"J" + n.to_bytes(4, "little") for n in part) + b"t" for part in (size, stride))
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + FLOATS + b"K\x00" + sizes + b"\x89}tR"


@pytest.mark.guards("5.3")
@pytest.mark.parametrize(
    ("inside", "message"),
    [
        (b"X\x01\x00\x00\x00ah\x00", "a module in it holds itself"),
        (b"X\x01\x00\x00\x00ah\x00X\x01\x00\x00\x00bh\x00", "a module in it holds itself"),
        (b"X\x01\x00\x00\x00a" + tensor([10**9], [0]), "more numbers than the file has"),
        (b"X\x01\x00\x00\x00a" + tensor([10**9, 10**9, 10**9], [0, 0, 0]), "more numbers than the file has"),
        (b"X\x01\x00\x00\x00a" + tensor([3, 3], [1, 1]), "more numbers than the file has"),
        (b"K\x01" + b"\x85" * 200_000 + b"K\x02", "a mapping has a key that no file of tensors needs"),
    ],
)
def test_torchscript_programs_that_ask_for_much(tmp_path, inside, message):
    torchscript(tmp_path / "w.pt", b"\x80\x02" + module(inside) + b".", **{"0": bytes(16)})
    assert message in refused(tmp_path / "w.pt")
    torchscript(
        tmp_path / "w.pt", b"\x80\x02" + module(b"X\x01\x00\x00\x00a" + tensor([4], [1])) + b".", **{"0": bytes(16)}
    )
    assert read_weights(tmp_path / "w.pt")["a"].shape == (4,)


@pytest.mark.guards("5.3")
def test_modules_that_share_modules(tmp_path):
    """Thirty modules, each twice in the next: a thousand million names."""
    program, memo = b"\x80\x02" + b"cM\nM\n)\x81q\x00}b", 0
    for memo in range(1, 31):
        inner = b"h" + bytes([memo - 1])
        program += b"cM\nM\n)\x81q" + bytes([memo]) + b"}(X\x01\x00\x00\x00a" + inner + b"X\x01\x00\x00\x00b" + inner
        program += b"ub"
    torchscript(tmp_path / "w.pt", program + b".")
    assert "it has more than 100000 modules" in refused(tmp_path / "w.pt")


@pytest.mark.guards("5.3")
@pytest.mark.parametrize("new_form", [True, False])
def test_tensors_larger_than_what_the_file_has(tmp_path, new_form):
    """A view that repeats one number takes nothing in the file, and gigabytes when it is used."""
    torch.save({"a": torch.zeros(1).expand(10**9)}, tmp_path / "w.pt", _use_new_zipfile_serialization=new_form)
    assert "a is 1000000000, more numbers than the file has for it" in refused(tmp_path / "w.pt")


@pytest.mark.guards("5.3")
def test_an_old_file_that_asks_for_40_gb(tmp_path):
    torch.save({"a": torch.arange(1000.0)}, tmp_path / "w.pt", _use_new_zipfile_serialization=False)
    content = (tmp_path / "w.pt").read_bytes()
    (tmp_path / "w.pt").write_bytes(content.replace(b"M\xe8\x03", b"\x8a\x06" + (10**13).to_bytes(6, "little")))
    assert "it asks for 40 TB of memory and has 4." in refused(tmp_path / "w.pt")


@pytest.mark.guards("D23", "5.3")
@pytest.mark.filterwarnings("ignore:Validating sparse")
def test_complex_sparse_and_nameless_tensors(tmp_path):
    torch.save({"a.weight": torch.ones(2, 3, dtype=torch.complex64), "b": torch.eye(3).to_sparse(), 1: torch.ones(1),
                "c": torch.ones(10, device="meta")}, tmp_path / "w.pt")  # fmt: skip
    state = read_weights(tmp_path / "w.pt")
    assert list(state) == ["a.weight"]
    with pytest.raises(VadkitError, match="1 of complex numbers \\(a.weight\\)"):
        check_names(state, {"a.weight": (2, 3)}, "FILE", "Net")


@pytest.mark.guards("D21")
def test_a_pipe_in_place_of_weights(tmp_path):
    os.mkfifo(tmp_path / "w.pt")
    for use in (read_weights, sha256):
        with pytest.raises(VadkitError, match="it is a named pipe, not a file"):
            use(tmp_path / "w.pt")
