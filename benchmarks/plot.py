"""Two small charts as one SVG: points, a line through them, axes from zero."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _HEIGHT, _LEFT, _TOP = 300, 150, 56, 34
_PANEL = _LEFT + _WIDTH + 34
_STYLE = """<style>
text { font: 12px sans-serif; fill: #333 } .title { font-weight: bold } .grid { stroke: #ccc }
.line { fill: none; stroke: #0a6; stroke-width: 2 } .point { fill: #0a6 } .back { fill: #fff }
@media (prefers-color-scheme: dark) {
  text { fill: #ddd } .grid { stroke: #555 } .line { stroke: #4d9 } .point { fill: #4d9 } .back { fill: #111 }
}
</style>"""


@dataclass(frozen=True, slots=True)
class Line:
    """One chart: seconds by a count."""

    title: str
    across: str
    points: Sequence[tuple[float, float]]


def svg(lines: Sequence[Line]) -> str:
    """The charts side by side."""
    width, height = _PANEL * len(lines), _TOP + _HEIGHT + 44
    panels = "".join(
        f'<g transform="translate({_PANEL * number + _LEFT},{_TOP})">{_panel(line)}</g>\n'
        for number, line in enumerate(lines)
    )
    title = " and ".join(line.title for line in lines)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">\n'
        f"<title>Seconds of {escape(title)} as work grows</title>\n{_STYLE}\n"
        f'<rect class="back" width="{width}" height="{height}"/>\n{panels}</svg>\n'
    )


def _panel(line: Line) -> str:
    most_x, most_y = round_up(max(x for x, _ in line.points)), round_up(max(y for _, y in line.points))
    places = [(_WIDTH * x / most_x, _HEIGHT * (1 - y / most_y)) for x, y in line.points]
    parts = [f'<text class="title" x="0" y="-14">{escape(line.title)}, s</text>']
    for share in (0, 0.5, 1):
        y, x = _HEIGHT * (1 - share), _WIDTH * share
        parts.append(f'<path class="grid" d="M0 {y:g}H{_WIDTH}"/>')
        parts.append(f'<text x="-8" y="{y + 4:g}" text-anchor="end">{most_y * share:g}</text>')
        parts.append(
            f'<text x="{x:g}" y="{_HEIGHT + 17}" text-anchor="middle">{short(most_x * share)}</text>'
        )
    parts.append(
        f'<text x="{_WIDTH / 2:g}" y="{_HEIGHT + 34}" text-anchor="middle">{escape(line.across)}</text>'
    )
    parts.append(f'<path class="line" d="M{"L".join(f"{x:.1f} {y:.1f}" for x, y in places)}"/>')
    parts += [f'<circle class="point" cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in places]
    return "".join(parts)


def round_up(value: float) -> float:
    """The next of a few steps to ten, times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return power * next(step for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if value <= step * power * (1 + 1e-9))


def short(value: float) -> str:
    """`250k`, `15M`."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"
