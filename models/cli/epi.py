"""``lfdeblur epi``."""

from pathlib import Path

import torch

from ..data import LightField, ReadOptions
from ..data.epipolar import epi_window
from ..data.readers.registry import read_as_told
from ..data.shown import display_values
from ..io.atomic import check_output_folder, make_output_folder
from ..io.images import SUFFIXES, check_writable, write_image
from .options import CommandError
from .output import say

_HEIGHT = 160  # pixels that a picture has at least, where the views are not told how high they are drawn
_HIGHEST = 1000  # rows of the picture for each view
_JPEG = (".jpg", ".jpeg")


def epi(
    *,
    light_field: Path,
    row: list[int] | None,
    column: list[int] | None,
    out: Path | None,
    view_row: int | None,
    view_column: int | None,
    enlarge: int | None,
    read_options: ReadOptions,
    dry_run: bool,
) -> None:
    """Do what ``commands/epi.py`` declares."""
    rows, columns = row or [], column or []
    is_file = out is not None and out.suffix.lower() in SUFFIXES
    if is_file and len(rows) + len(columns) != 1:
        raise CommandError(f"--out: got the picture file {out}, want a folder, or one --row or --column")
    check_output_folder(out.parent if out is not None and is_file else out or Path())
    field = read_as_told(light_field, read_options)
    if not rows and not columns:
        rows, columns = [field.size[0] // 2], [field.size[1] // 2]
    wide = field.dtype == torch.uint16 and (out is None or out.suffix.lower() not in (*_JPEG, ".webp"))
    bits = 16 if wide else 8
    if out is not None and is_file:
        check_writable(out, bits, field.shape[2])
    field = _needed(field, rows, columns, view_row, view_column)
    if dry_run:
        names = [f"row_{y:04d}.png" for y in rows] + [f"column_{x:04d}.png" for x in columns]
        for name in names:
            say(f"would write {out if is_file else (out or Path('epi') / field.scene) / name}")
        return
    pictures = {f"row_{y:04d}.png": field.epi(row=y, view_row=view_row) for y in rows}
    pictures |= {f"column_{x:04d}.png": field.epi(column=x, view_column=view_column) for x in columns}
    folder = make_output_folder(out.parent if out is not None and is_file else out or Path("epi") / field.scene)
    for name, lines in pictures.items():
        picture = display_values(lines, field.transfer).clamp(0, 1)
        picture = picture.repeat_interleave(enlarge or max(1, round(_HEIGHT / picture.shape[1])), 1)
        write_image(out if out is not None and is_file else folder / name, picture, bits=bits)
    named = next(iter(pictures)) if len(pictures) == 1 else f"{len(pictures)} epipolar images"
    say(str(out) if is_file else f"{named} in {folder}")


def _needed(
    field: LightField, rows: list[int], columns: list[int], view_row: int | None, view_column: int | None
) -> LightField:
    """Itself, checked: a bad number is told before anything is read; of several images the views are read once."""
    for y in rows:
        epi_window(field.shape, y, None, view_row, None if columns else view_column)
    for x in columns:
        epi_window(field.shape, None, x, None if rows else view_row, view_column)
    if len(rows) + len(columns) > 2:
        _ = field.views
    return field
