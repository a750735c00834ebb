"""Draw a graph as an SVG: inputs above, the scores and the losses below, an arrow for everything that is passed on.

It is light on paper and follows the reader's choice of light or dark on a screen.
"""

from __future__ import annotations

from html import escape

from vadkit.graph.diagram_layout import HEIGHT, Layout, Line, lay_out
from vadkit.graph.module import VadModel
from vadkit.graph.plan import LossStep, Step

# Of each kind: fill and border on light ground, and on dark ground.
COLOURS = {
    "input": ("#dbe9f8", "#3f6d9e", "#1d3651", "#86b4e6"),
    "temporal": ("#e6f1dc", "#5b7f3a", "#2b3d1d", "#a5cd7d"),
    "fusion": ("#fdeecb", "#96701a", "#463714", "#e3bd5f"),
    "head": ("#f8dcd8", "#a84b3f", "#4d231d", "#ef9a8d"),
    "source": ("#d9f0ee", "#2f7f78", "#17403c", "#74cfc6"),
    "selector": ("#f6e0ee", "#a04a80", "#4a2039", "#e495c3"),
    "loss": ("#e8e1f4", "#6d57a0", "#362b52", "#b7a2ea"),
}
INK, PAPER = ("#1b1b1b", "#ececec"), ("#ffffff", "#17191c")
SOFT, ARROW = ("#4a4a4a", "#b9bcc0"), ("#6a6a6a", "#a0a4a9")
LEGEND = 30.0  # height of the line that explains the colours


def diagram(model: VadModel) -> str:
    """Return the SVG text of a model's graph."""
    boxes = _boxes(model)
    lines = _lines(model)
    widths = {name: 22 + max(7.4 * len(first), 5.7 * len(second), 60) for name, (_, first, second) in boxes.items()}
    layout = lay_out(widths, lines, frozenset(name for name, box in boxes.items() if box[0] == "loss"))
    kinds = list(dict.fromkeys(kind for kind, _, _ in boxes.values()))
    width = max(layout.width, 100.0 * len(kinds))
    height = layout.height + LEGEND
    body = [_path(path, lines[number].target.startswith(LOSS)) for number, path in enumerate(layout.paths)]
    dashed = {step.name for step in model.plan.steps if step.train_only}
    body += [
        _box(layout, name, box, dashed=name in dashed, output=name == model.plan.output.name)
        for name, box in boxes.items()
    ]
    body += [_label(lines[number].label, *at) for number, at in layout.labels.items()]
    body.append(_legend(kinds, layout.height + LEGEND / 2 - 8))
    title = escape(str(model.spec.get("about") or "graph"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} '
        f'{height:.0f}" font-family="system-ui, sans-serif" role="img" aria-label="{title}"><title>{title}</title>'
        f"{_style()}"
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        f'orient="auto"><path class="tip" d="M0 0.5 L8 4 L0 7.5 Z" fill="{ARROW[0]}"/></marker></defs>'
        f'<rect class="paper" width="100%" height="100%" fill="{PAPER[0]}"/>{"".join(body)}</svg>\n'
    )


LOSS = "loss "  # before the name of a loss, which may be that of a node, too


def _boxes(model: VadModel) -> dict[str, tuple[str, str, str]]:
    """Return name -> (kind, first line, second line), in running order."""
    boxes = {name: ("input", name, str(pattern)) for name, pattern in model.plan.inputs.items()}
    for step in model.plan.steps:
        pattern = next(iter(step.outputs.values()))
        kind, use = step.component.kind, step.component.name  # type: ignore[attr-defined]
        boxes[step.name] = (kind, step.name, f"{use}: {pattern}")
    for loss in model.plan.losses:
        boxes[LOSS + loss.name] = ("loss", loss.name, f"{loss.component.name} x {loss.weight}")  # type: ignore[attr-defined]
    return boxes


def _lines(model: VadModel) -> list[Line]:
    """Return one line for each pair of boxes, whatever number of outputs it stands for."""
    first = {step.name: next(iter(step.outputs)) for step in model.plan.steps}
    ports: dict[tuple[str, str], list[str]] = {}
    users: list[tuple[str, Step | LossStep]] = [(step.name, step) for step in model.plan.steps]
    users += [(LOSS + loss.name, loss) for loss in model.plan.losses]
    for name, user in users:
        for ref in (ref for ref in user.refs if not ref.batch):
            found = ports.setdefault((ref.name, name), [])
            if ref.port is not None and ref.port != first[ref.name]:
                found.append(ref.port)
    return [Line(*pair, _said(list(dict.fromkeys(names)))) for pair, names in ports.items()]


def _said(names: list[str]) -> str:
    return ", ".join(names) if len(names) < 3 else f"{len(names)} outputs"


def _style() -> str:
    dark = [
        f".paper{{fill:{PAPER[1]}}} .name{{fill:{INK[1]}}} .soft{{fill:{SOFT[1]}}} .tip{{fill:{ARROW[1]}}} "
        f".line{{stroke:{ARROW[1]}}} .label{{stroke:{PAPER[1]}}}"
    ]
    dark += [f".{kind}{{fill:{fill};stroke:{border}}}" for kind, (_, _, fill, border) in COLOURS.items()]
    return f"<style>@media screen and (prefers-color-scheme: dark){{{' '.join(dark)}}}</style>"


def _path(points: list[tuple[float, float]], to_loss: bool) -> str:
    x, y = points[0]
    text = f"M{x:.1f} {y:.1f}"
    for number, (to_x, to_y) in enumerate(points[1:]):
        middle = (y + to_y) / 2
        curve = f" C{x:.1f} {middle:.1f} {to_x:.1f} {middle:.1f} {to_x:.1f} {to_y:.1f}"
        text += f" L{to_x:.1f} {to_y:.1f}" if number % 2 else curve
        x, y = to_x, to_y
    dash = ' stroke-dasharray="4 3"' if to_loss else ""
    return (
        f'<path class="line" d="{text}" fill="none" stroke="{ARROW[0]}" stroke-width="1.2"{dash} '
        'marker-end="url(#arrow)"/>'
    )


def _box(layout: Layout, name: str, box: tuple[str, str, str], dashed: bool, output: bool) -> str:
    kind, first, second = box
    left, top, right, _ = layout.boxes[name]
    middle = (left + right) / 2
    fill, border, _, _ = COLOURS[kind]
    dash = ' stroke-dasharray="4 3"' if dashed else ""
    return (
        f'<g><rect class="{kind}" x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" height="{HEIGHT:g}" rx="5" '
        f'fill="{fill}" stroke="{border}" stroke-width="{2.4 if output else 1.2}"{dash}/>'
        f'<text class="name" x="{middle:.1f}" y="{top + 16:.1f}" text-anchor="middle" font-size="12.5" '
        f'font-weight="600" fill="{INK[0]}">{escape(first)}</text>'
        f'<text class="soft" x="{middle:.1f}" y="{top + 30:.1f}" text-anchor="middle" font-size="10.5" '
        f'fill="{SOFT[0]}">{escape(second)}</text></g>'
    )


def _label(text: str, x: float, y: float) -> str:
    """Text on a line, with a rim of the ground's colour so that the line does not strike it through."""
    return (
        f'<text class="soft label" x="{x:.1f}" y="{y + 3.5:.1f}" text-anchor="middle" font-size="10" fill="{SOFT[0]}" '
        f'stroke="{PAPER[0]}" stroke-width="4" paint-order="stroke" stroke-linejoin="round">{escape(text)}</text>'
    )


def _legend(kinds: list[str], top: float) -> str:
    parts = []
    for number, kind in enumerate(kinds):
        x, (fill, border, _, _) = 20 + 92 * number, COLOURS[kind]
        parts.append(
            f'<rect class="{kind}" x="{x}" y="{top:.1f}" width="14" height="14" rx="3" fill="{fill}" '
            f'stroke="{border}"/><text class="soft" x="{x + 20}" y="{top + 11:.1f}" font-size="10.5" '
            f'fill="{SOFT[0]}">{kind}</text>'
        )
    return "".join(parts)
