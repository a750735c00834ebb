"""``vadkit list``: components, one kind, plugins, configs; plain for pipes, drawn for terminals, JSON for programs."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from plugin_packages import COMPONENT, plugins_in, write_plugin

from vadkit.cli import main
from vadkit.cli.tables import plain_table, print_table
from vadkit.kinds import KINDS
from vadkit.plugin_manager import load_plugins, reload_plugins

Captured = pytest.CaptureFixture[str]


def test_every_component_has_a_line(capsys: Captured) -> None:
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["kind", "name", "what", "plugin", "fidelity"]
    names = [name for kind in KINDS for name in load_plugins().components.names(kind)]
    assert [line.split()[1] for line in lines[1:]] == names
    tca = next(line for line in lines if line.startswith("temporal") and line.split()[1] == "tca")
    assert "Add one attention head's" in tca and tca.endswith("code")


def test_one_kind(capsys: Captured) -> None:
    assert main(["list", "head"]) == 0
    assert {line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]} == {"head"}


def test_json_tells_the_same(capsys: Captured) -> None:
    assert main(["list", "loss", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [c["name"] for c in found["components"]] == load_plugins().components.names("loss")
    assert found["components"][0].keys() == {
        "kind",
        "name",
        "summary",
        "plugin",
        "package",
        "version",
        "fidelity",
    }
    assert all(plugin["state"] == "" for plugin in found["plugins"])


@pytest.mark.guards("6")
def test_list_plugins_shows_what_is_broken_and_at_which_line(capsys: Captured, tmp_path: Path) -> None:
    with plugins_in(tmp_path):
        write_plugin(tmp_path, "bomb", "import json\n\njson.loads('[')\n")
        write_plugin(tmp_path, "torn", "def f(:\n")
        assert main(["list", "plugins", "--without", "tca"]) == 0
        shown = capsys.readouterr().out
        assert main(["build", "ur_dmu_xd"]) == 0  # the other verbs go on
    lines = {line.split()[0]: line.split()[1:] for line in shown.splitlines()}
    assert lines["bomb"] == ["vadkit-bomb", "1.0", "vadkit_bomb", "broken"]
    assert lines["tca"][-1] == "blocked"
    assert "broken: bomb (vadkit-bomb 1.0): JSONDecodeError: Expecting value" in shown
    assert f"  entry point vadkit_bomb; {tmp_path / 'vadkit_bomb.py'}:3: json.loads('[')" in shown
    assert f"  entry point vadkit_torn; {tmp_path / 'vadkit_torn.py'}:1: def f(:" in shown


WITHOUT_TORCH = """
import sys
from vadkit.cli import main
code = main(sys.argv[1:])
print(code, [name for name in ("torch", "mmengine", "cv2") if name in sys.modules])
"""


@pytest.mark.guards("6")
def test_lists_and_descriptions_need_no_torch(tmp_path: Path) -> None:
    def last_line(*arguments: str) -> str:
        environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "VADKIT_PLUGINS": ""}
        done = subprocess.run(
            [sys.executable, "-c", WITHOUT_TORCH, *arguments], capture_output=True, text=True, env=environment
        )
        return (done.stdout.splitlines() or [done.stderr])[-1]

    without = "0 []"
    assert last_line("list", "configs") == without
    assert last_line("info", "seed_xd_rgb") == without and last_line("info", "train.patience") == without
    assert last_line("list", "head") == "0 ['torch', 'mmengine']"  # the first call describes all components
    assert [last_line("list"), last_line("list", "plugins"), last_line("info", "tca")] == [without] * 3
    (kept,) = (tmp_path / "vadkit").iterdir()
    kept.write_text("{")
    assert last_line("list", "head").startswith("0 ['torch'")
    assert last_line("list", "head") == without


@pytest.mark.guards("6")
def test_what_was_kept_holds_only_for_the_same_plugins(capsys: Captured, tmp_path: Path) -> None:
    def listed() -> str:
        assert main(["list", "temporal"]) == 0
        return capsys.readouterr().out

    with plugins_in(tmp_path):
        write_plugin(tmp_path, "mine", COMPONENT.format(name="mine"))
        assert "Keep the snippets." in listed() and "Keep the snippets." in listed()
        file = tmp_path / "vadkit_mine.py"
        file.write_text(file.read_text().replace("Keep the snippets", "Hold the snippets"))
        importlib.invalidate_caches()
        sys.modules.pop("vadkit_mine")
        reload_plugins()
        assert "Hold the snippets." in listed()
    assert "mine" not in listed()


def test_broken_and_blocked_plugins_are_shown_with_their_cause(capsys: Captured, tmp_path: Path) -> None:
    with plugins_in(tmp_path):
        write_plugin(tmp_path, "wreck", "import nothing_like_this")
        assert main(["list", "--without", "tca"]) == 0
    shown = capsys.readouterr().out
    assert "broken: wreck (vadkit-wreck 1.0): ModuleNotFoundError: No module named 'nothing_like_this'" in shown
    assert "blocked: tca (vadkit " in shown
    assert "\ntemporal     tca " not in shown


def test_two_plugins_of_one_name_can_still_be_listed(capsys: Captured, tmp_path: Path) -> None:
    with plugins_in(tmp_path):
        write_plugin(tmp_path, "tca", "", module="acme_tca", package="acme-tools")
        assert main(["list", "plugins"]) == 0
        shown = capsys.readouterr().out
        assert main(["list"]) == 2
    assert [line.split()[1] for line in shown.splitlines() if line.startswith("tca ")] == ["vadkit", "acme-tools"]
    assert shown.count("broken: tca") == 2
    assert "two plugins are called 'tca': vadkit_tca (vadkit" in capsys.readouterr().err


def test_configs(capsys: Captured) -> None:
    assert main(["list", "configs", "--json"]) == 0
    found = {c["name"]: c for c in json.loads(capsys.readouterr().out)["configs"]}
    assert "XD-Violence" in found["seed_xd_rgb"]["about"]
    assert Path(found["seed_xd_rgb"]["file"]).is_file()


def test_a_config_that_cannot_be_read_is_listed_all_the_same(capsys: Captured, tmp_path: Path) -> None:
    (tmp_path / "graphs").mkdir()
    (tmp_path / "graphs" / "latin.yaml").write_bytes(b"about: caf\xe9")
    (tmp_path / "graphs" / "letter.yaml").write_text("- 1\n")
    source = f"from vadkit import hookimpl\n@hookimpl\ndef vadkit_configs(): return {str(tmp_path / 'graphs')!r}\n"
    with plugins_in(tmp_path):
        write_plugin(tmp_path, "odd", source)
        assert main(["list", "configs"]) == 0
    shown = capsys.readouterr().out
    assert "latin" in shown and "(cannot be read: " in shown
    assert "letter" in shown and "(not a config)" in shown


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["tempral"], "cannot list 'tempral'; there are plugins, configs, backbone,"),
        (["tempral"], "hint: did you mean 'temporal'?"),
        (["--without", "tcaa"], "unknown plugin 'tcaa' in --without\n  hint: did you mean 'tca'?"),
        (["plugins", "--without", "tcaa"], "unknown plugin 'tcaa' in --without"),
        (["head", "loss"], "unrecognized arguments: loss"),
    ],
)
def test_a_slip_is_told(words: list[str], message: str, capsys: Captured) -> None:
    assert main(["list", *words]) == 2
    told = capsys.readouterr()
    assert message in told.err and told.out == ""


def test_the_plain_table_is_aligned_and_never_cut() -> None:
    long = "x" * 300
    assert plain_table(["a", "b"], [["1", long], ["22", "y"]]) == f"a   b\n1   {long}\n22  y"
    assert plain_table(["a", "b"], []) == "a  b"
    assert plain_table(["a", "b"], [["x", "1"], ["y", "10"]], right=("b",)) == "a   b\nx   1\ny  10"


def test_a_terminal_gets_a_drawn_table(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    print_table(["name"], [["[bold]not markup"]])
    shown = capsys.readouterr().out
    assert "[bold]not markup" in shown and "\u2500" in shown


def test_on_a_terminal_names_are_never_cut_and_plugins_called_as_their_component_are_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["list"]) == 0
    lines = re.sub("\x1b\\[[0-9;]*m", "", capsys.readouterr().out).splitlines()
    names = {line.split()[1] for line in lines[2:] if line[0] != " "}
    assert names == set(load_plugins().components.names()) and max(map(len, lines)) <= 80
    assert not any("dense" in line.split()[2:] for line in lines)
    assert any(line.split()[-2:] == ["i3d", "code"] for line in lines)
