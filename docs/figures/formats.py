"""The table in ``docs/formats.md``, from the registry of formats: ``python -m docs.figures.formats`` rewrites it."""

import re
from pathlib import Path

from lfdeblur_models.data import FORMATS

PAGE = Path(__file__).parents[1] / "formats.md"
_HEAD = ("`format`", "looks like", "views in the file", "values", "found by", "extra")
_TABLE = re.compile(r"^\| `format` \|.*?\n(?!\|)", re.DOTALL | re.MULTILINE)


def table() -> str:
    """A row per format, in the order of looking."""
    rows = [_HEAD, ("---",) * len(_HEAD)]
    for known in FORMATS.values():
        extra = "`formats`" if known.needs else ""
        rows.append((f"`{known.name}`", known.looks_like, known.layout, known.values, known.found_by, extra))
    return "".join(f"| {' | '.join(row)} |\n".replace("|  |", "| |") for row in rows)


def with_table(page: str) -> str:
    """A page with its table made anew. Raises ValueError where it has none."""
    if len(_TABLE.findall(page)) != 1:
        raise ValueError("want one table whose first column is `format`")
    return _TABLE.sub(lambda _: table(), page)


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
