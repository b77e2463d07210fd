"""A light field in a notebook: a few words and a small sheet of its views, whatever its size."""

import base64
import io
import math
from collections.abc import Callable
from html import escape

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from ..drawing.contact_sheet import thumbnail
from .errors import LightFieldError
from .transfer import linear_to_srgb, to_linear

_WHOLE = 256 << 20  # bytes of views that are read to be shown; of a larger light field one view is, or its middle
_MOST_PIXELS = 1 << 22  # of that one
_ROWS, _WIDTH = 5, 480  # of the sheet: views, pixels


def display_values(pixels: Tensor, transfer: str) -> Tensor:
    """Stored values of any dtype as sRGB in [0, 1], floating point."""
    if transfer == "linear":
        return linear_to_srgb(to_linear(pixels.contiguous(), "linear").float().clamp(0, 1))
    return pixels.float() / {torch.uint8: 255.0, torch.uint16: 65535.0}.get(pixels.dtype, 1.0)


def as_html(
    said: str,
    shape: torch.Size,
    dtype: torch.dtype,
    transfer: str,
    part: Callable[[slice, slice, slice, slice], Tensor],
) -> str:
    """The words and the sheet as HTML, the picture within it.

    Args:
        said: in words.
        shape, dtype, transfer: of the views.
        part: gives the views of rows, columns, and of pixels y and x in them.
    """
    words = f"<pre>{escape(said)}</pre>"
    try:
        sheet, note = _sheet(shape, dtype, transfer, part)
    except LightFieldError as error:  # a notebook's cell would end in a trace instead of the words
        return f"{words}<pre>{escape(str(error))}</pre>"
    file = io.BytesIO()
    Image.fromarray(sheet.expand(3, -1, -1).permute(1, 2, 0).numpy()).save(file, "PNG")
    data = base64.b64encode(file.getvalue()).decode()
    return f'{words}<img alt="{note}" src="data:image/png;base64,{data}"><br><small>{note}</small>'


def _sheet(
    shape: torch.Size,
    dtype: torch.dtype,
    transfer: str,
    part: Callable[[slice, slice, slice, slice], Tensor],
) -> tuple[Tensor, str]:
    rows, columns, _, height, width = shape
    everything = slice(None)
    if math.prod(shape) * dtype.itemsize > _WHOLE:
        row, column = rows // 2, columns // 2
        side = math.isqrt(_MOST_PIXELS)
        y, x = (slice((have - min(have, side)) // 2, (have + min(have, side)) // 2) for have in (height, width))
        view = part(slice(row, row + 1), slice(column, column + 1), y, x)[0, 0]
        cut = "" if max(height, width) <= side else "the middle of "
        return thumbnail(display_values(view, transfer), _WIDTH), f"{cut}the view at row {row}, column {column}"
    views = part(everything, everything, everything, everything)
    picked_rows, picked_columns = _picked(rows), _picked(columns)
    small = max(8, _WIDTH // len(picked_columns) - 2)
    lines = []
    for row in picked_rows:
        line = (thumbnail(display_values(views[row, column], transfer), small) for column in picked_columns)
        lines.append(torch.cat([F.pad(view, (1, 1, 1, 1)) for view in line], 2))
    which = "" if len(picked_rows) == rows and len(picked_columns) == columns else "some of "
    return torch.cat(lines, 1), f"{which}{rows}x{columns} views"


def _picked(have: int) -> list[int]:
    """At most ``_ROWS`` of a number of rows, spread evenly, with the first, the middle and the last."""
    count = min(have, _ROWS)
    return [round(i * (have - 1) / max(1, count - 1)) for i in range(count)]
