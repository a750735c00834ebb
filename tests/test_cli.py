"""Slips on the command line: each is reported in a line or two, with exit code 2, and nothing is left behind."""

from __future__ import annotations

import argparse
import subprocess
import sys
import types
from pathlib import Path

import pytest

from vadkit.cli import VERBS, main

Captured = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("words", "reported"),
    [
        (["tran"], "vadkit: there is no verb 'tran'\n  hint: did you mean 'train'?\n"),
        (["--foo"], "vadkit: there is no verb '--foo'\n  hint: see 'vadkit --help'\n"),
        (["train"], "vadkit: the following arguments are required: CONFIG, --out\n  hint: see 'vadkit train --help'\n"),
        (["store"], "vadkit: the following arguments are required: VERB\n  hint: see 'vadkit store --help'\n"),
        (["train", "x", "--ouut=y"], "vadkit: train has no option --ouut\n  hint: did you mean --out?\n"),
        (
            ["bench", "swap", "x", "--sets", "a=1"],
            "vadkit: bench swap has no option --sets\n  hint: did you mean --set?\n",
        ),
        (
            ["store", "import", "--zzz"],
            "vadkit: store import has no option --zzz\n  hint: see 'vadkit store import --help'\n",
        ),
        (
            ["train", "x", "--out", "y", "--seed", "two"],
            "vadkit: --seed must be a whole number, got 'two'\n  hint: see 'vadkit train --help'\n",
        ),
        (["train", "x", "--out", "y", "z"], "vadkit: unrecognized arguments: z\n  hint: see 'vadkit train --help'\n"),
        (["build", "seed_xd_rgb", "--snippets", "0"], "--snippets must be from 1 to 1000000, got 0\n"),
        (["build", "seed_xd_rgb", "--seed", "-1"], "--seed must be from 0 to 4294967295, got -1\n"),
        (["build", "seed_xd_rgb", "-o", "m.pt"], "m.pt: a model file ends in .safetensors\n"),
        (["eval", "--model", "nothing.safetensors"], "there is no model file nothing.safetensors\n"),
        (
            ["eval", "--model", "a.yaml"],
            "a.yaml is not a model file\n  hint: vadkit train writes a .safetensors file for a config\n",
        ),
        (
            ["train", "seed_xd_rgb", "--out", "a.yaml"],
            "cannot write to the folder a.yaml: a.yaml is a file\n  hint: choose another --out\n",
        ),
        (
            ["train", "seed_xd_rgb", "--out", "a.yaml/deep"],
            "cannot write to the folder a.yaml/deep: a part of the path is a file\n  hint: choose another --out\n",
        ),
        (
            ["train", "seed_xd_rgb", "--out", "new"],
            "stores/xd_violence: there is no such folder\n  hint: a feature store is a folder with store.json, "
            "videos.json and one folder per stream; --data DIR names it, 'vadkit store import' makes one of existing "
            "features, 'vadkit extract' of videos\n",
        ),
        (["build", "seed_xd_rgb", "--diagram", "a.yaml/d.svg"], "cannot write a.yaml/d.svg: a.yaml is a file\n"),
    ],
)
def test_a_slip_is_reported(
    words: list[str], reported: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.yaml").write_text("about: nothing\n")
    assert main(words) == 2
    assert capsys.readouterr() == ("", reported)
    assert [path.name for path in tmp_path.iterdir()] == ["a.yaml"]


@pytest.fixture
def raising(monkeypatch: pytest.MonkeyPatch) -> list[Exception]:
    """A verb that raises what the list holds."""
    errors: list[Exception] = []

    def run(args: argparse.Namespace) -> int:
        raise errors[0]

    verb = types.SimpleNamespace(__doc__="Raise.", add_arguments=lambda parser: None, run=run)
    monkeypatch.setitem(VERBS, "raise", "raise")
    monkeypatch.setitem(sys.modules, "vadkit.cli.raise", verb)
    return errors


@pytest.mark.parametrize(
    ("error", "reported"),
    [
        (MemoryError(), "there is not enough memory\n"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 4 bytes"), "not enough memory\n"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), "there is not enough memory on the GPU\n"),
    ],
)
@pytest.mark.guards("D23")
def test_a_lack_of_memory_is_reported(
    raising: list[Exception], error: Exception, reported: str, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    raising.append(error)
    assert main(["raise"]) == 2
    shown = capsys.readouterr().err
    assert reported in shown and "data.batch" not in shown
    for verb in ("train", "build"):
        monkeypatch.setitem(sys.modules, f"vadkit.cli.{verb}", sys.modules["vadkit.cli.raise"])
        assert main([verb]) == 2
        shown = capsys.readouterr().err
        assert reported in shown and ("  hint: a smaller data.batch" in shown) == (verb == "train")


def test_errors_of_ours_are_not_hidden(raising: list[Exception]) -> None:
    raising.append(RuntimeError("a shape that does not fit"))
    with pytest.raises(RuntimeError, match="does not fit"):
        main(["raise"])


def test_ctrl_c_is_reported(raising: list[Exception], capsys: Captured) -> None:
    raising.append(KeyboardInterrupt())  # type: ignore[arg-type]
    assert main(["raise"]) == 130 and capsys.readouterr().err == "interrupted\n"


@pytest.mark.parametrize("arguments", (["--help"], ["list", "plugins"], ["train", "--help"]))
def test_a_reader_that_closes_the_pipe_is_no_error(arguments: list[str]) -> None:
    script = "import sys; from vadkit.cli import main; sys.exit(main(sys.argv[1:]))"
    writer = subprocess.Popen(
        [sys.executable, "-c", script, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None and writer.stderr is not None
    writer.stdout.close()
    assert writer.stderr.read() == "" and writer.wait(120) == 0
