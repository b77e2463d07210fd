"""``Format``: what a file of this folder tells about the format that it reads; ``registry.py`` finds it there."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ...io.images import is_image_name
from ..light_field import LightField
from .options import ReadOptions

PICTURE, FOLDER = "one picture", "a folder of views"


def not_by_looking(path: Path) -> bool:
    """``fits`` of a format that only an option or its name tells."""
    return False


def _not_told(path: Path, options: ReadOptions) -> bool:
    return False


@dataclass(frozen=True)
class Format:
    """A format; ``registry.py`` makes from these whatever is said and asked of formats elsewhere.

    Attributes:
        name: as ``format=`` and ``--format`` take it.
        read: a light field of this format, unread; ``format`` and ``scene`` of it are filled in by the registry. Raises
            LightFieldError.
        fits: whether a path looks like it.
        order: of looking: the most telling names and contents have the lowest numbers.
        kind: what such a path is, for the error of a path that is of no format.
        looks_like, layout, values, found_by: cells of the table in ``docs/formats.md``.
        options: the options of ``ReadOptions`` that it takes beside those of all formats.
        told: whether the options tell that a path is of this format, however it looks.
        doubt: where a path that fits may as well be something else: what it would take to know. Such a path is not
            taken for a light field where photographs can be meant.
        word: a regular expression for a part of a picture's name, in lower case; it dispels the doubt.
        suffixes: of its files, in lower case; in a folder of files they are light fields.
        marks: names of files that a folder of this format has; what lies in its folders has no telling names.
        endings: regular expressions for the ends of names that are not part of the scene's.
        names_of_all: names, in lower case, that all scenes have: the folder above is called as the scene.
        scenes: the light fields that a path of this format holds.
        names_scene: whether ``read`` gives the scene's name, else it is that of the file or folder.
        needs: libraries of the extra ``formats``.
    """

    name: str
    read: Callable[[Path, ReadOptions], LightField]
    fits: Callable[[Path], bool]
    order: int
    kind: str
    looks_like: str
    layout: str
    values: str
    found_by: str
    options: tuple[str, ...] = ()
    told: Callable[[Path, ReadOptions], bool] = _not_told
    doubt: Callable[[Path], str] | None = None
    word: str = ""
    suffixes: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    endings: tuple[str, ...] = ()
    names_of_all: tuple[str, ...] = ()
    scenes: Callable[[Path], list[Path]] = lambda path: [path]
    names_scene: bool = False
    needs: tuple[str, ...] = ()

    def is_named_in(self, path: Path) -> bool:
        """Whether a picture's name says this format."""
        return bool(self.word) and is_image_name(path) and re.search(self.word, path.stem.lower()) is not None

    def is_sure(self, path: Path) -> bool:
        """Whether a path is of this format and can be nothing else."""
        return self.fits(path) and (self.doubt is None or self.is_named_in(path))
