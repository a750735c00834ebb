"""A curve the size of a word, for a cell of a table."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

WIDTH, HEIGHT = 140, 28  # pixels


def spark_chart(curve: Sequence[float], bounds: tuple[float, float], level: float | None) -> Markup:
    """Return the steps of ``curve`` between the lowest and highest value of ``bounds``, and a line at ``level``."""
    low, high = bounds

    def y(value: float) -> float:
        return 2 + (HEIGHT - 4) * (1 - (value - low) / (high - low))

    step = WIDTH / len(curve)
    path = "L".join(f"{i * step:.1f} {y(v):.1f}L{(i + 1) * step:.1f} {y(v):.1f}" for i, v in enumerate(curve))
    line = "" if level is None else f'<line x1="0" x2="{WIDTH}" y1="{y(level):.1f}" y2="{y(level):.1f}"/>'
    return Markup(
        f'<svg class="spark" width="{WIDTH}" height="{HEIGHT}" role="img" '
        f'aria-label="score between {min(curve):.2f} and {max(curve):.2f}">'
        f'{line}<path d="M{path}"/></svg>'
    )
