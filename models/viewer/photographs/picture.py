"""One photograph of a page: its file, its pixels while they are looked at, and how far it is restored."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import pyvips

from ...io.errors import ImageError
from ...io.images import ImageInfo, decode_pixels, open_image
from ...io.truncation import check_whole
from .turn import Rectangle, Turn

MAX_PIXELS = 200 * 10**6
MAX_NAME = 200  # characters
NAMELESS = "picture"


@dataclass
class Pixels:
    """``[H, W, 1 to 4]`` uint8, uint16 or float32 as stored: the picture, and a copy with restored tiles."""

    before: np.ndarray
    after: np.ndarray | None = None


@dataclass(eq=False)
class Run:
    """A picture on its way through a network. ``stopped`` may be set from any thread: it ends before the next tile."""

    picture: "Picture"
    weights: str
    stopped: bool = False
    begun: float = field(default_factory=monotonic)


class Picture:
    """A photograph, its header read.

    Args:
        id: by which the page knows it.
        name: by which its user knows it; never a path.
        path: the file.
        kept: where the restored pixels are kept.

    Attributes:
        state: ``waiting``, ``running``, ``done``, ``failed`` or ``cancelled``.
        run: the last one.

    Raises: ImageError: it is no picture that is read, cut off, or too large.
    """

    def __init__(self, id: str, name: str, path: Path, kept: Path) -> None:
        self.id, self.name, self.path, self.kept = id, name, path, kept
        try:
            if not path.stat().st_size:
                raise ImageError(f"{path}: is empty")
            image, self.info = _opened(path)
        except (ImageError, OSError) as error:
            raise ImageError(self._by_name(error)) from error
        self.bands = image.bands
        self.turn = Turn.of(self.info)
        self.size = self.turn.size(self.info.height, self.info.width)  # upright
        self.state, self.message = "waiting", ""
        self.done = 0  # pixels
        self.run: Run | None = None

    def read(self) -> Pixels:
        """Decode the file, and read what was kept of the restored pixels. Raises ImageError: the file is damaged."""
        try:
            image, info = _opened(self.path)
            if (info, image.bands) != (self.info, self.bands):
                raise ImageError(f"{self.path}: changed while it was shown")
            before = decode_pixels(self.path, image)
        except ImageError as error:
            raise ImageError(self._by_name(error)) from error
        return Pixels(before, np.load(self.kept) if self.kept.exists() else None)

    def told(self, tile: Rectangle | None = None, following: Rectangle | None = None) -> dict[str, Any]:
        """The message to the page; ``tile``, just finished, and the one that is worked at, are parts as stored."""
        size = self.info.height, self.info.width
        progress = self.done / (size[0] * size[1])
        left = None
        if self.run is not None and self.state == "running" and progress:
            left = round((monotonic() - self.run.begun) * (1 / progress - 1), 1)
        return {
            "photograph": self.id,
            "state": self.state,
            "progress": round(progress, 5),
            "tile": tile and self.turn.upright_part(tile, *size),
            "next": following and self.turn.upright_part(following, *size),
            "seconds_left": left,
            "message": self.message,
        }

    def _by_name(self, error: Exception) -> str:
        return str(error).replace(str(self.path), self.name)


def clean_name(given: str) -> str:
    """A file's name that a page tells: its last part, without what no name has."""
    last = re.split(r"[/\\]", given)[-1]
    printable = "".join(c if c.isprintable() else " " for c in last).strip().lstrip(".")
    if len(printable) > MAX_NAME:
        stem, suffix = Path(printable).stem, Path(printable).suffix[:16]
        printable = stem[: MAX_NAME - len(suffix)] + suffix
    return printable or NAMELESS


def _opened(path: Path) -> tuple[pyvips.Image, ImageInfo]:
    image, info = open_image(path, upright=False)
    if info.height * info.width > MAX_PIXELS:
        got = f"{info.width} x {info.height} pixels"
        raise ImageError(f"{path}: got {got}, want at most {MAX_PIXELS // 10**6} megapixels")
    check_whole(path)
    return image, info
