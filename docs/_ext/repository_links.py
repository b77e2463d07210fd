"""Links that are written for the repository lead to the same text within the site."""

import posixpath
import re

from sphinx.application import Sphinx

PAGES = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
_LINK = re.compile(r"\]\((?P<path>(?:\.\./)+(?:CONTRIBUTING|CHANGELOG)\.md)")


def within_the_site(app: Sphinx, page: str, source: list[str]) -> None:
    """``../CONTRIBUTING.md`` of a page as the page that includes it."""
    here = posixpath.dirname(page)

    def link(match: re.Match[str]) -> str:
        return f"]({posixpath.relpath(PAGES[posixpath.basename(match['path'])], here or '.')}"

    source[0] = _LINK.sub(link, source[0])


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("source-read", within_the_site)
    return {"parallel_read_safe": True}
