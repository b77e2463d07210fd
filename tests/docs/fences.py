"""The fenced blocks of README and of the pages in ``docs/``, and what stands above them."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")) if "build" not in path.relative_to(ROOT).parts
)
# Nothing to run: what a program printed, drawings, formulas; blocks of Sphinx, which the build runs.
SHOWN = ("", "text", "mermaid", "math")
_FENCE = re.compile(r"^(?P<indent> *)(?P<fence>```+|:::+)(?P<told>[^`\n]*)$")
_REASON = re.compile(r"^ *<!-- not run: (?P<reason>.+?) -->$")


class Fence(NamedTuple):
    """A block: where it stands, its language, its lines, and why it is not run (None: it is)."""

    page: Path
    line: int
    language: str
    text: str
    reason: str | None

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def fences(page: Path) -> list[Fence]:
    """All blocks of a page, in order; those of Sphinx's directives have no language."""
    lines = page.read_text(encoding="utf-8").splitlines()
    found, at = [], 0
    while at < len(lines):
        opening = _FENCE.match(lines[at])
        at += 1
        if opening is None:
            continue
        start = at
        while at < len(lines) and lines[at].strip() != opening["fence"]:
            at += 1
        indent = len(opening["indent"])
        text = "\n".join(line[indent:] for line in lines[start:at]) + "\n"
        at += 1
        told = opening["told"].strip()
        language = "" if told.startswith("{") or opening["fence"].startswith(":") else told.partition(" ")[0]
        reason = _REASON.match(lines[start - 2]) if start > 1 else None
        found.append(Fence(page, start, language, text, reason["reason"] if reason else None))
    return found


def command_lines(text: str) -> list[str]:
    """The lines of a console after ``$ ``; one that ends with a backslash goes on in the next."""
    return re.findall(r"^\$ (.*)$", re.sub(r"\\\n\s*", "", text), re.MULTILINE)
