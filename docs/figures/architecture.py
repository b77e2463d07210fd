"""The drawing in ``docs/architecture.md``, from the import graph: ``python -m docs.figures.architecture`` rewrites it.

A box is a room, an arrow an import; an arrow that others already imply is left out. Needs the extra ``dev``.
"""

import re
from pathlib import Path

import grimp

PAGE = Path(__file__).parents[1] / "architecture.md"
FLOORS = (
    ("lfdeblur",),
    ("cli",),
    ("ablation", "viewer"),
    ("training", "evaluation", "export"),
    ("data", "inference"),
    ("networks", "drawing"),
    ("system", "features"),
    ("io",),
)
DATA = (
    ("conversion",),
    ("generation", "datasets", "overview"),
    ("sources", "depth", "writers"),
    ("readers", "rendering"),
    ("lenslets",),
    ("light_field",),
    ("derived_views", "epipolar", "labelled_array", "shown"),
    ("lazy_views", "resampling"),
    ("arguments", "bicubic", "positions", "transfer"),
    ("errors",),
)


def rooms(graph: grimp.ImportGraph, package: str) -> dict[str, set[str]]:
    """Room to the rooms that it imports, those of a package's top."""
    names = [child.removeprefix(package + ".") for child in graph.find_children(package)]
    names = [name for name in names if name != "__main__"]
    arrows: dict[str, set[str]] = {name: set() for name in sorted(names)}
    for importer in arrows:
        for imported in arrows:
            if importer != imported and graph.direct_import_exists(
                importer=f"{package}.{importer}", imported=f"{package}.{imported}", as_packages=True
            ):
                arrows[importer].add(imported)
    return arrows


def reduced(arrows: dict[str, set[str]]) -> dict[str, set[str]]:
    """Without the arrows that a longer way implies."""

    def reached(name: str) -> set[str]:
        return arrows[name].union(*(reached(other) for other in arrows[name])) if arrows[name] else set()

    return {
        name: {other for other in others if not any(other in reached(between) for between in others - {other})}
        for name, others in arrows.items()
    }


def drawing(package: str, floors: tuple[tuple[str, ...], ...], below: str | None = None) -> str:
    """A Mermaid flowchart of the rooms, a floor each line from the top down."""
    graph = grimp.build_graph("lfdeblur_models", "lfdeblur_ops")
    arrows = reduced(rooms(graph, package))
    missing = set(arrows) ^ {name for floor in floors for name in floor}
    if missing:
        raise SystemExit(f"{package}: rooms without a floor, or floors without a room: {', '.join(sorted(missing))}")
    lines = ["```mermaid", "flowchart TD"]
    for number, floor in enumerate(floors):
        lines += [f'  subgraph floor{number}[" "]', *(f"    {name}" for name in floor), "  end"]
    lines += [f"  {name} --> {other}" for floor in floors for name in floor for other in sorted(arrows[name])]
    if below is not None:
        users = [
            name
            for name in arrows
            if graph.direct_import_exists(importer=f"{package}.{name}", imported=below, as_packages=True)
        ]
        lines += [f"  {name} -.-> {below}" for name in sorted(users)]
    return "\n".join([*lines, "```"])


def updated(text: str) -> str:
    """The page's text with the drawings of today."""
    for marker, picture in {
        "models": drawing("lfdeblur_models", FLOORS, "lfdeblur_ops"),
        "data": drawing("lfdeblur_models.data", DATA),
    }.items():
        pattern = re.compile(rf"(<!-- drawing:{marker} -->\n).*?(<!-- /drawing:{marker} -->)", re.DOTALL)
        text, found = pattern.subn(lambda match, picture=picture: match[1] + picture + "\n" + match[2], text)
        if found != 1:
            raise SystemExit(f"{PAGE}: want one <!-- drawing:{marker} --> ... <!-- /drawing:{marker} -->")
    return text


def main() -> None:
    PAGE.write_text(updated(PAGE.read_text()))
    print(PAGE)


if __name__ == "__main__":
    main()
