"""``vadkit new-plugin``: every kind of package works as written; bad and taken names are refused."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from plugin_packages import plugins_in, run

import vadkit
from vadkit.cli import main
from vadkit.cli.new_plugin import class_name
from vadkit.kinds import KINDS
from vadkit.plugin_manager import load_plugins
from vadkit.templates import KINDS as WRITTEN
from vadkit.testing import check_component

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    yield tmp_path


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_every_kind_can_be_written() -> None:
    assert set(KINDS) == set(WRITTEN)


def test_it_writes_a_package_and_says_what_next(here: Path, capsys: Captured) -> None:
    assert main(["new-plugin", "tiny_conv"]) == 0
    out = here / "vadkit-tiny-conv"
    assert files_in(out) == {
        "pyproject.toml",
        "README.md",
        "vadkit_tiny_conv.py",
        "vadkit_tiny_conv_graphs/tiny_conv.yaml",
        "tests/test_tiny_conv.py",
    }
    project = tomllib.loads((out / "pyproject.toml").read_text())
    assert project["project"]["name"] == "vadkit-tiny-conv"
    assert project["project"]["entry-points"]["vadkit"] == {"tiny_conv": "vadkit_tiny_conv"}
    assert set(project["tool"]["hatch"]["build"]["only-include"]) <= {path.name for path in out.iterdir()}
    shown = capsys.readouterr().out
    assert "next: cd vadkit-tiny-conv && pip install -e '.[test]' && pytest && vadkit build tiny_conv" in shown


@pytest.mark.parametrize("kind", WRITTEN)
def test_what_it_writes_keeps_its_contract_and_builds(kind: str, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["new-plugin", "fresh_part", "--kind", kind, "--out", "package"]) == 0
    monkeypatch.setenv("VADKIT_PLUGINS", "vadkit_fresh_part")
    with plugins_in(here / "package"):
        component = load_plugins().components.find("fresh_part")
        assert component is not None and component.kind == kind
        assert check_component(component).broken == {}
        model = vadkit.build("fresh_part")
        assert "fresh_part" in str(model.spec)


def test_every_kind_type_checks_strictly_against_vadkit(here: Path) -> None:
    for kind in WRITTEN:
        assert main(["new-plugin", f"fresh_{kind}", "--kind", kind, "--out", kind]) == 0
    # Followed silently: vadkit's types are used, its own source is checked elsewhere.
    options = ["--strict", "--follow-imports=silent", "--ignore-missing-imports", "--cache-dir", "cache"]
    done = run(["-m", "mypy", *options, *(f"{kind}/vadkit_fresh_{kind}.py" for kind in WRITTEN)], cwd=here)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("kind", WRITTEN)
def test_ruff_finds_nothing_in_it(kind: str, here: Path) -> None:
    assert main(["new-plugin", "fresh_part", "--kind", kind, "--out", kind]) == 0
    words = ["-m", "ruff", "check", "--isolated", "--no-cache", "--select", "E,F,I,B,UP", "--line-length", "110", "."]
    done = run(words, cwd=here / kind)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Tiny-Conv", "cannot be the name of a component"),
        ("TinyConv", "hint: try 'tiny_conv'"),
        ("2d_conv", "a letter first"),
        ("tiny__conv", "single underscores"),
        ("null", "no word that YAML reads as something else"),
        ("a" * 41, "at most 40 long"),
        ("../evil", "hint: try 'evil'"),
        ("os.path", "hint: try 'os_path'"),
        ("caf\u00e9", "small letters"),
        ("", "cannot be the name"),
        ("vadkit_tiny", "hint: try 'tiny'"),
        ("tca", "plugin tca already provides 'tca' (temporal)"),
        ("topk_mil", "already provides 'topk_mil' (loss)"),
    ],
)
def test_a_bad_or_taken_name_is_refused(name: str, message: str, here: Path, capsys: Captured) -> None:
    assert main(["new-plugin", name]) == 2
    assert message in capsys.readouterr().err
    assert list(here.iterdir()) == []


def test_a_module_that_is_there_is_not_shadowed(here: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "vadkit_lonely.py").write_text("")
    monkeypatch.syspath_prepend(str(here))
    assert main(["new-plugin", "lonely"]) == 2
    assert "there is already a module 'vadkit_lonely'" in capsys.readouterr().err


def test_nothing_is_overwritten(here: Path, capsys: Captured) -> None:
    (here / "full").mkdir()
    (here / "full" / "mine.txt").write_text("mine")
    (here / "file").write_text("mine")
    (here / "link").symlink_to("nowhere")
    for out in ("full", "file", "link"):
        assert main(["new-plugin", "fresh", "--out", out]) == 2
        assert f"'{out}' already exists, and nothing is overwritten" in capsys.readouterr().err
    assert files_in(here) == {"full/mine.txt", "file"}


def test_an_empty_folder_is_filled(here: Path) -> None:
    assert main(["new-plugin", "fresh", "--out", "."]) == 0
    assert (here / "vadkit_fresh.py").is_file()


def test_a_folder_that_cannot_be_written_is_told(here: Path, capsys: Captured) -> None:
    (here / "file").write_text("")
    assert main(["new-plugin", "fresh", "--out", "file/inside"]) == 2
    assert "'file/inside' cannot be written: Not a directory" in capsys.readouterr().err


def test_a_full_disk_leaves_nothing_behind(here: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.write_text

    def fills_up(self: Path, text: str, *rest: str) -> int:
        if self.name.endswith(".yaml"):
            raise OSError(28, os.strerror(28))
        return real(self, text, *rest)

    monkeypatch.setattr(Path, "write_text", fills_up)
    assert main(["new-plugin", "fresh"]) == 2
    assert "No space left on device" in capsys.readouterr().err
    assert list(here.iterdir()) == []


def test_an_unknown_kind_is_told(here: Path, capsys: Captured) -> None:
    assert main(["new-plugin", "fresh", "--kind", "tempral"]) == 2
    assert "invalid choice: 'tempral'" in capsys.readouterr().err


def test_the_class_never_hides_what_it_imports() -> None:
    assert class_name("tiny_conv2") == "TinyConv2"
    assert class_name("temporal") == "TemporalBlock"
    assert class_name("tensor") == "TensorBlock"
