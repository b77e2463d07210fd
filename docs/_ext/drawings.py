"""The flowcharts of ``docs/architecture.md``, which a repository's host draws itself, as pictures within the page.

Of Mermaid's language only what ``docs/figures/architecture.py`` writes: floors of boxes, and arrows down. The boxes of a
floor stand side by side; an arrow goes from the lower edge of one to the upper edge of another.
"""

import re
from html import escape
from typing import NamedTuple

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

_ARROW = re.compile(r"^\s*(\w+) (-->|-\.->) (\w+)$")
_HEIGHT, _GAP, _FLOOR, _LETTER, _PADDING = 30, 22, 66, 8.2, 20


class Box(NamedTuple):
    left: float
    top: float
    width: float

    @property
    def middle(self) -> float:
        return self.left + self.width / 2


def parsed(lines: list[str]) -> tuple[list[list[str]], list[tuple[str, str, bool]]]:
    """Floors of names, and arrows with whether they are dotted."""
    floors: list[list[str]] = []
    arrows: list[tuple[str, str, bool]] = []
    for line in lines:
        arrow, word = _ARROW.match(line), line.strip()
        if arrow:
            arrows.append((arrow[1], arrow[3], arrow[2] != "-->"))
        elif word.startswith("subgraph"):
            floors.append([])
        elif word and word != "end" and not word.startswith("flowchart"):
            floors[-1].append(word)
    named = {name for floor in floors for name in floor}
    below = dict.fromkeys(name for arrow in arrows for name in arrow[:2] if name not in named)
    return floors + ([list(below)] if below else []), arrows


def placed(floors: list[list[str]]) -> tuple[dict[str, Box], float]:
    """Where each box stands, and how wide the drawing is."""
    widths = {name: len(name) * _LETTER + _PADDING for floor in floors for name in floor}
    lengths = [sum(widths[name] for name in floor) + _GAP * (len(floor) - 1) for floor in floors]
    boxes = {}
    for number, floor in enumerate(floors):
        # Floors of one box alternate a little, so that arrows past them can be told from arrows to them.
        left = (max(lengths) - lengths[number]) / 2 + (max(lengths) / 5 * (-1) ** number if len(floor) == 1 else 0)
        for name in floor:
            boxes[name] = Box(left, number * _FLOOR + 1, widths[name])
            left += widths[name] + _GAP
    return boxes, max(lengths)


def svg(lines: list[str]) -> str:
    floors, arrows = parsed(lines)
    boxes, width = placed(floors)
    height = (len(floors) - 1) * _FLOOR + _HEIGHT + 2
    out = [
        f'<svg class="drawing" viewBox="-1 0 {width + 2:.0f} {height}" style="max-width: {width + 2:.0f}px" role="img">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 8 4 0 8z" fill="currentColor"/></marker></defs>',
        f"<title>{escape('; '.join(f'{first} imports {second}' for first, second, _ in arrows))}</title>",
    ]
    for first, second, dotted in arrows:
        start, end = boxes[first], boxes[second]
        bottom, top = start.top + _HEIGHT, end.top - 1
        bend = (top - bottom) / 2
        out.append(
            f'<path d="M{start.middle:.0f} {bottom}C{start.middle:.0f} {bottom + bend:.0f} {end.middle:.0f} '
            f'{top - bend:.0f} {end.middle:.0f} {top}" fill="none" stroke="currentColor" stroke-opacity=".55"'
            f'{" stroke-dasharray=" + chr(34) + "4 3" + chr(34) if dotted else ""} marker-end="url(#tip)"/>'
        )
    for name, box in boxes.items():
        out.append(f'<rect x="{box.left:.0f}" y="{box.top}" width="{box.width:.0f}" height="{_HEIGHT}" rx="5"/>')
        out.append(f'<text x="{box.middle:.0f}" y="{box.top + 20}" text-anchor="middle">{escape(name)}</text>')
    return "".join([*out, "</svg>"])


class Mermaid(Directive):
    has_content = True

    def run(self) -> list[nodes.Node]:
        return [nodes.raw("", f'<div class="drawing-box">{svg(list(self.content))}</div>', format="html")]


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("mermaid", Mermaid)
    return {"parallel_read_safe": True}
