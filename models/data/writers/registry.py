"""``write_light_field``: one door for every layout; and whatever else is said of all layouts."""

import importlib
import math
import os
import pkgutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ...io.atomic import atomic_folder, atomic_path, make_output_folder
from ...io.errors import OutputError
from ..errors import LightFieldError
from ..light_field import LightField, check_light_field
from ._layout import Layout, with_bits, with_encoding


def _entries() -> Iterator[Layout]:
    """Those of all files beside this one."""
    for module in pkgutil.iter_modules([str(Path(__file__).parent)], f"{__package__}."):
        if module.name != __name__:
            held = vars(importlib.import_module(module.name)).values()
            yield from (value for value in held if isinstance(value, Layout))


LAYOUTS = {known.name: known for known in sorted(_entries(), key=lambda known: known.order)}
_LOWEST, _HIGHEST = -1, 2  # of sRGB in floating point that is read: resampled views overshoot a little
_TOLD_BY_NAME = sorted(  # the longest first; of two layouts with one ending, the first
    ((ending.lower(), known) for known in LAYOUTS.values() for ending in known.endings if ending),
    key=lambda told: -len(told[0]),
)


@dataclass(frozen=True)
class Written:
    """What was written.

    Attributes:
        path: the file or folder.
        layout: the name of its layout.
        lost: what the layout could not hold, a line each.
        hint: the options that the command needs to read it back, as ``--grid 9x9``; empty: none.
    """

    path: Path
    layout: str
    lost: tuple[str, ...] = ()
    hint: str = ""


def write_light_field(
    light_field: LightField,
    path: str | Path,
    layout: str | None = None,
    *,
    overwrite: bool = False,
    bits: int | None = None,
    encode: str | None = None,
) -> Written:
    """Write a light field so that ``read_light_field`` gives the same views, bit for bit.

    Args:
        light_field: its views are read here, where they are not yet.
        path: the file or folder, which appears whole or not at all; the folder above is made if missing.
        layout: one of ``LAYOUTS``, the table in ``docs/formats.md``; None: told by the name, as ``.npz``, ``.h5``,
            ``.zarr``, ``.mat``, ``_mosaic.png`` and ``_eslf.png`` do.
        overwrite: replace what is there; a folder only where it holds nothing but files of this layout.
        bits: round the views to 8 or 16 bits; None: as they are.
        encode: give the values this transfer function, ``srgb`` or ``linear``; None: as they are.

    Returns: where it is, and what the layout cannot hold of weights, disparity, transfer function and metadata.

    Raises:
        LightFieldError: no such layout, it cannot hold the views, the name is not one of it, a library of the extra
            ``formats`` is missing, or the views cannot be read.
        OutputError: the path is there already, or cannot be written.
    """
    check_light_field(light_field)
    path = Path(path)
    known = layout_of(path, layout)
    if bits is None:
        known.check(light_field, path)
    if os.path.lexists(path) and not overwrite:
        raise OutputError(f"cannot write {path}: is there already; overwrite replaces it")
    light_field, changed = with_encoding(light_field, encode)
    light_field, rounded = with_bits(light_field, bits)
    known.check(light_field, path)
    _check_values(light_field)
    make_output_folder(path.parent)
    if known.is_folder:
        own = known.held_by(path) if path.is_dir() else []
        with atomic_folder(path, own, own) as temporary:
            temporary.rmdir()
            with named_as(path, temporary):
                known.write(light_field, temporary)
    else:
        with atomic_path(path) as temporary, named_as(path, temporary):
            known.write(light_field, temporary)
    return Written(path, known.name, (*changed, *rounded, *known.lost(light_field)), known.hint(light_field))


@contextmanager
def named_as(path: Path, temporary: Path) -> Iterator[None]:
    """Errors of the block name ``path`` where they would name where it is written meanwhile."""
    try:
        yield
    except (LightFieldError, OutputError) as error:
        raise type(error)(str(error).replace(str(temporary), str(path))) from error


def layout_of(path: Path, name: str | None) -> Layout:
    """The layout of a name, else the one that a path tells. Raises LightFieldError: neither."""
    if name is not None:
        return check_layout(name)
    lower = path.name.lower()
    told = next((known for ending, known in _TOLD_BY_NAME if lower.endswith(ending)), None)
    if told is None:
        raise LightFieldError(f"{path}: the name tells no layout; give one of {', '.join(LAYOUTS)}")
    return told


def check_layout(name: str) -> Layout:
    """The layout of a name. Raises LightFieldError: none has it."""
    if not isinstance(name, str) or name not in LAYOUTS:
        raise LightFieldError(f"layout: got {name!r}, want one of {', '.join(LAYOUTS)}")
    return LAYOUTS[name]


def _check_values(light_field: LightField) -> None:
    """Raise LightFieldError where floating point could not be read back."""
    views = light_field.views
    if views.is_floating_point():
        low, high = float(views.min()), float(views.max())
        light = light_field.transfer == "linear"
        if not (math.isfinite(low + high) and (light or (low >= _LOWEST and high <= _HIGHEST))):
            want = "light" if light else "floating point in [0, 1]"
            raise LightFieldError(f"{light_field.scene}: got values from {low:g} to {high:g}, want {want}")
