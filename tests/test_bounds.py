"""Numbers and names that are far too large are refused at once, with the limit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny_store import write_tiny_store

from vadkit.cli import main
from vadkit.data import batches
from vadkit.graph.load import load_config
from vadkit.graph.schema_check import check_keys
from vadkit.memory import free_memory

GRAPH = {
    "inputs": {"rgb": "b t 16"},
    "nodes": {"score": {"use": "causal_conv", "in": "rgb"}},
    "losses": {"mil": {"use": "topk_mil", "in": "score"}},
    "output": "score",
}


@pytest.mark.guards("D19", "5.3")
@pytest.mark.parametrize("value", [0, -1, 10**5, 10**9, 10**18])
@pytest.mark.parametrize(
    ("key", "limit"), [("data.batch", "65536"), ("train.accumulate", "1024"), ("data.workers", "1024")]
)
def test_numbers_of_a_config_have_bounds(key: str, limit: str, value: int) -> None:
    if (key, value) == ("data.workers", 0):
        value = -5
    found = check_keys(load_config(GRAPH, [f"{key}={value}"]))
    assert len(found) == 1 and f"to {limit}, got {value}" in found[0].message


@pytest.mark.guards("D19", "5.3")
@pytest.mark.parametrize(("key", "value"), [("train.epochs", 10**9), ("train.steps", 10**10), ("train.epochs", 0)])
def test_epochs_and_steps_have_bounds(key: str, value: int) -> None:
    found = check_keys(load_config(GRAPH, [f"{key}={value}"]))
    assert len(found) == 1 and "a whole number from 1 to " in found[0].message


@pytest.mark.guards("D19", "5.3")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--seeds", "1000000000"], "--seeds must be from 1 to 100, got 1000000000"),
        (["--seeds", "0"], "--seeds must be from 1 to 100, got 0"),
        (["--bags", "1000000000"], "--bags must be from 2 to 10000, got 1000000000"),
        (["--snippets", "1000000000"], "--snippets must be from 1 to 1000000"),
        (["--rounds", "1000000000"], "--rounds must be from 1 to 1000"),
        (["--bags", "10000", "--snippets", "1000000"], "--bags times --snippets must be at most 1000000"),
    ],
)
def test_numbers_of_a_comparison_have_bounds(arguments: list[str], said: str, tmp_path: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    command = ["bench", "swap", "demo_rgb", "--node", "context", "--with", "tca", "--out", str(tmp_path / "b")]
    assert main([*command, *arguments]) == 2
    assert said in capsys.readouterr().err and not (tmp_path / "b").exists()


@pytest.mark.guards("D19", "5.3")
def test_a_batch_that_fills_the_memory_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vadkit.data.from_config import open_dataset
    from vadkit.kinds import Sampler
    from vadkit.plugin_manager import load_plugins
    from vadkit.problems import VadkitError

    dataset = open_dataset({"args": {"root": str(write_tiny_store(tmp_path / "store"))}})
    component = load_plugins().components.find("uniform_pad", "sampler")
    assert component is not None and issubclass(component, Sampler)
    monkeypatch.setattr(batches, "free_memory", lambda: 2**20)
    monkeypatch.setattr(torch, "zeros", lambda *args, **more: pytest.fail("memory was taken"))
    with (
        batches.TrainBatches(dataset, component(length=32), ["rgb"], 5000, 0, workers=0) as made,
        pytest.raises(VadkitError, match=r"batches of 10000 bags x crops take 0.1 GiB, but only 0.0 GiB"),
    ):
        made._first({}, 0, 10000, (0, 0, made.rows(0)[0], 0))


def test_the_free_memory_is_known_on_linux() -> None:
    free = free_memory()
    assert free is None or 2**20 < free < 2**50


@pytest.mark.guards("D23")
@pytest.mark.parametrize(
    "command",
    [
        ["train", "{graph}", "--out", "{long}"],
        ["demo", "--quick", "--out", "{long}"],
        ["store", "generate", "shanghaitech", "--fraction", "0.001", "--out", "{long}"],
        ["store", "import", "own", "--root", ".", "--out", "{long}"],
        ["store", "merge", "{long}", "b", "--out", "m"],
        ["new-plugin", "some_thing", "--out", "{long}"],
        ["build", "{graph}", "-o", "{long}.safetensors"],
        ["build", "{graph}", "--diagram", "{long}.svg"],
        ["bench", "swap", "{graph}", "--node", "score", "--with", "causal_conv", "--out", "{long}"],
        ["store", "info", "{long}"],
        ["store", "check", "{long}"],
        ["store", "pack", "{long}"],
        ["store", "diff", "{long}", "{long}"],
        ["eval", "--model", "{long}"],
        ["predict", "{long}", "--model", "{long}", "--out", "{long}"],
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_a_path_of_300_characters(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import yaml

    (tmp_path / "g.yaml").write_text(yaml.safe_dump(GRAPH))
    monkeypatch.chdir(tmp_path)
    words = [word.format(graph="g.yaml", long="x" * 300) for word in command]
    assert main(words) == 2
    said = capsys.readouterr().err
    assert "x" * 300 in said and "Traceback" not in said
    assert "File name too long" in said or "there is no such folder" in said


@pytest.mark.guards("D19", "5.3")
@pytest.mark.parametrize("option", ["--workers", "--threads", "--snippet"])
@pytest.mark.parametrize("value", ["1000000000", "-1"])
def test_numbers_of_an_extraction_have_bounds(option: str, value: str, tmp_path: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    command = ["extract", str(tmp_path), "--stream", "audio=logmel_stats", "--out", str(tmp_path / "S")]
    assert main([*command, option, value]) == 2
    assert f" is {value}; it must be from " in capsys.readouterr().err and not (tmp_path / "S").exists()


@pytest.mark.guards("D17")
@pytest.mark.parametrize("content", [b"\xff", b"", b"5", b"seeds: true\nconfig: x\nvariants: {a: {}}"])
def test_a_damaged_spec(content: bytes, tmp_path: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "spec.yaml").write_bytes(content)
    assert main(["bench", "swap", "--spec", str(tmp_path / "spec.yaml"), "--out", str(tmp_path / "b")]) == 2
    assert "spec.yaml" in capsys.readouterr().err and not (tmp_path / "b").exists()
