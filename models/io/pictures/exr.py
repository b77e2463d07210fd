"""OpenEXR, by its own library: linear light in half or single precision."""

import struct
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ImageError
from .info import ImageInfo
from .optional import need

_REC709 = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)  # x and y of red, green, blue and white
_HALF, _PRIMARIES = "exr-half", "exr-chromaticities"
_LARGEST = 1 << 30  # pixels
_USUAL, _MOST_PACKED = 1 << 26, 2048  # pixels that any file may tell of, and that a byte of it can stand for
_CHANNELS, _HEADER = b"channels\0chlist\0", 1 << 16  # bytes
_KIND_OF_HALF = 1
_ERRORS = (RuntimeError, ValueError, TypeError, KeyError, IndexError)  # what the library raises of files


def header(path: Path) -> ImageInfo:
    with _opened(path, header_only=True) as file:
        return _info(path, file)


def read(path: Path) -> tuple[np.ndarray, ImageInfo]:
    """``[H, W, 1 to 4]`` float32, as it is shown: black where the file has no pixels, without those beyond the frame;
    and the header.

    Luminance with chroma at half the size becomes RGB.
    """
    info = header(path)  # before the library takes memory for what the file claims to hold
    with _opened(path) as file:
        try:
            channels = {name: channel.pixels for name, channel in file.channels().items()}
            left, top = (int(value) for value in file.header()["dataWindow"][0])
            shown_left, shown_top = (int(value) for value in file.header()["displayWindow"][0])
        except _ERRORS as error:
            raise ImageError(f"{path}: truncated or damaged ({error})") from error
    names = _names(path, list(channels))
    if any(channels[name].dtype.kind != "f" for name in names):
        raise ImageError(f"{path}: channels of integers ({', '.join(names)}), want floating point")
    if "RY" in channels and "BY" in channels and names[0] == "Y":
        planes = [*_rgb_of_chroma(channels, _primaries(info)), *(channels[name] for name in names[1:])]
    else:
        planes = [channels[name] for name in names]
    values = np.stack([plane.astype(np.float32) for plane in planes], -1)
    if (top, left) == (shown_top, shown_left) and values.shape[:2] == (info.height, info.width):
        return values, info
    framed = np.zeros((info.height, info.width, values.shape[2]), np.float32)
    down, across = ((max(0, at - frame), max(0, frame - at)) for at, frame in ((top, shown_top), (left, shown_left)))
    part = values[down[1] :, across[1] :][: max(0, info.height - down[0]), : max(0, info.width - across[0])]
    framed[down[0] : down[0] + part.shape[0], across[0] : across[0] + part.shape[1]] = part
    return framed, info


def write(path: Path, pixels: np.ndarray, like: ImageInfo | None) -> None:
    """``[H, W, 1 to 4]`` float32; half precision and the primaries of ``like``, where it has them.

    Raises: ImageError: the library is missing. OSError: it cannot be written.
    """
    library = need("OpenEXR", path)
    kept = {} if like is None else like.metadata
    if kept.get(_HALF, (0, False))[1]:
        most = np.finfo(np.float16).max
        pixels = np.clip(pixels, -most, most).astype(np.float16)
    names = {1: ["Y"], 2: ["Y", "A"], 3: ["R", "G", "B"], 4: ["R", "G", "B", "A"]}[pixels.shape[2]]
    told = {"compression": library.ZIP_COMPRESSION, "type": library.scanlineimage}
    if _PRIMARIES in kept:
        told["chromaticities"] = kept[_PRIMARIES][1]
    channels = {name: np.ascontiguousarray(pixels[..., index]) for index, name in enumerate(names)}
    try:
        with library.File(told, channels) as file:
            file.write(str(path))
    except _ERRORS as error:
        raise OSError(str(error)) from error


def _opened(path: Path, header_only: bool = False) -> Any:
    library = need("OpenEXR", path)
    try:
        file = library.File(str(path), separate_channels=True, header_only=header_only)
        file.header()
    except _ERRORS as error:
        raise ImageError(f"{path}: truncated or damaged ({error})") from error
    return file


def _info(path: Path, file: Any) -> ImageInfo:
    told = file.header()
    if "deep" in str(told["type"]):
        raise ImageError(f"{path}: a deep picture, want one with a value for each pixel")
    (left, top), (right, bottom) = told["displayWindow"]
    width, height = int(right) - int(left) + 1, int(bottom) - int(top) + 1
    data_width, data_height = (int(last) - int(first) + 1 for first, last in zip(*told["dataWindow"], strict=True))
    most = max(width * height, data_width * data_height)
    if min(width, height) < 1 or most > min(_LARGEST, max(_USUAL, _MOST_PACKED * path.stat().st_size)):
        raise ImageError(f"{path}: damaged (a size of {width}x{height} pixels)")
    there = _channel_names(path, told)
    names = _names(path, there)
    kept: dict[str, tuple[int, Any]] = {}
    if _kinds_of_numbers(path).get(names[0]) == _KIND_OF_HALF:
        kept[_HALF] = 0, True
    if "chromaticities" in told:
        kept[_PRIMARIES] = 0, tuple(told["chromaticities"])
    colours = names[0] == "R" or {"RY", "BY"} <= set(there)
    return ImageInfo(
        format="exr",
        bits=32,
        channels=3 if colours else 1,
        height=height,
        width=width,
        metadata=kept,
        transfer="linear",
        has_alpha=names[-1] == "A" and len(names) > 1,
        at_once=True,
    )


def _channel_names(path: Path, told: Any) -> list[str]:
    try:
        return [channel.name for channel in told["channels"]]
    except _ERRORS as error:
        raise ImageError(f"{path}: damaged (names of channels that are no text)") from error


def _kinds_of_numbers(path: Path) -> dict[str, int]:
    """Of each channel, from the first header; the library tells them only of pixels that are read."""
    with path.open("rb") as file:
        data = file.read(_HEADER)
    listed = data.partition(_CHANNELS)[2]
    found: dict[str, int] = {}
    at = 4  # after the size of the list
    while at < len(listed) and listed[at]:
        end = listed.find(b"\0", at)
        if not 0 < end <= len(listed) - 5:
            break
        (found[listed[at:end].decode("latin-1")],) = struct.unpack_from("<i", listed, end + 1)
        at = end + 17
    return found


def _names(path: Path, there: list[str]) -> list[str]:
    """The channels of the picture: colours or grey, then alpha where it is; views and layers are left out."""
    if {"R", "G", "B"} <= set(there):
        found = ["R", "G", "B"]
    elif "Y" in there:
        found = ["Y"]
    elif len(there) == 1:
        return there
    else:
        raise ImageError(f"{path}: channels {', '.join(there[:8])}, want R, G and B, or Y, or a single one")
    return [*found, *(["A"] if "A" in there else [])]


def _primaries(info: ImageInfo) -> tuple[float, ...]:
    told: tuple[float, ...] = info.metadata.get(_PRIMARIES, (0, _REC709))[1]
    return told


def _rgb_of_chroma(channels: dict[str, np.ndarray], primaries: tuple[float, ...]) -> list[np.ndarray]:
    """RGB of luminance Y, ``RY = (R - Y) / Y`` and ``BY = (B - Y) / Y``, both of every second pixel."""
    luma = channels["Y"].astype(np.float32)
    ry, by = (_enlarged(channels[name].astype(np.float32), luma.shape) for name in ("RY", "BY"))
    red, blue = (1 + ry) * luma, (1 + by) * luma
    shares = _luminance(primaries)
    return [red, (luma - shares[0] * red - shares[2] * blue) / shares[1], blue]


def _luminance(primaries: tuple[float, ...]) -> np.ndarray:
    """How much red, green and blue add to the luminance, from the places of the primaries and of white."""
    x, y = np.array(primaries[0::2], np.float64), np.array(primaries[1::2], np.float64)
    colours = np.stack([x / y, np.ones(4), (1 - x - y) / y])  # XYZ at Y = 1, columns red, green, blue, white
    return np.asarray(np.linalg.solve(colours[:, :3], colours[:, 3]), np.float32)


def _enlarged(half: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Samples of every second row and column, linear between them."""
    for axis, length in enumerate(shape):
        if half.shape[axis] == length:
            continue
        places = np.minimum(np.arange(length) / 2, half.shape[axis] - 1)
        before = places.astype(int)
        after = np.minimum(before + 1, half.shape[axis] - 1)
        share = np.expand_dims((places - before).astype(np.float32), 1 - axis)
        half = half.take(before, axis) * (1 - share) + half.take(after, axis) * share
    return half
