"""Pictures that a page shows smaller than they are open in full by a click."""

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.osutil import relative_uri


def linked(app: Sphinx, doctree: nodes.document, page: str) -> None:
    if app.builder.format != "html":
        return
    folder = relative_uri(app.builder.get_target_uri(page), "_images")
    for picture in list(doctree.findall(nodes.image)):
        if picture["uri"] in app.env.images and not isinstance(picture.parent, nodes.reference):
            name = app.env.images[picture["uri"]][1]
            link = nodes.reference("", "", internal=True, refuri=f"{folder}/{name}", classes=["picture"])
            picture.replace_self(link)
            link += picture


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("doctree-resolved", linked)
    return {"parallel_read_safe": True}
