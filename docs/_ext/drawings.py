"""The flowcharts of ``docs/architecture.md``, which a repository's host draws itself, as pictures within the page.

Of Mermaid only what ``docs/figures/architecture.py`` writes: floors of boxes, arrows down, and dotted ones to
a package below, whose boxes are dotted here instead: so many arrows to one place would hide the others.
"""

import re
from html import escape
from typing import NamedTuple

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

_ARROW = re.compile(r"^\s*(\w+) (-->|-\.->) (\w+)$")
_HEIGHT, _GAP, _FLOOR, _LETTER, _PADDING = 30, 44, 68, 8.5, 20


class Box(NamedTuple):
    left: float
    top: float
    width: float

    @property
    def middle(self) -> float:
        return self.left + self.width / 2


def parsed(lines: list[str]) -> tuple[list[list[str]], list[tuple[str, str]], set[str]]:
    """Floors of names, arrows, and the names that are dotted."""
    floors: list[list[str]] = []
    arrows: list[tuple[str, str]] = []
    dotted: set[str] = set()
    for line in lines:
        arrow, word = _ARROW.match(line), line.strip()
        if arrow and arrow[2] != "-->":
            dotted.add(arrow[1])
        elif arrow:
            arrows.append((arrow[1], arrow[3]))
        elif word.startswith("subgraph"):
            floors.append([])
        elif word and word != "end" and not word.startswith("flowchart"):
            floors[-1].append(word)
    return floors, arrows, dotted


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


def arrow(start: Box, end: Box) -> str:
    """Down from edge to edge; within a floor, across."""
    if start.top == end.top:
        side = _HEIGHT / 2 + start.top
        left = start.left < end.left
        return f"M{start.left + start.width * left:.0f} {side:.0f}H{end.left + end.width * (not left):.0f}"
    bottom, top = start.top + _HEIGHT, end.top - 1
    bend = (top - bottom) / 2
    curve = f"C{start.middle:.0f} {bottom + bend:.0f} {end.middle:.0f} {top - bend:.0f}"
    return f"M{start.middle:.0f} {bottom:.0f}{curve} {end.middle:.0f} {top:.0f}"


def svg(lines: list[str]) -> str:
    floors, arrows, dotted = parsed(lines)
    boxes, width = placed(floors)
    height = (len(floors) - 1) * _FLOOR + _HEIGHT + 2
    out = [
        f'<svg class="drawing" viewBox="-1 0 {width + 2:.0f} {height}" width="{width + 2:.0f}" role="img">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 8 4 0 8z" fill="currentColor"/></marker></defs>',
        f"<title>{escape('; '.join(f'{first} imports {second}' for first, second in arrows))}</title>",
    ]
    for first, second in arrows:
        path = arrow(boxes[first], boxes[second])
        out.append(f'<path d="{path}" fill="none" stroke="currentColor" stroke-opacity=".6" marker-end="url(#tip)"/>')
    for name, box in boxes.items():
        kind = ' class="dotted"' if name in dotted else ""
        out.append(f'<rect x="{box.left:.0f}" y="{box.top}" width="{box.width:.0f}" height="{_HEIGHT}" rx="5"{kind}/>')
        out.append(f'<text x="{box.middle:.0f}" y="{box.top + 20}" text-anchor="middle">{escape(name)}</text>')
    return "".join([*out, "</svg>"])


class Mermaid(Directive):
    has_content = True

    def run(self) -> list[nodes.Node]:
        return [nodes.raw("", f'<div class="drawing-box">{svg(list(self.content))}</div>', format="html")]


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("mermaid", Mermaid)
    return {"parallel_read_safe": True}
