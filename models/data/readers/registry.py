"""``read_light_field``: one door for every format; and whatever else is said of all formats."""

import importlib
import os
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from ..errors import LightFieldError
from ..light_field import LightField
from ._format import Format, not_by_looking
from ._rectification import rectified
from .options import ReadOptions


def _entries() -> Iterator[Format]:
    """Those of all files beside this one."""
    for module in pkgutil.iter_modules([str(Path(__file__).parent)], f"{__package__}."):
        if module.name != __name__:
            held = vars(importlib.import_module(module.name)).values()
            yield from (value for value in held if isinstance(value, Format))


FORMATS = {known.name: known for known in sorted(_entries(), key=lambda known: known.order)}
MARKS = {mark for known in FORMATS.values() for mark in known.marks}
_SUFFIXES = tuple(suffix for known in FORMATS.values() for suffix in known.suffixes)
_ENDINGS = tuple(ending for known in FORMATS.values() for ending in known.endings)
_NAMES_OF_ALL = {name for known in FORMATS.values() for name in known.names_of_all}
# Options; see ReadOptions on lenslet.
_OF_ALL = ("format", "views", "rows", "columns", "crop", "transfer", "lenslet", "calibration")


def read_light_field(path: str | Path, format: str | None = None, **options: Any) -> LightField:
    """Read a light field, bit-exact, into the geometry of ``LightField`` (positive disparity = nearer).

    Names, headers and metadata are read and checked here; pixels when ``views`` or ``weights`` of the result is first
    asked for, by several threads, and of what was cropped away before as little as the format lets.

    Args:
        path: a folder or file of one of ``FORMATS``; ``docs/formats.md`` tells how each looks. Views are
            pictures, grey or RGB, of 8 or 16 bits or floating point (linear light, which may exceed 1), or arrays;
            alpha becomes the views' ``weights``.
        format: its name; None: found by looking.
        options: the others of ``ReadOptions``: ``pattern``, ``lenslet``, ``views``, ``flip``, ``rows``, ``columns``,
            ``crop``, ``grid``, ``order``, ``dataset``, ``axes``, ``transfer``, ``white``, ``pitch``, ``bayer``,
            ``colours``, ``calibration``.

    Returns: the light field; views uint8 or uint16 as stored, or floating point. Views in the corners that a round lens
        left dark have weight 0 and stand in ``metadata["dark_views"]``, once the views are read (not for ``hci``,
        ``hci-old`` and ``stanford``, which have no lens around all views).

    Raises:
        LightFieldError: the path is missing, no format fits, views are missing, doubled, cut off or differ in size, an
            array has another rank, name or dtype, a library of the extra ``formats`` is missing, an option is bad.
            Damage inside a picture or a compressed array shows only when it is decoded, with the same error.
        TypeError: no such option.
    """
    return read_as_told(path, ReadOptions(format, **options))


def read_as_told(path: str | Path, options: ReadOptions) -> LightField:
    """``read_light_field`` with all options in one."""
    path = Path(path)
    if not path.exists():
        raise LightFieldError(f"{path}: no such file or folder")
    check_format(options.format)
    try:
        known = told_format(path, options) or _look(path)
        _check_options(known, options)
        field = known.read(path, options)
    except OSError as error:
        raise LightFieldError(f"{path}: cannot be read ({error.strerror or error})") from error
    field = field.copy(format=known.name, scene=field.scene if known.names_scene else scene_name(path))
    if options.transfer is not None:
        field = field.with_transfer(options.transfer)
    if options.calibration is not None:
        field = rectified(field, options.calibration)
    field = _cropped(path, field, options)
    field.check()
    return field


def check_format(name: str | None) -> None:
    """Raise LightFieldError where this is no format's name; None is allowed."""
    if name is not None and name not in FORMATS:
        raise LightFieldError(f"format: got {name!r}, want one of {', '.join(FORMATS)}")


def sure_format(path: Path) -> Format | None:
    """The format that a path is for certain; None: none, or it could be a photograph, or a folder of photographs."""
    return next((known for known in FORMATS.values() if known.is_sure(path)), None)


def told_format(path: Path, options: ReadOptions) -> Format | None:
    """The format that the options tell of a path; None: they do not."""
    if options.format is not None:
        return FORMATS[options.format]
    return next((known for known in FORMATS.values() if known.told(path, options)), None)


def is_named_light_field(file: Path) -> bool:
    """Whether a file's name alone tells that it is a light field."""
    return file.name.lower().endswith(_SUFFIXES) or any(known.is_named_in(file) for known in FORMATS.values())


def scene_name(path: Path) -> str:
    """``IMG_0001`` of ``IMG_0001_eslf.png`` and ``IMG_0001__Decoded.mat``; the folder above's where all are alike."""
    path = Path(os.path.abspath(path))  # not resolved: the name of a link is the one that was chosen
    name = path.name if path.is_dir() else path.stem
    for ending in _ENDINGS:
        name = re.sub(f"(?:{ending})$", "", name)
    return path.parent.name if name.lower() in _NAMES_OF_ALL and path.parent.name else name


def _cropped(path: Path, field: LightField, options: ReadOptions) -> LightField:
    if options.views is not None:
        views, have = options.views, field.grid
        if views[0] > have[0] or views[1] > have[1]:
            raise LightFieldError(f"{path}: got {views[0]}x{views[1]} central views to keep of {have[0]}x{have[1]}")
        field = field.crop_views(*views)
    if options.rows is not None or options.columns is not None:
        field = field.crop(options.rows or slice(None), options.columns or slice(None))
    if options.crop is not None:
        y, x, height, width = options.crop
        if min(y, x) < 0 or min(height, width) < 1 or y + height > field.size[0] or x + width > field.size[1]:
            raise LightFieldError(
                f"{path}: crop: got y={y} x={x} height={height} width={width}, want a part of views of "
                f"{field.size[1]}x{field.size[0]} pixels"
            )
        field = field.crop(y=slice(y, y + height), x=slice(x, x + width))
    return field


def _check_options(format: Format, options: ReadOptions) -> None:
    """Raise LightFieldError where an option was given that the format does not take: it would do nothing."""
    for option in fields(ReadOptions):
        name = option.name
        if getattr(options, name) == option.default or name in (*_OF_ALL, *format.options):
            continue
        if name == "flip":
            raise LightFieldError(f"flip: the format {format.name!r} has one fixed order of views")
        takers = [f"'{known.name}'" for known in FORMATS.values() if name in known.options]
        only = f"only the format{'s' * (len(takers) > 1)} {', '.join(takers)}"
        raise LightFieldError(f"{name}: {only} take{'s' * (len(takers) == 1)} one, got format {format.name!r}")


def _look(path: Path) -> Format:
    if (sure := sure_format(path)) is not None:
        return sure
    possible = [known for known in FORMATS.values() if known.doubt is not None and known.fits(path)]
    if len(possible) == 1:
        return possible[0]
    if possible:
        doubts = "; ".join(known.doubt(path) for known in possible if known.doubt)
        photograph = "a photograph, as far as it tells, which lfdeblur deblur restores: " if path.is_file() else ""
        raise LightFieldError(f"{path}: {photograph}{doubts}")
    raise LightFieldError(f"{path}: unknown format; looked for {', '.join(_kinds())}")


def _kinds() -> Iterator[str]:
    """What is looked for: ``NumPy (.npz)``, ``one picture (raw-lenslet, eslf, mosaic)``."""
    kinds: dict[str, dict[str, None]] = {}
    for known in FORMATS.values():
        if known.fits is not not_by_looking:
            kinds.setdefault(known.kind, {}).update(dict.fromkeys(known.suffixes or (known.name,)))
    for kind, names in kinds.items():
        yield f"{kind} ({', '.join(names)})"
