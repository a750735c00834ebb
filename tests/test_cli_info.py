"""``vadkit info``: everything about one component, and help for a name that is not known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from plugin_packages import plugins_in, write_plugin

from vadkit.cli import main
from vadkit.cli.tables import fitted
from vadkit.kinds import ModuleComponent
from vadkit.plugin_manager import load_plugins

Captured = pytest.CaptureFixture[str]


def test_it_tells_docstring_ports_arguments_source_and_paper(capsys: Captured) -> None:
    assert main(["info", "tca"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("tca: temporal, plugin tca (vadkit ")
    assert "share the logits" in shown  # the docstring
    assert "mask?   b t\n" in shown and "x        b t dim" in shown  # the ports
    assert "in_dim      inferred  a whole number" in shown
    assert 'power_norm  "off"     one of off, time, channel' in shown
    assert "lookahead: the whole video" in shown
    assert "paper: " in shown and "fidelity: code" in shown
    assert f"{Path('plugins') / 'vadkit_tca.py'}:" in shown or "vadkit_tca.py:" in shown


def test_the_line_is_that_of_the_class(capsys: Captured) -> None:
    assert main(["info", "tca", "--json"]) == 0
    file, line = json.loads(capsys.readouterr().out)["source"].rsplit(":", 1)
    assert Path(file).read_text().splitlines()[int(line) - 1].startswith("class ")


@pytest.mark.parametrize("name", load_plugins().components.names())
def test_it_can_tell_about_every_component(name: str, capsys: Captured) -> None:
    component = load_plugins().components.find(name)
    assert component is not None
    assert main(["info", name, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["kind"] == component.kind and facts["docstring"]
    assert main(["info", name]) == 0
    shown = capsys.readouterr().out
    ports = [*component.inputs, *component.outputs] if issubclass(component, ModuleComponent) else []
    assert all(f"\n{port} " in shown for port in ports)
    assert all(f"\n{argument['name']} " in shown for argument in facts["arguments"])


def test_it_says_how_live_scores_are_computed(capsys: Captured) -> None:
    for name, said in {
        "tca": "no, it looks at the whole video (unless its arguments change that)",
        "causal_tca": "yes, it keeps what it needs of earlier snippets",
        "temporal_conv": "yes, from 1 snippets before and 1 after its own",
        "score_smoothing": "yes, from 0 snippets before and 0 after its own",
    }.items():
        assert main(["info", name]) == 0
        assert f"\nlive scores: {said}\n" in capsys.readouterr().out


def test_the_lookahead_is_that_of_a_built_one(capsys: Captured, tmp_path: Path) -> None:
    with plugins_in(Path(__file__).parent / "support" / "sample_plugin"):
        from importlib.metadata import entry_points  # the folder has no metadata, so name the module

        assert "sample" not in {point.name for point in entry_points(group="vadkit")}
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("VADKIT_PLUGINS", "vadkit_sample")
            assert main(["info", "sample_average"]) == 0
            assert main(["info", "sample_pull"]) == 0
    shown = capsys.readouterr().out
    assert "lookahead: 1 snippets" in shown  # the class says 0, the constructor sets reach
    assert "mask_switch: use_mask" in shown
    assert "needs: scores as probability" in shown
    assert any(line.split() == ["crops?", "a", "number"] for line in shown.splitlines())


def test_an_unknown_name_gets_a_suggestion(capsys: Captured) -> None:
    assert main(["info", "glmhsa"]) == 2
    told = capsys.readouterr()
    message, hint = told.err.splitlines()
    assert message == "unknown component, system, config or key 'glmhsa'"
    assert hint == "  hint: did you mean 'gl_mhsa' (temporal, plugin gl_mhsa)?"
    assert told.out == ""


def test_a_broken_or_blocked_plugin_may_be_the_cause(capsys: Captured, tmp_path: Path) -> None:
    with plugins_in(tmp_path):
        write_plugin(tmp_path, "wreck", "import nothing_like_this")
        assert main(["info", "zzz", "--without", "tca"]) == 2
    told = capsys.readouterr().err
    assert "hint: see 'vadkit list'" in told
    assert "note: plugin wreck (vadkit-wreck 1.0) could not be loaded (ModuleNotFoundError: No module" in told
    assert "note: plugin tca (vadkit " in told and "is excluded by --without" in told


def test_on_a_narrow_terminal_docstrings_are_wrapped_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (
        "A sentence that is rather long, too long for a narrow terminal, with\n``code`` in it.\n\n"
        "    a = b +\n    c\n\n- one thing that goes on\n  and on;\n- another\n\n"
        "Args:\n    dim: width of something, which is kept\n        in all cases.\n    k: no."
    )
    assert fitted(text) == text.replace("``", "")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "30")
    assert fitted(text) == (
        "A sentence that is rather\nlong, too long for a narrow\nterminal, with code in it.\n\n"
        "    a = b +\n    c\n\n- one thing that goes on and\n  on;\n- another\n\n"
        "Args:\n    dim: width of something,\n        which is kept in all\n        cases.\n    k: no."
    )


def test_a_key_of_a_config(capsys: Captured) -> None:
    assert main(["info", "train.precision"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("train.precision: key of a config\n") and "default: fp32\n" in out
    assert "one of fp32, tf32, bf16, fp16" in out


@pytest.mark.parametrize("section", ("data", "train", "eval", "nodes", "losses"))
def test_all_keys_of_a_section(section: str, capsys: Captured) -> None:
    assert main(["info", section, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) > 3
    assert all(row["key"].startswith(section) and row["type"] and row["default"] and row["meaning"] for row in rows)


def test_a_config(capsys: Captured) -> None:
    assert main(["info", "seed_xd_rgb", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["nodes"]["context"] == "tca" and facts["inputs"] == {"rgb": "b t 1024", "clip": "b t 512"}
    assert main(["info", "seed_xd_rgb"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("seed_xd_rgb: config, ") and "output: score" in out


def test_a_config_of_the_users(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "mine.yaml").write_text("extends: seed_xd_rgb\nabout: mine\n")
    assert main(["info", str(tmp_path / "mine.yaml")]) == 0
    out = capsys.readouterr().out
    assert "mine: config" in out and "seed_xd_rgb.yaml" in out


def test_a_system(capsys: Captured) -> None:
    assert main(["info", "ur_dmu"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("ur_dmu: system, 2 configs\n") and "ur_dmu_ucf " in out and "ur_dmu_xd " in out


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("tcaa", "did you mean 'tca'"),
        ("seed_xd_rg", "did you mean 'seed_xd_rgb'?"),
        ("ur_dmo", "did you mean 'ur_dmu'?"),
        ("lr", "did you mean 'train.optimizer.lr'?"),
        ("train.precison", "did you mean 'train.precision'?"),
        ("zzzzzz", "see 'vadkit list', 'vadkit list configs', 'vadkit info train'"),
        ("/zzzzzz", "see 'vadkit list', 'vadkit list configs', 'vadkit info train'"),
        ("*", "see 'vadkit list', 'vadkit list configs', 'vadkit info train'"),
    ],
)
def test_an_unknown_name(name: str, hint: str, capsys: Captured) -> None:
    assert main(["info", name]) == 2
    assert f"hint: {hint}" in capsys.readouterr().err


def test_ports_of_indices_are_named(capsys: Captured) -> None:
    assert main(["info", "top_magnitude"]) == 0
    assert "indices: index (whole numbers below t)" in capsys.readouterr().out
