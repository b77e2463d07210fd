"""``lfdeblur info``."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

import lfdeblur_ops

from ..data import LightField, read_light_field
from ._shared import Flip, Format, Lenslet, Pattern, Views


def info(
    light_field: Annotated[Path | None, typer.Argument(metavar="[LF]", help="Folder or file of a light field.")] = None,
    format: Format = None,
    pattern: Pattern = None,
    lenslet: Lenslet = 14,
    views: Views = None,
    flip: Flip = "none",
) -> None:
    """Tell about this installation, or about a light field."""
    table = Table(show_header=False, box=None)
    if light_field is None:
        rows: dict[str, Any] = dict(lfdeblur_ops.build_info())
        for op in ("refocus", "dynamic_filter"):
            for backend, state in lfdeblur_ops.backends(op).items():
                rows[f"{op}, {backend}"] = state
    else:
        rows = _describe(
            read_light_field(light_field, format, pattern=pattern, lenslet=lenslet, views=views, flip=flip)
        )
    for name, value in rows.items():
        table.add_row(name, str(value))
    Console(highlight=False, markup=False).print(table)


def _describe(field: LightField) -> dict[str, Any]:
    rows, columns = field.grid
    height, width = field.size
    told = {
        "scene": field.scene,
        "format": field.format,
        "views": f"{rows} rows x {columns} columns",
        "size": f"{width} x {height} pixels, {'grey' if field.views.shape[2] == 1 else 'RGB'}, {field.views.dtype}",
        "transfer": field.transfer,
        "disparity range": field.disparity_range or "not told by the files",
        "true disparity": "yes" if field.disparity is not None else "no",
        "weights of views": "from alpha" if field.weights is not None else "all alike",
    }
    return told | {name: value for name, value in field.metadata.items() if name != "camera_positions_vu"}
