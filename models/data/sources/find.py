"""One door for everything that becomes a light field: light fields, RGB-D pictures, stereo pairs, photographs."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ...io.images import is_image_name
from ...io.urls import is_url
from ..light_field import LightField, LightFieldError
from ..readers.options import ReadOptions
from ..readers.registry import (
    check_format,
    is_named_light_field,
    read_as_told,
    scene_name,
    sure_format,
    told_format,
)
from .from_depth import Synthesis, light_field_from_rgbd, light_field_from_stereo
from .from_photo import light_field_from_photo
from .remote import fetched, names_of

KINDS = ("light_field", "rgbd", "stereo", "photo")
_PREFIXES = {"lf": "light_field", "rgbd": "rgbd", "stereo": "stereo", "photo": "photo"}
_COLOUR = re.compile(r"(?P<name>.*?)[_-]?(?:color|colour|rgb|image)", re.IGNORECASE)
_DEPTH = re.compile(r"(?P<name>.*?)[_-]?depth", re.IGNORECASE)
# Names of left pictures and their disparity: Middlebury 2005/2006, 2003, 2014; then general ones.
_STEREO = (
    (r"view1", r"disp1"),
    (r"im2", r"disp2"),
    (r"im0", r"disp0(?:GT)?"),
    (r"(?P<name>.*)L", r"(?P<name>.*)GT"),
    (r"(?P<name>.*?)[_-]?left", r"(?P<name>.*?)[_-]?disp(?:arity)?"),
)
_MAP_SUFFIXES = (".png", ".pfm", ".npz", ".npy", ".tif", ".tiff", ".exr")


@dataclass(frozen=True)
class Source:
    """Where one scene comes from.

    Attributes:
        kind: one of ``KINDS``.
        paths: one for a light field or a photograph; colours and depth; or the left picture and its disparity. Each is
            a path, or the URL of a storage that fsspec knows.
        scene: name of the scene, from the name of the folder or file.
    """

    kind: str
    paths: tuple[str, ...]
    scene: str

    def __str__(self) -> str:
        return f"{self.kind}:{','.join(self.paths)}"


@dataclass(frozen=True)
class Reading:
    """How sources are read.

    Attributes:
        light_field: how light fields are read.
        synthesis: how a light field is made where there is none.
        seed: of the random depth of photographs.
    """

    light_field: ReadOptions = field(default_factory=ReadOptions)
    synthesis: Synthesis = field(default_factory=Synthesis)
    seed: int = 0


def find_sources(specification: str | Path, format: str | None = None, **options: Any) -> Iterator[Source]:
    """The scenes of a path or specification; files are listed, not read.

    Args:
        specification: a light field (folder or file) of any format that is read; a folder of RGB-D pictures
            (``NAME_color.*`` beside ``NAME_depth.*``) or of a stereo pair with disparity (Middlebury's names); a folder
            of light fields that are files, or of such folders; a picture (a photograph, unless its name says ``eslf``
            or ``_mosaic``); or told: ``lf:PATH``, ``rgbd:COLOUR,DEPTH``, ``stereo:LEFT,DISPARITY``,
            ``photo:PATH`` (a file, or a folder of photographs). Each path may be a URL (``s3://...``) of a storage that
            fsspec knows; what is there is then told by the names alone.
        format: of ``read_light_field``: the path is one light field of this format; None: found by looking.
        options: the others of ``read_light_field``: a picture is a light field where they tell its format (``grid``,
            ``lenslet``).

    Raises:
        LightFieldError: no such path, or a specification of another form, or a bad option.
    """
    yield from find_as_told(specification, ReadOptions(format, **options))


def find_as_told(specification: str | Path, options: ReadOptions) -> Iterator[Source]:
    """``find_sources`` with all options in one."""
    check_format(options.format)
    text = str(specification)
    prefix, colon, rest = text.partition(":")
    if colon and prefix in _PREFIXES and not Path(text).exists():
        yield from _told(_PREFIXES[prefix], rest, text)
        return
    if is_url(text):
        with names_of(text) as (path, url_of):
            for source in find_as_told(path, options):
                yield replace(source, paths=tuple(map(url_of, source.paths)))
        return
    path = Path(text)
    if not path.exists():
        raise LightFieldError(f"{path}: no such file or folder")
    if options.format is not None:
        yield Source("light_field", (str(path),), scene_name(path))
        return
    if path.is_file():
        known = sure_format(path) or told_format(path, options)
        is_light_field = known is not None or not is_image_name(path)
        yield Source("light_field" if is_light_field else "photo", (str(path),), scene_name(path))
        return
    if (known := sure_format(path)) is not None:
        yield from (Source("light_field", (str(scene),), scene_name(scene)) for scene in known.scenes(path))
        return
    files = sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
    pictures = [file for file in files if is_image_name(file)]
    whole = [file for file in files if is_named_light_field(file)]
    pairs = list(_rgbd_pairs(files)) or list(_stereo_pairs(path, files))
    folders = sorted(entry for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    if pairs:
        yield from pairs
    elif whole and all(is_named_light_field(picture) for picture in pictures):
        yield from (Source("light_field", (str(file),), scene_name(file)) for file in whole)
    elif pictures or not folders:
        yield Source("light_field", (str(path),), scene_name(path))
    else:
        for folder in folders:
            yield from find_as_told(folder, options)


def open_source(source: Source | str | Path, reading: Reading | None = None) -> LightField:
    """The light field of one scene, whatever it is made from.

    Raises:
        LightFieldError: it cannot be read, or a path holds several scenes.
    """
    reading = reading or Reading()
    if not isinstance(source, Source):
        found = list(find_as_told(source, reading.light_field))
        if len(found) != 1:
            raise LightFieldError(f"{source}: holds {len(found)} scenes, want one; name one of {_names(found)}")
        source = found[0]
    if any(map(is_url, source.paths)):
        with ExitStack() as copies:
            paths = [str(copies.enter_context(fetched(url))) for url in source.paths]
            try:
                light_field = open_source(replace(source, paths=tuple(paths)), reading)
                return replace(light_field, views=light_field.views)  # read before the copies are gone
            except LightFieldError as error:
                said = str(error)
                for path, url in zip(paths, source.paths, strict=True):
                    said = said.replace(path, url)
                raise LightFieldError(said) from error
    if source.kind == "light_field":
        return read_as_told(source.paths[0], reading.light_field)
    if source.kind == "photo":
        return light_field_from_photo(source.paths[0], reading.synthesis, seed=reading.seed)
    make = light_field_from_rgbd if source.kind == "rgbd" else light_field_from_stereo
    return make(source.paths[0], source.paths[1], reading.synthesis, scene=source.scene)


def _names(sources: list[Source]) -> str:
    return ", ".join(source.scene for source in sources[:5]) + (", ..." if len(sources) > 5 else "")


def _told(kind: str, rest: str, text: str) -> Iterator[Source]:
    paths = rest.split(",") if kind in ("rgbd", "stereo") else [rest]
    if kind in ("rgbd", "stereo") and len(paths) != 2:
        raise LightFieldError(f"{text}: want rgbd:COLOUR,DEPTH or stereo:LEFT,DISPARITY, two files")
    if is_url(paths[0]):
        with ExitStack() as stack:
            names = [stack.enter_context(names_of(url)) for url in paths]
            for source in _told(kind, ",".join(str(path) for path, _ in names), text):
                urls = (url_of(path) for (_, url_of), path in zip(names, source.paths, strict=True))
                yield replace(source, paths=tuple(urls))
        return
    for told in paths:
        if not Path(told).exists():
            raise LightFieldError(f"{told}: no such file or folder")
    if kind == "photo" and Path(rest).is_dir():
        for file in sorted(Path(rest).iterdir()):
            if is_image_name(file):
                yield Source("photo", (str(file),), file.stem)
        return
    yield Source(kind, tuple(paths), scene_name(Path(paths[0])))


def _rgbd_pairs(files: list[Path]) -> Iterator[Source]:
    maps = [file for file in files if file.suffix.lower() in _MAP_SUFFIXES]
    depths = {match["name"]: file for file in maps if (match := _DEPTH.fullmatch(file.stem))}
    for file in files:
        match = _COLOUR.fullmatch(file.stem) if is_image_name(file) else None
        if match and match["name"] in depths:
            scene = match["name"] or scene_name(file.parent)
            yield Source("rgbd", (str(file), str(depths[match["name"]])), scene)


def _stereo_pairs(folder: Path, files: list[Path]) -> Iterator[Source]:
    for left, right in _STEREO:
        for file in files:
            match = re.fullmatch(left, file.stem, re.IGNORECASE) if is_image_name(file) else None
            if match is None:
                continue
            name = match.groupdict().get("name", "")
            for other in files:
                told = re.fullmatch(right, other.stem, re.IGNORECASE)
                if told and other.suffix.lower() in _MAP_SUFFIXES and told.groupdict().get("name", "") == name:
                    yield Source("stereo", (str(file), str(other)), scene_name(folder))
                    return
