"""What links of the built site lead to is there: ``python docs/_ext/built_links.py build/docs/html``.

Sphinx holds the links of the sources; this holds those of the pages as a browser gets them, pictures, anchors and what
raw HTML has. Nothing is fetched.
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlparse


class Page(HTMLParser):
    """Anchors of a page, and what it links to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = {"", "top"}
        self.links: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value for name, value in attrs if value is not None}
        self.anchors.update(told[name] for name in ("id", "name") if name in told)
        self.links.update(told[name] for name in ("href", "src") if name in told and tag != "use")


def broken(root: Path) -> list[str]:
    """Links to what is not there, each with its page."""
    pages = {path.resolve(): Page(path) for path in sorted(root.rglob("*.html"))}
    wrong = []
    for path, page in pages.items():
        for link in sorted(page.links):
            if urlparse(link).scheme:
                continue
            file, anchor = urldefrag(unquote(link))
            target = (path.parent / file.partition("?")[0]).resolve() if file else path
            if not target.exists():
                wrong.append(f"{path.relative_to(root.resolve())}: {link}: no such file")
            elif target in pages and anchor not in pages[target].anchors:
                wrong.append(f"{path.relative_to(root.resolve())}: {link}: no such anchor")
    return wrong


if __name__ == "__main__":
    found = broken(Path(sys.argv[1]))
    print("\n".join(found), file=sys.stderr)
    sys.exit(bool(found))
