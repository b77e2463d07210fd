"""``lfdeblur refocus``."""

import math
import re
from collections.abc import Callable, Collection
from pathlib import Path

import torch

from ..data import ReadOptions, disparity_of, parse_aperture, parse_disparities
from ..data.depth.focus import PLANES, disparity_at, own_planes
from ..data.depth.regularity import regular
from ..data.light_field import LightField
from ..data.readers.registry import read_as_told
from ..data.rendering.planes import MAX_PLANES
from ..data.rendering.shot import Shot, parse_viewpoint
from ..drawing.animation import write_animation
from ..drawing.contact_sheet import Tile, contact_sheet, disparity_label, thumbnail, write_contact_sheet
from ..io.atomic import check_output_folder, make_output_folder
from ..io.images import write_image
from .options import CommandError, bad_option
from .output import say, warn
from .progress import progress_bar

PLANES_AT_ONCE = 16
AUTO = "auto"
APERTURE = "disk:3"
STACK, SHEET, EVERYWHERE = "stack.webp", "contact_sheet.png", "all_in_focus.png"
_PLANE = re.compile(r"plane_\d{2,}_d[+-]\d+\.\d{3}\.png")


def refocus(
    *,
    light_field: Path,
    out: Path,
    disparity: str | None,
    at: str | None,
    all_in_focus: bool,
    aperture: str | None,
    viewpoint: str,
    half: str,
    exposure: float,
    interpolation: str | None,
    overwrite: bool,
    read_options: ReadOptions,
    dry_run: bool,
) -> None:
    """Do what ``commands/refocus.py`` declares."""
    told = {"--disparity": disparity is not None, "--at": at is not None, "--all-in-focus": all_in_focus}
    if sum(told.values()) > 1:
        raise CommandError(f"got {' and '.join(name for name, given in told.items() if given)}, want one of them")
    with bad_option():
        where = _focus(disparity, at)
        shape = parse_aperture(aperture or APERTURE)
    with bad_option("--"):
        shot = Shot(shape, parse_viewpoint(viewpoint), half, exposure, interpolation)
    check_output_folder(out)
    field = read_as_told(light_field, read_options)
    with bad_option():
        shot.weights(field.grid)
    if aperture is not None and shape.radius > max(field.grid) / 2:
        rows, columns = field.grid
        warn(f"--aperture: {shape} is wider than the {rows}x{columns} views: its blur is as square as these")
    if field.positions is not None:
        field = regular(field)
        say("views are warped to an exact grid, from where their cameras stood")
    if all_in_focus or at is not None:
        field = field.with_center()
    bits = 16 if field.dtype == torch.uint16 else 8
    if all_in_focus:
        if dry_run:
            say(f"would write {out / EVERYWHERE}")
            return
        picture = shot.all_in_focus(field, disparity_of(field))
        write_image(make_output_folder(out) / EVERYWHERE, picture, bits=bits)
        say(f"all_in_focus.png in {out}")
    else:
        planes = where(field)
        names = {f"plane_{index:02d}_d{plane:+.3f}.png": plane for index, plane in enumerate(planes)}
        others = _of_another_stack(out, names)
        if others and not overwrite:
            raise CommandError(
                f"--out: {out} holds planes of another stack ({', '.join(path.name for path in others[:3])}): choose "
                "another folder, or --overwrite, which removes them"
            )
        if dry_run:
            said = f", and remove {len(others)} planes of another stack" if others else ""
            say(f"would write {', '.join([*names, SHEET, STACK])} to {out}{said}")
            return
        make_output_folder(out)
        _write_planes(field, shot, names, out, bits)
        for path in others:
            path.unlink(missing_ok=True)
        if others:
            say(f"removed {len(others)} plane{'s' * (len(others) != 1)} of another stack")
        say(f"{len(planes)} plane{'s' * (len(planes) != 1)}, contact_sheet.png and stack.webp in {out}")


def _of_another_stack(out: Path, names: Collection[str]) -> list[Path]:
    """Planes that an earlier call left there and this one does not replace."""
    there = sorted(path for path in out.glob("plane_*") if _PLANE.fullmatch(path.name) and path.is_file())
    return [path for path in there if path.name not in names]


def _focus(disparity: str | None, at: str | None) -> Callable[[LightField], list[float]]:
    """The focus planes of a light field, from what the options say. Raises ValueError: one is bad."""
    if at is not None:
        x, y = _pixel(at)
        return lambda field: [disparity_at(field, x, y)]
    word, _, count = (disparity or AUTO).partition(":")
    if word != AUTO:
        planes = parse_disparities(disparity or "")
        return lambda field: planes
    if count and not (count.isdecimal() and 1 <= int(count) <= MAX_PLANES):
        raise ValueError(f"--disparity: got {disparity!r}, want auto:COUNT with a count from 1 to {MAX_PLANES}")
    return lambda field: own_planes(field.with_center(), int(count) if count else PLANES)


def _pixel(text: str) -> tuple[int, int]:
    x, _, y = text.partition(",")
    if not (x.strip().isdecimal() and y.strip().isdecimal()):
        raise ValueError(f"--at: got {text!r}, want X,Y, whole pixels from the left and from the top")
    return int(x), int(y)


def _write_planes(field: LightField, shot: Shot, planes: dict[str, float], out: Path, bits: int) -> None:
    columns = math.ceil(math.sqrt(len(planes)))
    width = max(120, min(560, 2400 // columns))
    tiles = []
    with progress_bar() as progress:
        task = progress.add_task("refocus", total=len(planes))
        for start in range(0, len(planes), PLANES_AT_ONCE):
            chunk = dict(list(planes.items())[start : start + PLANES_AT_ONCE])
            for (name, plane), picture in zip(chunk.items(), shot.on_planes(field, list(chunk.values())), strict=True):
                write_image(out / name, picture, bits=bits)
                tiles.append(Tile(thumbnail(picture, width), disparity_label(plane)))
                progress.advance(task)
    write_animation(out / STACK, [tile.picture for tile in tiles])
    sheet = contact_sheet(tiles, columns=columns, tile_width=width, title=f"{field.scene}, aperture {shot.aperture}")
    write_contact_sheet(out / SHEET, sheet)
