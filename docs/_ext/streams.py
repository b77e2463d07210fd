"""What a command in a notebook prints comes in pieces that may end within a line: they are put together as they came.

MyST-NB's own ``nb_merge_streams`` ends a line after each piece.
"""

from collections.abc import Callable
from typing import Any

from myst_nb.core import render
from sphinx.application import Sphinx


def joined(outputs: list[Any]) -> list[Any]:
    """Pieces of one stream that follow each other as one."""
    whole: list[Any] = []
    for output in outputs:
        before = whole[-1] if whole else None
        if before and output["output_type"] == before["output_type"] == "stream" and output["name"] == before["name"]:
            before["text"] += output["text"]
        else:
            whole.append(output)
    return whole


def setup(app: Sphinx) -> dict[str, bool]:
    merge: Callable[[list[Any]], list[Any]] = render.coalesce_streams
    render.coalesce_streams = lambda outputs: merge(joined(outputs))
    return {"parallel_read_safe": True}
