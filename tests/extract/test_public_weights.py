"""Which public weight file a file is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from vadkit_vggish import load_network

from vadkit.cli import main
from vadkit.extract import public_weights
from vadkit.extract.public_weights import published


def test_every_backbone_with_weights_names_its_public_files(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights", "list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["backbone"] for row in rows} == {
        "c3d", "clip_vit", "efficientnet_lite0", "i3d_flow", "i3d_resnet50", "i3d_rgb", "vggish"
    }  # fmt: skip
    for row in rows:
        assert row["file"] and row["source"] and row["licence"]
        assert set(row["sha256"]) <= set("0123456789abcdef") and len(row["sha256"]) in (0, 8, 64)


def test_the_list_of_one_backbone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights", "list", "vggish"]) == 0
    out = capsys.readouterr().out
    assert "vggish-10086976.pth" in out and "10086976..." in out and "clip_vit" not in out
    assert main(["weights", "list", "vgish"]) == 2
    assert "did you mean 'vggish'?" in capsys.readouterr().err


@pytest.fixture
def vggish(tmp_path: Path) -> Path:
    """A file of VGGish's tensors under the published names; the numbers are random."""
    file = tmp_path / "mine.pt"
    torch.save(load_network(None).state_dict(), file)
    return file


def check(file: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    code = main(["weights", "check", str(file), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_a_file_that_fits_one_backbone(vggish: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = check(vggish, capsys)
    assert code == 0 and not found["known"]
    assert [fit["backbone"] for fit in found["fits"] if fit["cause"] is None] == ["vggish"]
    assert main(["weights", "check", str(vggish)]) == 0
    out = capsys.readouterr().out
    assert "none of the public files whose digest is known" in out and "fits backbone vggish" in out


def test_a_file_whose_digest_is_known(
    vggish: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = dict(published())["vggish"].sha256
    monkeypatch.setattr(public_weights, "sha256", lambda path: digest + "0" * 56)
    assert main(["weights", "check", str(vggish)]) == 0
    assert "the digest begins with 10086976, as that of vggish-10086976.pth" in capsys.readouterr().out


def test_a_file_that_fits_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"weight": torch.zeros(3)}, tmp_path / "other.pt")
    code, found = check(tmp_path / "other.pt", capsys)
    assert code == 1 and all(fit["cause"] for fit in found["fits"])
    assert main(["weights", "check", str(tmp_path / "other.pt")]) == 1
    assert "fits no backbone" in capsys.readouterr().out


def test_a_file_that_is_no_weight_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "page.pt").write_text("<!doctype html><html>not found</html>")
    assert main(["weights", "check", str(tmp_path / "page.pt")]) == 2
    assert "are a web page, not a weight file" in capsys.readouterr().err
    assert main(["weights", "check", str(tmp_path / "none.pt")]) == 2
