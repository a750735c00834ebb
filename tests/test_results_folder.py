"""No command replaces a file that vadkit did not write."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from vadkit.cli import main
from vadkit.files import write_text_atomic
from vadkit.problems import VadkitError
from vadkit.results_folder import RECORD, claim, own, recording, writing

pytestmark = pytest.mark.guards("D5", "4")


def write(path: Path, text: str = "ours") -> None:
    with writing(path):
        write_text_atomic(path, text)


def refusal(*paths: Path, **more: object) -> str:
    with pytest.raises(VadkitError) as error:
        claim(paths, **more)  # type: ignore[arg-type]
    return str(error.value)


# -- the function ----------------------------------------------------------------------------------
def test_what_is_free_or_written_by_vadkit_may_be_written(tmp_path: Path) -> None:
    file = tmp_path / "new" / "a.csv"
    claim([file])
    write(file)
    write(file, "again")
    assert file.read_text() == "again"


def test_a_file_of_the_users_is_refused(tmp_path: Path) -> None:
    for name in ("a.csv", "b.html"):
        (tmp_path / name).write_text("mine")
    said = refusal(tmp_path / "a.csv", tmp_path / "b.html", tmp_path / "c.csv")
    assert "a.csv exists and was not written by vadkit" in said and "b.html exists" in said and "c.csv" not in said
    with pytest.raises(VadkitError):
        write(tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text() == "mine" and not (tmp_path / RECORD).exists()


def test_a_file_that_the_user_has_changed_since_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_text("mine")
    assert "has been changed since vadkit wrote it" in refusal(tmp_path / "a.csv")
    (tmp_path / "a.csv").unlink()
    write(tmp_path / "a.csv")


def test_a_file_in_place_of_one_that_was_never_written_is_refused(tmp_path: Path) -> None:
    with writing(tmp_path / "a.csv"):
        pass
    (tmp_path / "a.csv").write_text("mine")
    assert "was not written by vadkit" in refusal(tmp_path / "a.csv")


def test_a_kill_while_it_is_written_is_no_reason_to_refuse(tmp_path: Path) -> None:
    context = recording(tmp_path / "a.csv")
    context.__enter__()  # and then nothing: a kill
    (tmp_path / "a.csv").write_text("half")
    with (tmp_path / RECORD).open("ab") as file:
        file.write(b'["b.csv", "wri')
    write(tmp_path / "a.csv")
    write(tmp_path / "a.csv", "again")


@pytest.mark.parametrize("content", [b"", b"5", b'{"a": ', b"\xff", b"[]", b"[" * 100_000])
def test_a_damaged_json_of_ours_is_written_again(tmp_path: Path, content: bytes) -> None:
    write(tmp_path / "a.json", "{}")
    (tmp_path / "a.json").write_bytes(content)
    write(tmp_path / "a.json", "{}")
    (tmp_path / "a.json").write_text('{"mine": 1}')
    assert "has been changed" in refusal(tmp_path / "a.json")


def test_links_folders_and_pipes_are_refused(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "link").symlink_to("precious")
    (tmp_path / "broken").symlink_to("nothing")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "broken", "folder", "pipe"):
        assert name in refusal(tmp_path / name)


def test_a_record_that_is_a_link_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    (tmp_path / RECORD).symlink_to("precious")
    write(tmp_path / "a.csv")
    write(tmp_path / "a.csv", "again")
    assert (tmp_path / "precious").read_text() == "mine" and (tmp_path / f"{RECORD}.1").is_symlink()


def test_an_input_is_never_replaced(tmp_path: Path) -> None:
    write(tmp_path / "a.csv")
    (tmp_path / "link").symlink_to("a.csv")
    for given in (tmp_path / "a.csv", tmp_path / "link", os.path.relpath(tmp_path / "a.csv")):
        assert "is an input of this command" in refusal(tmp_path / "a.csv", inputs=[given])


def test_caches_may_be_damaged_and_what_is_in_their_place_is_renamed(tmp_path: Path) -> None:
    notes: list[str] = []
    own([tmp_path / "a.json"], notes.append)
    (tmp_path / "a.json").write_text('{"changed": 1}')
    own([tmp_path / "a.json"], notes.append)
    assert notes == []
    (tmp_path / "a.json").unlink()
    (tmp_path / "a.json").mkdir()
    own([tmp_path / "a.json"], notes.append)
    assert len(notes) == 1 and "a.json.1" in notes[0] and (tmp_path / "a.json.1").is_dir()
    (tmp_path / "b.json").write_text("mine")
    with pytest.raises(VadkitError):
        own([tmp_path / "b.json"], notes.append)


# -- the commands ----------------------------------------------------------------------------------
GRAPH = """\
inputs: {rgb: b t 8}
nodes:
  h: {use: dense, in: rgb, args: {dim: 4}}
  score: {use: causal_conv, in: h}
losses: {mil: {use: topk_mil, in: score}}
output: score
"""


@pytest.fixture
def graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(GRAPH)
    return tmp_path / "mine.yaml"


@pytest.mark.parametrize("name", ["mine.yaml", "mine.png", "mine", "mine.svg.txt", "mine.yml"])
def test_the_suffix_of_a_diagram_must_be_one_of_a_diagram(graph: Path, name: str, capsys) -> None:  # type: ignore[no-untyped-def]
    assert main(["build", "mine.yaml", "--diagram", name]) == 2
    assert "a name that ends in .svg" in capsys.readouterr().err
    assert graph.read_text() == GRAPH and [path.name for path in graph.parent.iterdir()] == ["mine.yaml"]


def test_a_diagram_replaces_a_diagram_and_nothing_else(graph: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    command = ["build", "mine.yaml", "--diagram", "d.svg"]
    assert main(command) == 0 and main(command) == 0
    Path("d.svg").write_text("<svg>mine</svg>")
    assert main(command) == 2
    assert "d.svg exists and was not written by vadkit" in capsys.readouterr().err
    assert Path("d.svg").read_text() == "<svg>mine</svg>"


def test_build_replaces_an_untrained_model_and_nothing_else(graph: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    from vadkit.graph import model_file

    command = ["build", "mine.yaml", "-o", "m.safetensors"]
    assert main(command) == 0 and main(command) == 0
    model_file.save(model_file.load("m.safetensors"), "m.safetensors", {"steps": 3})  # as if it were trained
    trained = Path("m.safetensors").read_bytes()
    for content in (trained, b"weights of somebody"):
        Path("m.safetensors").write_bytes(content)
        assert main(command) == 2
        assert Path("m.safetensors").read_bytes() == content
    said = capsys.readouterr().err
    assert "m.safetensors is a trained model" in said and said.count("was not written by vadkit") == 1


def test_import_replaces_an_index_and_nothing_else(tmp_path: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    import numpy as np

    for label in ("normal", "abnormal"):
        (tmp_path / "own" / label).mkdir(parents=True)
        np.save(tmp_path / "own" / label / f"{label}.npy", np.ones((3, 4), np.float32))
    command = ["store", "import", "own", "--root", str(tmp_path / "own"), "--out", str(tmp_path / "S"), "--replace"]
    (tmp_path / "S").mkdir()
    for name, text in (("videos.json", '["mine"]'), ("store.json", '{"mine": 1}')):
        (tmp_path / "S" / name).write_text(text)
        assert main(command) == 2
        assert (tmp_path / "S" / name).read_text() == text
        (tmp_path / "S" / name).unlink()
    assert "videos.json exists and was not written by vadkit" in capsys.readouterr().err
    assert main(command) == 0 and main(command) == 0


def test_extract_replaces_no_features_of_another_origin(tmp_path: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    from clips import make_clip

    make_clip(tmp_path / "v" / "clip.mp4", seconds=1)
    mine = tmp_path / "S" / "audio" / "clip.npy"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    command = ["extract", str(tmp_path / "v"), "--stream", "audio=logmel_stats", "--out", str(tmp_path / "S")]
    assert main(command) == 2
    assert f"{mine} exists and was not written by vadkit" in capsys.readouterr().err
    assert mine.read_bytes() == b"mine" and not (tmp_path / "S" / "store.json").exists()
    mine.unlink()
    assert main([*command, "--workers", "0"]) == 0 and main([*command, "--workers", "0"]) == 0


def test_bench_refuses_before_it_trains(graph: Path, tmp_path: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    for name in ("results.json", "timings.json", "table.csv", "table.md", "index.html"):
        out = tmp_path / name.replace(".", "-")
        out.mkdir()
        (out / name).write_text('{"mine": 1}')
        assert main(["bench", "swap", "mine.yaml", "--node", "h", "--with", "dense", "--out", str(out)]) == 2
        assert f"{out / name} exists and was not written by vadkit" in capsys.readouterr().err
        assert json.loads((out / name).read_text()) == {"mine": 1} and not (out / "runs").exists()


def test_the_demo_refuses_before_it_renders(tmp_path: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    for name in ("demo.json", "index.html", "study.json", "mine.txt"):
        out = tmp_path / name.replace(".", "-")
        out.mkdir()
        (out / name).write_text('{"mine": 1}')
        assert main(["demo", "--quick", "--out", str(out)]) == 2
        assert json.loads((out / name).read_text()) == {"mine": 1} and not (out / "videos").exists()
    assert "Traceback" not in capsys.readouterr().err
