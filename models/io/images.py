"""Pictures in and out, bit-exact, the same kind out as in: 8 and 16 bits, and floating point, which is linear light."""

import mmap
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyvips
import torch
from torch import Tensor

from .atomic import atomic_path
from .errors import ImageError, OutputError
from .pictures import bmp, exr, heic, pnm, vips_files
from .pictures.info import ImageInfo, full_scale
from .pictures.kinds import KINDS, READ, SUFFIXES, check_holds, kind_of, kind_of_name
from .srgb import linear_to_srgb
from .truncation import check_whole, png_chunks

__all__ = [
    "KINDS",
    "READ",
    "SUFFIXES",
    "ImageInfo",
    "check_writable",
    "decode",
    "decode_pixels",
    "full_scale",
    "image_info",
    "is_image_name",
    "open_image",
    "picture_header",
    "read_encoded",
    "read_image",
    "to_integers",
    "write_image",
    "write_pixels",
]

_OWN = {"pnm": pnm, "bmp": bmp, "heic": heic, "exr": exr}  # kinds with a file of their own


def is_image_name(path: Path) -> bool:
    """Whether the name has the suffix of a kind that can be read; files whose name starts with a dot do not."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def image_info(path: str | Path, *, upright: bool = True) -> ImageInfo:
    """What ``open_image`` tells of a picture; nothing is decoded but a picture that has to be turned.

    Raises: ImageError: as ``open_image``.
    """
    path, kind = _kind_of_file(path)
    return _OWN[kind].header(path) if kind in _OWN else vips_files.opened(path, kind, upright)[1]


def open_image(path: str | Path, *, upright: bool = True) -> tuple[pyvips.Image, ImageInfo]:
    """Open a picture. Where libvips has a loader, its header alone is read, and ``decode`` or ``decode_pixels`` decode.

    Args:
        path: the file. What kind it is, its first bytes tell, not its name.
        upright: apply the EXIF orientation (which decodes the picture). False: the pixels come as they are stored, and
            the metadata tell the orientation. (HEIC and AVIF are always upright.)

    Raises:
        ImageError: missing, not a picture, of a form that is not read (CMYK, 32-bit integers, several pages), or of a
            kind whose library, of the extra ``pictures``, is missing.
    """
    path, kind = _kind_of_file(path)
    if kind not in _OWN:
        return vips_files.opened(path, kind, upright)
    pixels, info = _OWN[kind].read(path)
    return vips_files.of_pixels(np.ascontiguousarray(pixels)), info


def decode_pixels(path: str | Path, image: pyvips.Image) -> np.ndarray:
    """The pixels of an opened picture, in one block of memory that may be written to.

    Returns: ``[H, W, 1 to 4]`` uint8, uint16 or float32: grey or RGB, then alpha where there is one.
    Raises: ImageError: the file is truncated or damaged.
    """
    vips_files.forget_errors()
    try:
        pixels = image.numpy()
    except pyvips.Error as error:
        raise ImageError(f"{path}: truncated or damaged ({vips_files.reason(error)})") from error
    return pixels.reshape(image.height, image.width, image.bands)


def decode(path: str | Path, image: pyvips.Image) -> tuple[np.ndarray, np.ndarray | None]:
    """The pixels of an opened picture, colours and alpha apart.

    Returns: ``[H, W, C]`` colours with C = 1 or 3, and ``[H, W]`` alpha or None; uint8, uint16 or float32.
    Raises: ImageError: the file is truncated or damaged.
    """
    pixels = decode_pixels(path, image)
    return (pixels[..., :-1], pixels[..., -1]) if image.bands in (2, 4) else (pixels, None)


def read_image(path: str | Path) -> tuple[Tensor, ImageInfo]:
    """Read a picture, bit-exact, with its EXIF orientation applied.

    Args:
        path: a grey or RGB picture of 8 or 16 bits or floating point, with or without alpha.

    Returns: ``[C, H, W]`` uint8, uint16 or float32 in the file's own encoding (C = 1 or 3), and what else the file
        holds. Floating point is linear light, and may exceed 1.

    Raises:
        ImageError: missing, not a picture, truncated, or of a kind that is not read.
    """
    image, info = open_image(path)
    colours, alpha = decode(path, image)
    kept = None if alpha is None else torch.from_numpy(np.ascontiguousarray(alpha))[None]
    tensor = torch.from_numpy(np.ascontiguousarray(colours.transpose(2, 0, 1)))
    return tensor, replace(info, alpha=kept)


def read_encoded(path: str | Path) -> tuple[Tensor, ImageInfo]:
    """``read_image``, but linear light is encoded for display: float32 in [0, 1], cut off there, told as of 16 bits.

    Raises: ImageError: as ``read_image``, or values that are NaN.
    """
    picture, info = read_image(path)
    if info.transfer == "linear":
        if bool(torch.isnan(picture).any()):
            raise ImageError(f"{path}: the picture holds NaN")
        picture, info = linear_to_srgb(picture.clamp(0, 1)), replace(info, bits=16, transfer="srgb")
    return picture, info


def write_image(path: str | Path, image: Tensor, *, bits: int | None = None, like: ImageInfo | None = None) -> None:
    """Write a picture; the file appears whole or not at all, and replaces an older one.

    Args:
        path: ``.png``, ``.tif``, ``.tiff``, ``.jpg``, ``.jpeg`` (at quality 95 without chroma subsampling), ``.webp``
            or ``.avif`` (both lossless; of 16 bits AVIF keeps the upper 12, or as many as that of ``like``), ``.bmp``,
            ``.ppm``, ``.pgm``, ``.pnm`` or ``.exr``.
        image: ``[C, H, W]``, C = 1 or 3: uint8 or uint16 written as they are, or floating point in [0, 1], clamped
            and rounded to ``bits``.
        bits: 8, 16, or 32: floating point as it is, which readers take for linear light (TIFF and OpenEXR); default:
            those of ``like``, else of an integer ``image``, else 8, in OpenEXR 32.
        like: depth, alpha, ICC profile, EXIF and resolution of the picture that ``image`` was made from.

    Raises:
        ImageError: the format cannot hold the picture, its shape, dtype or values are wrong, or a library is missing.
        OutputError: the file cannot be written.
    """
    path = Path(path)
    kind = _kind_of_name(path)
    if image.dim() != 3 or image.shape[0] not in (1, 3) or 0 in image.shape:
        raise ImageError(f"{path}: got a tensor of shape {list(image.shape)}, want [1 or 3, H, W]")
    if bits is None:
        bits = like.bits if like else 32 if kind == "exr" and image.is_floating_point() else None
    pixels = _to_floats(path, image) if bits == 32 else to_integers(path, image, bits)
    if like is not None and like.alpha is not None and KINDS[kind].alpha:
        pixels = np.concatenate([pixels, _alpha(path, like.alpha, pixels)])
    write_pixels(path, np.ascontiguousarray(pixels.transpose(1, 2, 0)), like=like)


def write_pixels(
    path: str | Path,
    pixels: np.ndarray,
    *,
    like: ImageInfo | None = None,
    started: Callable[[pyvips.Image], None] = lambda _: None,
) -> None:
    """Write a block of pixels as it is, without a copy; the file appears whole or not at all.

    Args:
        path: as for ``write_image``.
        pixels: ``[H, W, 1 to 4]`` uint8, uint16 or float32, contiguous: grey or RGB, then alpha where there is one.
        like: ICC profile, EXIF, orientation and resolution of the picture that the pixels were made from.
        started: is given the picture before libvips encodes it: ``set_kill(True)`` on it, from any thread, ends this
            call with an OutputError.

    Raises:
        ImageError: the format cannot hold the picture.
        OutputError: the file cannot be written.
    """
    path = Path(path)
    kind = check_writable(path, 8 * pixels.itemsize, pixels.shape[2])
    with atomic_path(path) as temporary:
        if kind == "pnm":
            pnm.write(temporary, pixels)
        elif kind == "bmp":
            bmp.write(temporary, pixels, like)
        elif kind == "exr":
            exr.write(temporary, pixels, like)
        else:
            picture = vips_files.with_metadata(vips_files.of_pixels(pixels), like)
            started(picture)
            try:
                vips_files.save(picture, kind, str(temporary), like)
            except pyvips.Error as error:
                raise OutputError(f"cannot write {path}: {vips_files.reason(error)}") from error


def check_writable(path: Path, bits: int, bands: int) -> str:
    """The kind that the name asks for. Raises ImageError where that cannot hold ``bands`` channels of ``bits``."""
    kind = _kind_of_name(path)
    check_holds(path, kind, bits, bands)
    return kind


def _kind_of_file(path: str | Path) -> tuple[Path, str]:
    path = Path(path)
    if not path.is_file():
        raise ImageError(f"{path}: {'is a folder, want a picture' if path.is_dir() else 'no such file'}")
    _check_name(path)
    return path, kind_of(path)


def _kind_of_name(path: Path) -> str:
    _check_name(path)
    return kind_of_name(path)


def _check_name(path: Path) -> None:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise ImageError(
            f"{str(path)!a}: got a name that is no UTF-8, which libvips does not take: rename it"
        ) from None


def to_integers(path: str | Path, image: Tensor, bits: int | None) -> np.ndarray:
    """The values that ``write_image`` writes, ``[C, H, W]`` uint8 or uint16; ``path`` is named in errors."""
    image = image.detach().cpu()
    if image.is_floating_point():
        bits = bits or 8
        if bits not in (8, 16):
            raise ImageError(f"{path}: got bits = {bits}, want 8 or 16, or 32 for floating point as it is")
        _check_finite(path, image)
        levels = 255 if bits == 8 else 65535
        steps = (image.double().clamp(0, 1) * levels).round().numpy()
        return steps.astype(np.uint8 if bits == 8 else np.uint16)
    own = {torch.uint8: 8, torch.uint16: 16}.get(image.dtype)
    if own is None:
        raise ImageError(f"{path}: got dtype {image.dtype}, want uint8, uint16 or floating point in [0, 1]")
    if bits not in (None, own):
        raise ImageError(f"{path}: got a {own}-bit picture to write with {bits} bits; pass floating point in [0, 1]")
    return image.numpy()


def _to_floats(path: Path, image: Tensor) -> np.ndarray:
    if not image.is_floating_point():
        raise ImageError(f"{path}: got dtype {image.dtype} to write with 32 bits, want floating point in linear light")
    _check_finite(path, image)
    return image.detach().cpu().float().numpy()


def _check_finite(path: str | Path, image: Tensor) -> None:
    if not bool(torch.isfinite(image).all()):
        raise ImageError(f"{path}: the picture holds NaN or infinite values")


def _alpha(path: Path, alpha: Tensor, pixels: np.ndarray) -> np.ndarray:
    values = alpha.numpy()
    if values.shape[1:] != pixels.shape[1:]:
        raise ImageError(f"{path}: alpha of size {list(values.shape[1:])} for a picture of {list(pixels.shape[1:])}")
    if values.dtype == pixels.dtype:
        return values
    if pixels.dtype == np.float32 or values.dtype == np.float32:
        share = np.clip(values / full_scale(values.dtype), 0, 1) * full_scale(pixels.dtype)
        return (share if pixels.dtype == np.float32 else np.rint(share)).astype(pixels.dtype)
    wide = values.astype(np.uint16)
    return wide * 257 if pixels.dtype == np.uint16 else ((wide.astype(np.uint32) + 128) // 257).astype(np.uint8)


def picture_header(path: Path) -> ImageInfo:
    """What a picture file holds, of a file that is all there.

    A plain PNG tells it in its first bytes, sooner than an opened decoder does: light fields have hundreds.

    Raises:
        ImageError: as ``open_image`` and ``check_whole``.
    """
    info = _plain_png(path)
    if info is None:
        check_whole(path)
        info = image_info(path)
    return info


def _plain_png(path: Path) -> ImageInfo | None:
    """None where it is no whole PNG of grey or RGB, or has what its reader has to look at: alpha, palette, EXIF."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            chunks = dict(png_chunks(data))
            if b"IHDR" not in chunks or b"IDAT" not in chunks or b"IEND" not in chunks or b"eXIf" in chunks:
                return None
            width, height, bits, colours = struct.unpack_from(">IIBB", data, chunks[b"IHDR"])
    except (OSError, ValueError, struct.error):  # missing, empty or broken: whoever opens it tells that
        return None
    if bits not in (8, 16) or colours not in (0, 2) or not 0 < width < 2**31 or not 0 < height < 2**31:
        return None
    return ImageInfo(format="png", bits=bits, channels=1 if colours == 0 else 3, height=height, width=width)
