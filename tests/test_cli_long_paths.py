"""A path of 300 characters in place of any other: a line that names it, for every verb and option that takes one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from manifested import write_manifested

from vadkit.cli import main

pytestmark = pytest.mark.guards("D23")

LONG = "x" * 300
COMMANDS = [
    ["train", "g.yaml", "--out", LONG],
    ["train", LONG, "--out", "run"],
    ["train", "g.yaml", "--set", f"data.args.root={LONG}", "--out", "run"],
    ["eval", "--model", LONG],
    ["predict", "clip.mp4", "--model", LONG, "--out", "pages"],
    ["watch", LONG, "--model", "m.safetensors"],
    ["watch", "--cameras", f"{LONG}.yaml", "--model", "m.safetensors"],
    ["extract", "clip.mp4", "--stream", "a=logmel_stats", "--out", LONG],
    ["extract", LONG, "--stream", "a=logmel_stats", "--out", "new"],
    ["extract", "--list", LONG, "--stream", "a=logmel_stats", "--out", "new"],
    ["build", "g.yaml", "-o", f"{LONG}.safetensors"],
    ["build", "g.yaml", "--diagram", f"{LONG}.svg"],
    ["bench", "swap", "g.yaml", "--node", "score", "--with", "causal_conv", "--out", LONG],
    ["bench", "swap", "--spec", LONG],
    ["bench", "robust", LONG, "--with", "blur:1", "--out", "new"],
    ["corrupt", "clip.mp4", "--with", "blur:1", "--out", LONG],
    ["corrupt", LONG, "--with", "blur:1", "--out", "new"],
    ["demo", "--out", LONG],
    ["new-plugin", "abc", "--kind", "loss", "--out", LONG],
    ["store", "info", LONG],
    ["store", "check", LONG],
    ["store", "check", "s", "--labels", LONG],
    ["store", "diff", "s", LONG],
    ["store", "pack", LONG],
    ["store", "merge", "s", "t", "--out", LONG],
    ["store", "merge", "s", LONG, "--out", "new"],
    ["store", "generate", "xd_violence", "--out", LONG],
    ["store", "import", "own", "--root", "s/rgb", "--table", "t.csv", "--out", LONG],
    ["store", "import", "own", "--root", LONG, "--table", "t.csv", "--out", "new"],
    ["store", "import", "own", "--root", "s/rgb", "--table", LONG, "--out", "new"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command).replace(LONG, "LONG"))
def test_a_long_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_manifested(tmp_path / "s")
    write_manifested(tmp_path / "t")
    names = [path.stem for path in (tmp_path / "s" / "rgb").glob("*.npy")]
    (tmp_path / "t.csv").write_text("video,label\n" + "".join(f"{name},1\n" for name in names))
    (tmp_path / "clip.mp4").write_bytes(b"no video")
    graph = {
        "inputs": {"rgb": "b t 16"}, "nodes": {"score": {"use": "causal_conv", "in": "rgb"}}, "output": "score",
        "losses": {"mil": {"use": "topk_mil", "in": "score"}}, "train": {"steps": 1, "epochs": None},
        "data": {"sampler": {"args": {"length": 16}}, "batch": 2, "args": {"root": "s"}},
    }  # fmt: skip
    (tmp_path / "g.yaml").write_text(json.dumps(graph))
    assert main(command) == 2
    assert LONG in capsys.readouterr().err
