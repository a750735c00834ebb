"""Draw a graph as an SVG: inputs on the left, the scores on the right, losses in their own colour."""

from __future__ import annotations

from html import escape

from vadkit.graph.module import VadModel
from vadkit.graph.plan import Ref

WIDTH, HEIGHT, GAP_X, GAP_Y, MARGIN = 150, 44, 60, 18, 24
FILL = {"input": "#d9e8f6", "temporal": "#eef3e2", "fusion": "#fdf0d5", "head": "#f6dcd9", "loss": "#e9e3f2"}


def diagram(model: VadModel) -> str:
    """Return the SVG text of a model's graph."""
    plan = model.plan
    boxes: dict[str, tuple[str, str, str]] = {}  # name -> (kind, first line, second line)
    edges: list[tuple[str, str, str]] = []
    for name, pattern in plan.inputs.items():
        boxes[name] = ("input", name, str(pattern))
    for step in plan.steps:
        pattern = next(iter(step.outputs.values()))
        boxes[step.name] = (step.component.kind, step.name, f"{step.component.name}: {pattern}")  # type: ignore[attr-defined]
        edges += [_edge(ref, step.name) for ref in step.refs if not ref.batch]
    for loss in plan.losses:
        name = f"loss {loss.name}"
        boxes[name] = ("loss", loss.name, f"{loss.component.name} x {loss.weight:g}")  # type: ignore[attr-defined]
        edges += [_edge(ref, name) for ref in loss.refs if not ref.batch]
    columns = _columns(boxes, edges)
    place = _places(columns)
    rows = max(len(column) for column in columns)
    width = 2 * MARGIN + len(columns) * (WIDTH + GAP_X) - GAP_X
    height = 2 * MARGIN + rows * (HEIGHT + GAP_Y) - GAP_Y
    body = [_line(place[a], place[b], label) for a, b, label in dict.fromkeys(edges)]
    body += [_box(place[name], *box) for name, box in boxes.items()]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">'
        f'<rect width="100%" height="100%" fill="white"/>{"".join(body)}</svg>\n'
    )


def _edge(ref: Ref, target: str) -> tuple[str, str, str]:
    label = "" if ref.port in (None, "x", "scores") else str(ref.port)
    return ref.name, target, label


def _columns(boxes: dict[str, tuple[str, str, str]], edges: list[tuple[str, str, str]]) -> list[list[str]]:
    """Put every box one column after the last that feeds it; order a column by what feeds it."""
    depth = dict.fromkeys(boxes, 0)
    for name in boxes:  # boxes are in running order
        depth[name] = max((depth[a] + 1 for a, b, _ in edges if b == name), default=0)
    columns: list[list[str]] = [[] for _ in range(max(depth.values()) + 1)]
    for name in boxes:
        columns[depth[name]].append(name)
    rank = {name: float(i) for column in columns for i, name in enumerate(column)}
    for column in columns[1:]:

        def middle(name: str) -> float:
            feeding = [rank[a] for a, b, _ in edges if b == name]
            return sum(feeding) / len(feeding)

        column.sort(key=middle)
        rank.update({name: float(i) for i, name in enumerate(column)})
    return columns


def _places(columns: list[list[str]]) -> dict[str, tuple[float, float]]:
    rows = max(len(column) for column in columns)
    place: dict[str, tuple[float, float]] = {}
    for x, column in enumerate(columns):
        top = MARGIN + (rows - len(column)) * (HEIGHT + GAP_Y) / 2
        for y, name in enumerate(column):
            place[name] = (MARGIN + x * (WIDTH + GAP_X), top + y * (HEIGHT + GAP_Y))
    return place


def _box(at: tuple[float, float], kind: str, first: str, second: str) -> str:
    x, y = at
    return (
        f'<g><rect x="{x:g}" y="{y:g}" width="{WIDTH}" height="{HEIGHT}" rx="5" fill="{FILL.get(kind, "#eee")}" '
        f'stroke="#555"/><text x="{x + WIDTH / 2:g}" y="{y + 18:g}" text-anchor="middle" font-weight="bold">'
        f'{escape(first)}</text><text x="{x + WIDTH / 2:g}" y="{y + 34:g}" text-anchor="middle" fill="#444" '
        f'font-size="10">{escape(second)}</text></g>'
    )


def _line(start: tuple[float, float], end: tuple[float, float], label: str) -> str:
    x1, y1, x2, y2 = start[0] + WIDTH, start[1] + HEIGHT / 2, end[0], end[1] + HEIGHT / 2
    bend = (x2 - x1) / 2
    text = f'<text x="{x1 + 6:g}" y="{y1 - 5:g}" font-size="9" fill="#777">{escape(label)}</text>' if label else ""
    return (
        f'<path d="M{x1:g} {y1:g} C{x1 + bend:g} {y1:g} {x2 - bend:g} {y2:g} {x2:g} {y2:g}" fill="none" '
        f'stroke="#888"/>{text}'
    )
