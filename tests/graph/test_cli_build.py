"""``vadkit build``: the table, JSON, the resolved file, the diagram, the model file, exit codes."""

import json
from xml.etree import ElementTree

import pytest
import yaml

import vadkit
from vadkit.cli import main


@pytest.fixture
def file(graph, tmp_path):
    path = tmp_path / "toy.yaml"
    path.write_text(yaml.safe_dump(graph, sort_keys=False))
    return str(path)


def test_table(file, capsys):
    assert main(["build", file]) == 0
    out = capsys.readouterr().out
    assert "toy_concat" in out and "65 parameters" in out  # 8*6+6 and 10+1


def test_many_ports_of_one_node_are_one_word(capsys):
    assert main(["build", "seed_xd_rgb"]) == 0
    lines = {line.split()[0] + line.split()[1]: line for line in capsys.readouterr().out.splitlines() if " " in line}
    assert lines["lossmemory"].split()[2:] == [
        "dual_memory_loss",
        "dual_memory_loss",
        "attention,",
        "memory.*",
        "x",
        "0.6",
        "0",
    ]
    assert lines["urdmuconcat"].split()[2:] == ["concat", "attention,", "memory", "b", "t", "1024", "0", "0.000"]


def test_json_counts_parameters_and_operations(file, capsys):
    assert main(["build", file, "--json", "--snippets", "10"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["parameters"] == 65
    assert data["flops"] == 10 * (2 * 8 * 6 + 2 * 10)
    assert [node["name"] for node in data["nodes"]] == ["context", "gate", "fused", "score"]


def test_a_sampler_at_test_time_is_part_of_what_a_score_depends_on(capsys):
    assert main(["build", "sultani_ucf"]) == 0
    assert "over 0 snippets, and at test time over the piece of segment_mean that it is in" in capsys.readouterr().out
    assert main(["build", "sultani_ucf", "--set", "eval.sampler=null"]) == 0
    assert "at test time" not in capsys.readouterr().out


def test_it_says_whether_scores_are_live_and_what_prevents_it(capsys):
    assert main(["build", "demo_rgb_causal"]) == 0
    assert "\nlive scores snippet by snippet, see vadkit.stream\n" in capsys.readouterr().out
    assert main(["build", "demo_rgb_causal", "--set", "nodes.context.use=tca", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["not_live"] == ["node 'context' (tca) looks at the whole video"]
    assert main(["build", "demo_rgb_causal", "--set", "nodes.context.use=tca"]) == 0
    assert "\nno live scores: node 'context' (tca) looks at the whole video\n" in capsys.readouterr().out


def test_resolved_is_a_file_that_builds(file, tmp_path, capsys):
    assert main(["build", file, "--resolved"]) == 0
    again = tmp_path / "again.yaml"
    again.write_text(capsys.readouterr().out)
    assert vadkit.build(again).spec == vadkit.build(file).spec


def test_diagram_and_model_are_written(file, tmp_path, capsys):
    svg, model = tmp_path / "d.svg", tmp_path / "m.safetensors"
    assert main(["build", file, "--diagram", str(svg), "-o", str(model)]) == 0
    words = "".join(ElementTree.parse(svg).getroot().itertext())
    assert all(name in words for name in ("context", "gate", "fused", "score", "rgb", "clip", "mil"))
    assert vadkit.load(model).input_sizes == {"rgb": 8, "clip": 4}


def test_a_wrong_file_exits_with_2_and_no_traceback(file, capsys):
    assert main(["build", file, "--set", "nodes.context.use=toy_liner"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "unknown component 'toy_liner'" in captured.err and "Traceback" not in captured.err


def test_debug_shows_the_traceback(file):
    with pytest.raises(vadkit.VadkitError):
        main(["--debug", "build", file, "--set", "nodes.context.use=toy_liner"])
