"""HEIC, by pillow-heif: the libvips that pip installs can decode AV1, and not HEVC."""

from pathlib import Path
from typing import Any

import numpy as np
import pyvips

from ..errors import ImageError
from .info import ImageInfo
from .optional import need

_CHANNELS = {"L": 1, "LA": 1, "RGB": 3, "RGBA": 3}
_ERRORS = (OSError, ValueError, RuntimeError, EOFError, SyntaxError, IndexError)  # what the library raises of files
_BLOCKS = {"exif": "exif-data", "xmp": "xmp-data", "icc_profile": "icc-profile-data"}


def header(path: Path) -> ImageInfo:
    return _info(path, _opened(path))


def read(path: Path) -> tuple[np.ndarray, ImageInfo]:
    """``[H, W, 1 to 4]`` uint8 or uint16, upright, and the header; 10 and 12 bits are spread over 16."""
    opened = _opened(path)
    info = _info(path, opened)
    try:
        values = np.asarray(opened).reshape(info.height, info.width, info.channels + info.has_alpha)
    except _ERRORS as error:
        raise ImageError(f"{path}: truncated or damaged ({_in_a_line(error)})") from error
    return (values if info.bits == 8 else values | (values >> np.uint16(opened.info["bit_depth"]))), info


def _opened(path: Path) -> Any:
    """The main picture of a file, its header read."""
    library = need("pillow_heif", path)
    try:
        opened = library.open_heif(path, convert_hdr_to_8bit=False)
        len(opened.mode)  # asks for the main picture, which may be missing
    except _ERRORS as error:
        raise ImageError(f"{path}: not a readable picture ({_in_a_line(error)})") from error
    return opened


def _info(path: Path, opened: Any) -> ImageInfo:
    mode, _, bits = opened.mode.partition(";")
    if mode not in _CHANNELS or bits not in ("", "16"):
        raise ImageError(f"{path}: pixels of the kind {opened.mode}, want grey or RGB of 8 to 16 bits")
    width, height = opened.size
    blob = pyvips.GValue.blob_type
    kept = {name: (blob, opened.info[block]) for block, name in _BLOCKS.items() if opened.info.get(block)}
    return ImageInfo(
        format="heic",
        bits=16 if bits else 8,
        channels=_CHANNELS[mode],
        height=height,
        width=width,
        metadata=kept,
        has_alpha=mode.endswith("A"),
        at_once=True,
    )


def _in_a_line(error: Exception) -> str:
    return " ".join(str(error).split())
