"""Diagrams can be read: nothing overlaps, no line runs through a box, arrows point down, and a page is enough."""

import re
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

import vadkit
from vadkit.graph.compiler import compile_plan
from vadkit.graph.diagram import LOSS, _boxes, _lines, diagram
from vadkit.graph.diagram_layout import HEIGHT, LABEL_HEIGHT, LETTER, Line, _between, lay_out, overlap
from vadkit.graph.load import load_config
from vadkit.graph.module import without_weights
from vadkit.plugin_manager import load_plugins

pytestmark = pytest.mark.guards("3")

FOLDER = Path(__file__).parent.parent.parent / "registry_configs" / "graphs"
SHIPPED = sorted(path.stem for path in FOLDER.rglob("*.yaml"))
A4 = 718, 1047  # points of a page without margins, at 96 to the inch
DEEP = 30  # boxes from which on a graph is printed on A3


def numbers(svg):
    root = ElementTree.fromstring(svg)
    return float(root.get("width")), float(root.get("height"))


def check(widths, lines, layout):
    boxes = list(layout.boxes.items())
    for number, (_, one) in enumerate(boxes):
        assert min(one) >= 0 and one[2] <= layout.width and one[3] <= layout.height
        assert not any(overlap(one, other) for _, other in boxes[number + 1 :])
    for line, path in zip(lines, layout.paths, strict=True):
        ys = [y for _, y in path]
        assert ys == sorted(ys) and path[0][1] < path[-1][1]
        assert layout.boxes[line.source][0] < path[0][0] < layout.boxes[line.source][2]
        assert layout.boxes[line.target][0] < path[-1][0] < layout.boxes[line.target][2]
        points = [_between(a, b, t / 20) for a, b in zip(path, path[1:]) for t in range(21)]
        for name, (left, top, right, bottom) in boxes:
            if name not in (line.source, line.target):
                assert not any(left < x < right and top < y < bottom for x, y in points), (line, name)
    labels = []
    for number, (x, y) in layout.labels.items():
        wide = len(lines[number].label) * LETTER / 2
        area = (x - wide, y - LABEL_HEIGHT / 2, x + wide, y + LABEL_HEIGHT / 2)
        assert not any(overlap(area, other) for other in [*labels, *layout.boxes.values()])
        labels.append(area)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_graphs(name):
    plugins = load_plugins()
    model = without_weights(compile_plan(load_config(name, (), plugins.config_folders), plugins))
    boxes, lines = _boxes(model), _lines(model)
    widths = {name: 22 + max(7.4 * len(first), 5.7 * len(second), 60) for name, (_, first, second) in boxes.items()}
    layout = lay_out(widths, lines, frozenset(name for name in boxes if name.startswith(LOSS)))
    check(widths, lines, layout)
    assert len(layout.labels) == sum(bool(line.label) for line in lines)
    svg = diagram(model)
    width, height = numbers(svg)
    larger = 2**0.5 if len(boxes) > DEEP else 1
    scale = larger * max(min(x / width, y / height) for x, y in (A4, A4[::-1]))  # a wide one is printed across
    assert scale > 0.75, "text would be smaller than 7 points on a page"
    for box in boxes.values():
        assert f">{box[1]}<" in svg
    assert svg.count('marker-end="url(#arrow)"') == len(lines)
    assert diagram(model) == svg


def test_all_are_looked_at():
    assert len(SHIPPED) >= 12


def test_light_on_paper_and_dark_on_a_dark_screen():
    svg = diagram(vadkit.build("seed_xd_rgb"))
    assert "@media screen and (prefers-color-scheme: dark)" in svg
    style = re.search("<style>(.*)</style>", svg)[1]
    for name in re.findall(r'class="([a-z]+)', svg):
        assert f".{name}{{" in style, f"{name} has no colour on dark ground"


def test_lines_of_many_outputs_are_one_with_their_number():
    svg = diagram(vadkit.build("ur_dmu_xd"))
    assert "6 outputs" in svg


def test_a_node_and_a_loss_of_one_name_are_two_boxes():
    graph = {
        "inputs": {"rgb": "b t 8"},
        "nodes": {"mil": {"use": "mlp_head", "in": "rgb"}},
        "losses": {"mil": {"use": "topk_mil", "in": "mil"}},
        "output": "mil",
    }
    assert diagram(vadkit.build(graph)).count(">mil<") == 2


@pytest.mark.parametrize("count", [1, 3, 40])
def test_wide_and_tangled_graphs(count):
    widths = {"in": 80.0} | {f"n{i}": 60.0 + 7 * (i % 5) for i in range(count)} | {"all": 100.0, "loss": 70.0}
    lines = [Line("in", f"n{i}") for i in range(count)] + [Line(f"n{i}", "all", "gate") for i in range(count)]
    lines += [Line(f"n{i}", f"n{j}", "x" * (j % 4)) for i in range(count) for j in range(i + 1, count, 3 + i)]
    lines += [Line("in", "loss"), Line("all", "loss", "read")]
    check(widths, lines, lay_out(widths, lines, frozenset(["loss"])))


def test_a_very_large_graph_is_drawn_in_time():
    widths = {"in": 80.0} | {f"n{i}": 60.0 for i in range(150)}
    lines = [Line("in", f"n{i}") for i in range(150)] + [Line(f"n{i}", f"n{i + 1}") for i in range(149)]
    start = time.perf_counter()
    layout = lay_out(widths, lines, frozenset())
    assert time.perf_counter() - start < 20
    assert len(layout.paths) == 299 and layout.height > 150 * HEIGHT


def test_names_with_markup_are_text():
    nodes = {"score": {"use": "mlp_head", "in": "rgb"}}
    model = vadkit.build({"about": '<b>&"', "inputs": {"rgb": "b t 8"}, "nodes": nodes, "output": "score"})
    assert ElementTree.fromstring(diagram(model)).get("aria-label") == '<b>&"'
