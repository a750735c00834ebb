"""One file is one system: nothing pickled, damage noticed, what was there kept."""

import errno
import json
import os

import pytest
import torch

import vadkit
from vadkit import VadkitError
from vadkit.graph import model_file


@pytest.fixture
def model(graph):
    torch.manual_seed(0)
    return vadkit.build(graph).eval()


@pytest.fixture
def saved(model, tmp_path):
    return model_file.save(model, tmp_path / "model.safetensors", {"seed": 3})


def test_round_trip(model, saved):
    again = vadkit.load(saved)
    x, clip = torch.rand(2, 5, 8), torch.rand(2, 5, 4)
    assert torch.equal(again(x, clip), model(x, clip))
    assert again.spec == model.spec
    assert not again.training
    assert model_file.read_header(saved)["extra"] == {"seed": 3}


def test_the_same_model_gives_the_same_bytes(model, saved, tmp_path):
    for _ in range(8):
        assert model_file.save(model, tmp_path / "again.safetensors", {"seed": 3}).read_bytes() == saved.read_bytes()
    assert int.from_bytes(saved.read_bytes()[:8], "little") % 8 == 0


def test_every_flipped_byte_is_noticed(saved, tmp_path):
    data = bytearray(saved.read_bytes())
    broken = tmp_path / "broken.safetensors"
    for position in range(0, len(data), max(1, len(data) // 97)):
        data[position] ^= 0x10
        broken.write_bytes(data)
        with pytest.raises(VadkitError):
            model_file.load(broken)
        data[position] ^= 0x10


@pytest.mark.parametrize("keep", [0, 4, 100, -1])
def test_a_cut_file_is_noticed(saved, tmp_path, keep):
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(saved.read_bytes()[:keep])
    with pytest.raises(VadkitError, match="not a sound .safetensors file"):
        model_file.load(cut)


def test_a_pickle_is_refused_and_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    torch.save({"x": Evil()}, tmp_path / "evil.pt")
    with pytest.raises(VadkitError, match="loads no pickle"):
        model_file.load(tmp_path / "evil.pt")
    assert not (tmp_path / "ran").exists()


def test_plain_weights_and_newer_formats_are_distinguished(saved, tmp_path):
    from safetensors.torch import save_file

    save_file({"w": torch.zeros(2)}, tmp_path / "plain.safetensors")
    with pytest.raises(VadkitError, match="no vadkit graph"):
        model_file.load(tmp_path / "plain.safetensors")
    text = json.dumps({"vadkit_model": 99})
    save_file({}, tmp_path / "new.safetensors", {"vadkit": text, "sha256": model_file._digest(text, {})})
    with pytest.raises(VadkitError, match="format 99"):
        model_file.load(tmp_path / "new.safetensors")


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(VadkitError, match="no model file"):
        model_file.load(tmp_path / "nothing.safetensors")
    with pytest.raises(VadkitError, match="is a folder"):
        model_file.load(tmp_path)


def test_a_full_disk_loses_nothing(model, saved, monkeypatch):
    before = saved.read_bytes()

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(VadkitError, match="No space left on device"):
        model_file.save(model, saved)
    assert saved.read_bytes() == before
    assert [p.name for p in saved.parent.iterdir()] == [saved.name]
