"""The tables in ``docs/formats.md``, from the registries: ``python -m docs.figures.formats`` rewrites them."""

import re
from pathlib import Path

from lfdeblur_models.data import FORMATS, LAYOUTS

PAGE = Path(__file__).parents[1] / "formats.md"
_HEAD = ("`format`", "looks like", "views in the file", "values", "found by", "extra")
_KEPT = ("weights", "disparity", "disparity_range", "positions", "transfer", "metadata")


def table() -> str:
    """A row per format, in the order of looking."""
    rows = [_HEAD, ("---",) * len(_HEAD)]
    for known in FORMATS.values():
        extra = "`formats`" if known.needs else ""
        rows.append((f"`{known.name}`", known.looks_like, known.layout, known.values, known.found_by, extra))
    return "".join(f"| {' | '.join(row)} |\n".replace("|  |", "| |") for row in rows)


def layouts_table() -> str:
    """A row per layout that is written, with what it keeps."""
    rows: list[tuple[str, ...]] = [("`--to`", "what is written", "values", *(name.replace("_", " ") for name in _KEPT))]
    rows.append(("---",) * len(rows[0]))
    for known in LAYOUTS.values():
        kept = (known.transfer or "yes" if name == "transfer" else "yes" * (name in known.keeps) for name in _KEPT)
        values = "as they are" if known.floats else "8 or 16 bits" + ", or light" * known.light
        rows.append((f"`{known.name}`", known.writes, known.values or values, *kept))
    return "".join(f"| {' | '.join(row)} |\n".replace("|  |", "| |").replace("|  |", "| |") for row in rows)


def with_tables(page: str) -> str:
    """A page with its tables made anew. Raises ValueError where one is missing."""
    for first, made in (("format", table()), ("--to", layouts_table())):
        found = re.compile(rf"^\| `{first}` \|.*?\n(?!\|)", re.DOTALL | re.MULTILINE)
        if len(found.findall(page)) != 1:
            raise ValueError(f"want one table whose first column is `{first}`")
        page = found.sub(lambda _, made=made: made, page)
    return page


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
