"""Where the boxes and lines of a diagram go: in layers from top to bottom, as in textbooks (Sugiyama's method).

Every box is placed just above the first that it feeds. A line that passes a layer gets a place of its own in it, so it
runs between the boxes and never through one. Layers are sorted to cross few lines and then pulled straight.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

HEIGHT, GAP, SPACE, LANE, MARGIN = 38.0, 28.0, 18.0, 14.0, 20.0  # box, between layers, between boxes, of a line, edge
SWEEPS, WORK = 24, 200_000  # how often layers are gone through, and how many places may be looked at in all
LABEL_HEIGHT, LETTER = 11.0, 5.4  # of a label, and of one of its letters

Key = str | tuple[int, int]  # a box, or the place of a line (number) in a layer
Point = tuple[float, float]
Area = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True)
class Line:
    """A line to draw, with the text next to it."""

    source: str
    target: str
    label: str = ""


@dataclass
class Layout:
    """Sizes, the left upper corner of every box, the points of every line, and the middle of every label."""

    width: float
    height: float
    boxes: dict[str, Area]
    paths: list[list[Point]] = field(default_factory=list)
    labels: dict[int, Point] = field(default_factory=dict)


def lay_out(widths: Mapping[str, float], lines: Sequence[Line], ends: frozenset[str]) -> Layout:
    """Return the layout of boxes, given in running order, and lines. ``ends`` are boxes that nothing waits for."""
    depth = _depths(list(widths), lines, ends)
    chains = [_chain(number, line, depth) for number, line in enumerate(lines)]
    layers = _layers(depth, chains)
    links = [pair for chain in chains for pair in zip(chain, chain[1:])]
    layers = _sorted(layers, links)
    middles = _straight(layers, links, widths, _spine(list(widths), lines, ends))
    left = min(middles[key] - _width(key, widths) / 2 for layer in layers for key in layer) - MARGIN
    middles = {key: x - left for key, x in middles.items()}
    tops = [MARGIN + number * (HEIGHT + GAP) for number in range(len(layers))]
    boxes = {
        name: (middles[name] - width / 2, tops[depth[name]], middles[name] + width / 2, tops[depth[name]] + HEIGHT)
        for name, width in widths.items()
    }
    right = max(middles[key] + _width(key, widths) / 2 for layer in layers for key in layer)
    layout = Layout(right + MARGIN, tops[-1] + HEIGHT + MARGIN, boxes)
    layout.paths = _paths(chains, middles, boxes, tops, depth)
    _place_labels(layout, lines)
    return layout


# -- layers ------------------------------------------------------------------------------------------
def _depths(names: Sequence[str], lines: Sequence[Line], ends: frozenset[str]) -> dict[str, int]:
    depth = _earliest(names, lines)
    for name in reversed(names):  # as near as possible to what it feeds
        below = [depth[line.target] - 1 for line in lines if line.source == name and line.target not in ends]
        depth[name] = min(below, default=depth[name])
    for name in names:
        if name in ends:
            depth[name] = max((depth[line.source] + 1 for line in lines if line.target == name), default=0)
    first = min(depth.values())
    return {name: number - first for name, number in depth.items()}


def _earliest(names: Sequence[str], lines: Sequence[Line]) -> dict[str, int]:
    depth = dict.fromkeys(names, 0)
    for name in names:
        depth[name] = max((depth[line.source] + 1 for line in lines if line.target == name), default=0)
    return depth


def _spine(names: Sequence[str], lines: Sequence[Line], ends: frozenset[str]) -> set[tuple[Key, Key]]:
    """Return for each box what feeds it after the longest way: such lines are to be straight, and others may bend."""
    depth = _earliest(names, lines)
    found: dict[Key, str] = {}
    for line in lines:
        if line.target not in ends:
            found[line.target] = max(found.get(line.target, line.source), line.source, key=lambda name: depth[name])
    return {(source, target) for target, source in found.items()}


def _chain(number: int, line: Line, depth: Mapping[str, int]) -> list[Key]:
    between = range(depth[line.source] + 1, depth[line.target])
    return [line.source, *((number, layer) for layer in between), line.target]


def _layers(depth: Mapping[str, int], chains: Sequence[Sequence[Key]]) -> list[list[Key]]:
    layers: list[list[Key]] = [[] for _ in range(max(depth.values()) + 1)]
    for name, number in depth.items():
        layers[number].append(name)
    for key in (key for chain in chains for key in chain[1:-1]):
        assert not isinstance(key, str)
        layers[key[1]].append(key)
    return layers


def _sorted(layers: list[list[Key]], links: Sequence[tuple[Key, Key]]) -> list[list[Key]]:
    """Return the layers in the order, of those that repeated sorting by neighbours goes through, that crosses least."""
    above, below = _neighbours(links)
    best, fewest = [list(layer) for layer in layers], _crossings(layers, below)
    for sweep in range(_sweeps(layers, SWEEPS)):
        down = sweep % 2 == 0
        for layer, fixed in _pairs(layers, down):
            _sort(layer, fixed, above if down else below)
        count = _crossings(layers, below)
        if count < fewest:
            best, fewest = [list(layer) for layer in layers], count
    return best


def _sweeps(layers: Sequence[Sequence[Key]], most: int) -> int:
    """Return how often layers are gone through: seldom if they are large, so that it never takes long."""
    return max(2, min(most, WORK // sum(map(len, layers))))


def _pairs(layers: list[list[Key]], down: bool) -> list[tuple[list[Key], list[Key]]]:
    order = layers if down else layers[::-1]
    return list(zip(order[1:], order))


def _sort(layer: list[Key], fixed: Sequence[Key], neighbours: Mapping[Key, list[Key]]) -> None:
    rank = {key: float(number) for number, key in enumerate(fixed)}
    own = {key: float(number) for number, key in enumerate(layer)}

    def middle(key: Key) -> float:
        found = [rank[other] for other in neighbours.get(key, ()) if other in rank]
        return sum(found) / len(found) if found else own[key]

    layer.sort(key=middle)


def _crossings(layers: Sequence[Sequence[Key]], below: Mapping[Key, list[Key]]) -> int:
    total = 0
    for upper, lower in zip(layers, layers[1:]):
        rank = {key: number for number, key in enumerate(lower)}
        ends = [[rank[other] for other in below.get(key, ()) if other in rank] for key in upper]
        before: list[int] = []
        for found in ends:
            total += sum(len(before) - bisect_right(before, end) for end in found)
            for end in found:
                insort(before, end)
    return total


def _neighbours(links: Sequence[tuple[Key, Key]]) -> tuple[dict[Key, list[Key]], dict[Key, list[Key]]]:
    above: dict[Key, list[Key]] = {}
    below: dict[Key, list[Key]] = {}
    for upper, lower in links:
        below.setdefault(upper, []).append(lower)
        above.setdefault(lower, []).append(upper)
    return above, below


# -- places ------------------------------------------------------------------------------------------
def _width(key: Key, widths: Mapping[str, float]) -> float:
    return widths[key] if isinstance(key, str) else LANE


def _straight(
    layers: Sequence[Sequence[Key]],
    links: Sequence[tuple[Key, Key]],
    widths: Mapping[str, float],
    spine: set[tuple[Key, Key]],
) -> dict[Key, float]:
    """Return the middle of everything: near its neighbours, and apart from what is next to it."""
    pulls: dict[Key, list[tuple[Key, float]]] = {}
    for upper, lower in links:
        inner = not isinstance(upper, str) and not isinstance(lower, str)
        weight = 10.0 if inner else 20.0 if (upper, lower) in spine else 1.0
        pulls.setdefault(upper, []).append((lower, weight))
        pulls.setdefault(lower, []).append((upper, weight))
    middles: dict[Key, float] = {}
    for layer in layers:
        middles |= zip(layer, _apart(layer, [0.0] * len(layer), [1.0] * len(layer), widths))
    for sweep in range(_sweeps(layers, 12 * SWEEPS)):
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            wanted = [_pull(key, middles, pulls.get(key, [])) for key in layer]
            force = [sum((weight for _, weight in pulls.get(key, ())), 0.1) for key in layer]
            middles |= zip(layer, _apart(layer, wanted, force, widths))
    return middles


def _pull(key: Key, middles: Mapping[Key, float], pulls: Sequence[tuple[Key, float]]) -> float:
    total = sum(weight for _, weight in pulls)
    return sum(weight * middles[other] for other, weight in pulls) / total if pulls else middles[key]


def _apart(
    layer: Sequence[Key], wanted: Sequence[float], force: Sequence[float], widths: Mapping[str, float]
) -> list[float]:
    """Return places that keep their distance and are nearest to those wanted, in the sum of squares that ``force``
    weighs (isotonic means)."""
    offsets = [0.0]
    for one, other in zip(layer, layer[1:]):
        offsets.append(offsets[-1] + (_width(one, widths) + _width(other, widths)) / 2 + SPACE)
    blocks: list[tuple[float, float, int]] = []  # mean, force, count
    for x, offset, weight in zip(wanted, offsets, force):
        mean, count = x - offset, 1
        while blocks and blocks[-1][0] > mean:
            before, heavy, number = blocks.pop()
            mean = (mean * weight + before * heavy) / (weight + heavy)
            weight, count = weight + heavy, count + number
        blocks.append((mean, weight, count))
    means = [mean for mean, _, count in blocks for _ in range(count)]
    return [mean + offset for mean, offset in zip(means, offsets)]


# -- lines -------------------------------------------------------------------------------------------
def _paths(
    chains: Sequence[Sequence[Key]],
    middles: Mapping[Key, float],
    boxes: Mapping[str, Area],
    tops: Sequence[float],
    depth: Mapping[str, int],
) -> list[list[Point]]:
    """Return for each line its points, two for each layer that it passes; ends are spread over the side of a box."""
    starts = _spread(chains, middles, boxes, 0, 1)
    ends = _spread(chains, middles, boxes, -1, -2)
    paths = []
    for number, chain in enumerate(chains):
        path = [(starts[number], tops[depth[str(chain[0])]] + HEIGHT)]
        for key in chain[1:-1]:
            top = tops[int(key[1])]
            path += [(middles[key], top), (middles[key], top + HEIGHT)]
        paths.append([*path, (ends[number], tops[depth[str(chain[-1])]])])
    return paths


def _spread(
    chains: Sequence[Sequence[Key]], middles: Mapping[Key, float], boxes: Mapping[str, Area], end: int, next_: int
) -> dict[int, float]:
    at: dict[Key, list[int]] = {}
    for number, chain in enumerate(chains):
        at.setdefault(chain[end], []).append(number)
    found = {}
    for key, numbers in at.items():
        left, _, right, _ = boxes[str(key)]
        step = min(LANE, (right - left - LANE) / len(numbers))
        order = sorted(numbers, key=lambda number: middles[chains[number][next_]])
        for place, number in enumerate(order):
            found[number] = (left + right) / 2 + (place - (len(order) - 1) / 2) * step
    return found


def _place_labels(layout: Layout, lines: Sequence[Line]) -> None:
    """Put each label onto its line where it covers no box and no other label."""
    taken = list(layout.boxes.values())
    for number, line in enumerate(lines):
        if not line.label:
            continue
        wide = len(line.label) * LETTER / 2 + 2
        tries = [_between(a, b, t) for a, b in _gaps(layout.paths[number]) for t in (0.5, 0.35, 0.65, 0.25, 0.75)]
        for x, y in tries:
            x = min(max(x, wide + 2), layout.width - wide - 2)
            area = (x - wide, y - LABEL_HEIGHT / 2, x + wide, y + LABEL_HEIGHT / 2)
            if not any(overlap(area, other) for other in taken):
                taken.append(area)
                layout.labels[number] = x, y
                break


def _gaps(path: Sequence[Point]) -> list[tuple[Point, Point]]:
    """Return the parts of a line between two layers, and then those inside of one."""
    pairs = list(zip(path, path[1:]))
    return pairs[::2] + pairs[1::2]


def _between(a: Point, b: Point, t: float) -> Point:
    """Return a point of the curve from ``a`` to ``b`` that leaves and arrives vertically."""
    ease = 3 * t * t - 2 * t * t * t
    y = a[1] + (b[1] - a[1]) * (1.5 * t * (1 - t) ** 2 + 1.5 * t * t * (1 - t) + t**3)
    return a[0] + (b[0] - a[0]) * ease, y


def overlap(one: Area, other: Area) -> bool:
    """Return whether two areas share a point."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
