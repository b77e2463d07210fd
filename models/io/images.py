"""Pictures in and out: 8- and 16-bit PNG, TIFF, JPEG and WebP, bit-exact, the same kind out as in."""

import logging
import mmap
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyvips
import torch
from torch import Tensor

from .atomic import atomic_path
from .errors import ImageError, OutputError
from .truncation import check_whole, missing_bytes, png_chunks

# libvips' warnings come as log records, which Python prints where nobody asked for them; errors say it all.
logging.getLogger("pyvips").addHandler(logging.NullHandler())

SUFFIXES = (".png", ".tif", ".tiff", ".jpg", ".jpeg", ".webp")
_LOADERS = {"pngload": "png", "jpegload": "jpeg", "tiffload": "tiff", "webpload": "webp"}
_BY_SUFFIX = dict(zip(SUFFIXES, ("png", "tiff", "tiff", "jpeg", "jpeg", "webp"), strict=True))
_DTYPES = {"uchar": 8, "ushort": 16}
_COLOURS = ("srgb", "rgb", "rgb16", "b-w", "grey16", "multiband")
_KEPT = ("icc-profile-data", "exif-data", "xmp-data", "iptc-data", "resolution-unit", "xres", "yres")
_TURNED = "orientation"  # libvips' name for the EXIF orientation


@dataclass(frozen=True)
class ImageInfo:
    """What a picture file holds besides its colours.

    Attributes:
        format: ``png``, ``jpeg``, ``tiff`` or ``webp``.
        bits: 8 or 16 per channel.
        channels: 1 (grey) or 3 (RGB), without alpha.
        height, width: pixels, after the EXIF orientation is applied (as stored, where it is not).
        alpha: ``[1, H, W]`` uint8 or uint16, or None.
        metadata: ICC profile, EXIF, XMP, IPTC and resolution as libvips names them: ``name: (GType, value)``; and
            ``orientation`` where it is not applied.
    """

    format: str
    bits: int
    channels: int
    height: int
    width: int
    alpha: Tensor | None = field(default=None, compare=False)
    metadata: dict[str, tuple[int, Any]] = field(default_factory=dict, compare=False)


def is_image_name(path: Path) -> bool:
    """Whether the name has the suffix of a format that can be read; files whose name starts with a dot do not."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def open_image(path: str | Path, *, upright: bool = True) -> tuple[pyvips.Image, ImageInfo]:
    """Read a picture's header only; the pixels are decoded later, by ``decode`` or ``decode_pixels``.

    Args:
        path: the file.
        upright: apply the EXIF orientation (which decodes the picture). False: the pixels come as they are stored, and
            the metadata tell the orientation.

    Raises:
        ImageError: missing, not a picture, or of a kind that is not read (CMYK, float, several pages).
    """
    path = Path(path)
    if not path.is_file():
        raise ImageError(f"{path}: {'is a folder, want a picture' if path.is_dir() else 'no such file'}")
    _check_name(path)
    try:
        image = pyvips.Image.new_from_file(str(path), access="sequential", fail_on="truncated", revalidate=True)
    except pyvips.Error as error:
        raise ImageError(f"{path}: not a readable picture ({_reason(error)})") from error
    fields = image.get_fields()
    loader = str(image.get("vips-loader")).removesuffix("_source")
    if loader not in _LOADERS:
        raise ImageError(f"{path}: a picture of kind {loader.removesuffix('load')!r}, want PNG, TIFF, JPEG or WebP")
    if "n-pages" in fields and image.get("n-pages") > 1:
        raise ImageError(f"{path}: holds {image.get('n-pages')} pages, want one picture per file")
    if image.interpretation == "cmyk":
        raise ImageError(f"{path}: a CMYK picture; its colours depend on a printer's profile: convert it to RGB first")
    if image.format not in _DTYPES or image.interpretation not in _COLOURS or image.bands > 4:
        raise ImageError(
            f"{path}: {image.bands} channels of {image.format} ({image.interpretation}), "
            "want grey or RGB of 8 or 16 bits, with or without alpha"
        )
    if loader == "tiffload":
        _check_whole_tiff(path)
    if upright and _TURNED in fields and image.get(_TURNED) > 1:
        image = _evaluate(path, image).autorot()
    info = ImageInfo(
        format=_LOADERS[loader],
        bits=_DTYPES[image.format],
        channels=1 if image.bands <= 2 else 3,
        height=image.height,
        width=image.width,
        metadata={
            name: (image.get_typeof(name), image.get(name))
            for name in fields
            if (not upright and name == _TURNED)
            or ((name in _KEPT or name.startswith("exif-ifd")) and not (upright and name.endswith("-Orientation")))
        },
    )
    return image, info


def decode_pixels(path: str | Path, image: pyvips.Image) -> np.ndarray:
    """The pixels of an opened picture, in one block of memory that may be written to.

    Returns: ``[H, W, 1 to 4]`` uint8 or uint16: grey or RGB, then alpha where there is one.
    Raises: ImageError: the file is truncated or damaged.
    """
    try:
        pixels = image.numpy()
    except pyvips.Error as error:
        raise ImageError(f"{path}: truncated or damaged ({_reason(error)})") from error
    return pixels.reshape(image.height, image.width, image.bands)


def decode(path: str | Path, image: pyvips.Image) -> tuple[np.ndarray, np.ndarray | None]:
    """The pixels of an opened picture, colours and alpha apart.

    Returns: ``[H, W, C]`` colours with C = 1 or 3, and ``[H, W]`` alpha or None; uint8 or uint16.
    Raises: ImageError: the file is truncated or damaged.
    """
    pixels = decode_pixels(path, image)
    return (pixels[..., :-1], pixels[..., -1]) if image.bands in (2, 4) else (pixels, None)


def read_image(path: str | Path) -> tuple[Tensor, ImageInfo]:
    """Read a picture, bit-exact, with its EXIF orientation applied.

    Args:
        path: an 8- or 16-bit grey or RGB PNG, TIFF, JPEG or WebP, with or without alpha.

    Returns: ``[C, H, W]`` uint8 or uint16 in the file's own encoding (C = 1 or 3), and what else the file holds.

    Raises:
        ImageError: missing, not a picture, truncated, or of a kind that is not read.
    """
    image, info = open_image(path)
    colours, alpha = decode(path, image)
    kept = None if alpha is None else torch.from_numpy(np.ascontiguousarray(alpha))[None]
    tensor = torch.from_numpy(np.ascontiguousarray(colours.transpose(2, 0, 1)))
    return tensor, ImageInfo(**{**vars(info), "alpha": kept})


def write_image(path: str | Path, image: Tensor, *, bits: int | None = None, like: ImageInfo | None = None) -> None:
    """Write a picture; the file appears whole or not at all, and replaces an older one.

    Args:
        path: ``.png``, ``.tif``, ``.tiff``, ``.jpg``, ``.jpeg`` or ``.webp`` (written lossless; JPEG at quality 95
            without chroma subsampling).
        image: ``[C, H, W]``, C = 1 or 3: uint8 or uint16 written as they are, or floating point in [0, 1], clamped
            and rounded to ``bits``.
        bits: 8 or 16; default: those of ``like``, else of an integer ``image``, else 8.
        like: depth, alpha, ICC profile, EXIF and resolution of the picture that ``image`` was made from.

    Raises:
        ImageError: the format cannot hold the picture, or its shape, dtype or values are wrong.
        OutputError: the file cannot be written.
    """
    path = Path(path)
    kind = _kind(path)
    if image.dim() != 3 or image.shape[0] not in (1, 3) or 0 in image.shape:
        raise ImageError(f"{path}: got a tensor of shape {list(image.shape)}, want [1 or 3, H, W]")
    pixels = to_integers(path, image, bits or (like.bits if like else None))
    if like is not None and like.alpha is not None and kind != "jpeg":
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
        pixels: ``[H, W, 1 to 4]`` uint8 or uint16, contiguous: grey or RGB, then alpha where there is one.
        like: ICC profile, EXIF, orientation and resolution of the picture that the pixels were made from.
        started: is given the picture before it is encoded: ``set_kill(True)`` on it, from any thread, ends this call
            with an OutputError.

    Raises:
        ImageError: the format cannot hold the picture.
        OutputError: the file cannot be written.
    """
    path = Path(path)
    height, width, bands = pixels.shape
    kind = check_writable(path, 8 * pixels.itemsize, bands)
    eight = pixels.dtype == np.uint8
    picture = pyvips.Image.new_from_memory(pixels.data, width, height, bands, "uchar" if eight else "ushort")
    grey, colour = ("b-w", "srgb") if eight else ("grey16", "rgb16")
    picture = picture.copy(interpretation=grey if bands <= 2 else colour)
    for name, (gtype, value) in (like.metadata if like else {}).items():
        if name in ("xres", "yres"):
            picture = picture.copy(**{name: value})
        else:
            picture.set_type(gtype, name, value)
    if like is not None and "exif-data" in like.metadata and _TURNED not in like.metadata:
        picture.set_type(pyvips.GValue.gint_type, _TURNED, 1)  # it is applied, but the EXIF block still has it
    started(picture)
    with atomic_path(path) as temporary:
        try:
            _save(picture, kind, str(temporary))
        except pyvips.Error as error:
            raise OutputError(f"cannot write {path}: {_reason(error)}") from error


def check_writable(path: Path, bits: int, bands: int) -> str:
    """The format that the name asks for. Raises ImageError where that cannot hold ``bands`` channels of ``bits``."""
    kind = _kind(path)
    if bits == 16 and kind in ("jpeg", "webp"):
        raise ImageError(f"{path}: {kind.upper()} holds 8 bits per channel, not 16: write PNG or TIFF")
    if kind == "jpeg" and bands in (2, 4):
        raise ImageError(f"{path}: JPEG holds no alpha: write PNG, TIFF or WebP")
    return kind


def _check_name(path: Path) -> None:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise ImageError(
            f"{str(path)!a}: got a name that is no UTF-8, which libvips does not take: rename it"
        ) from None


def _kind(path: Path) -> str:
    _check_name(path)
    kind = _BY_SUFFIX.get(path.suffix.lower())
    if kind is None:
        raise ImageError(f"{path}: cannot write {path.suffix or 'a name without suffix'!r}, want {', '.join(SUFFIXES)}")
    return kind


def _save(picture: pyvips.Image, kind: str, path: str) -> None:
    if kind == "png":
        picture.pngsave(path)
    elif kind == "jpeg":
        picture.jpegsave(path, Q=95, subsample_mode="off")
    elif kind == "tiff":
        picture.tiffsave(path, compression="deflate", predictor="horizontal")
    else:
        picture.webpsave(path, lossless=True, exact=True)  # exact: colours below alpha 0, too


def to_integers(path: str | Path, image: Tensor, bits: int | None) -> np.ndarray:
    """The values that ``write_image`` writes, ``[C, H, W]`` uint8 or uint16; ``path`` is named in errors."""
    image = image.detach().cpu()
    if image.is_floating_point():
        bits = bits or 8
        if bits not in (8, 16):
            raise ImageError(f"{path}: got bits = {bits}, want 8 or 16")
        if not bool(torch.isfinite(image).all()):
            raise ImageError(f"{path}: the picture holds NaN or infinite values")
        levels = 255 if bits == 8 else 65535
        steps = (image.double().clamp(0, 1) * levels).round().numpy()
        return steps.astype(np.uint8 if bits == 8 else np.uint16)
    own = {torch.uint8: 8, torch.uint16: 16}.get(image.dtype)
    if own is None:
        raise ImageError(f"{path}: got dtype {image.dtype}, want uint8, uint16 or floating point in [0, 1]")
    if bits not in (None, own):
        raise ImageError(f"{path}: got a {own}-bit picture to write with {bits} bits; pass floating point in [0, 1]")
    return image.numpy()


def _alpha(path: Path, alpha: Tensor, pixels: np.ndarray) -> np.ndarray:
    values = alpha.numpy()
    if values.shape[1:] != pixels.shape[1:]:
        raise ImageError(f"{path}: alpha of size {list(values.shape[1:])} for a picture of {list(pixels.shape[1:])}")
    if values.dtype == pixels.dtype:
        return values
    wide = values.astype(np.uint16)
    return wide * 257 if pixels.dtype == np.uint16 else ((wide.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _check_whole_tiff(path: Path) -> None:
    try:
        missing = missing_bytes(path)
    except (struct.error, OSError) as error:
        raise ImageError(f"{path}: truncated or damaged ({error})") from error
    if missing:
        raise ImageError(f"{path}: truncated or damaged ({missing} bytes of the picture are missing)")


def _evaluate(path: Path, image: pyvips.Image) -> pyvips.Image:
    try:
        return image.copy_memory()
    except pyvips.Error as error:
        raise ImageError(f"{path}: truncated or damaged ({_reason(error)})") from error


def _reason(error: pyvips.Error) -> str:
    """libvips' message in one line."""
    lines = [line.strip() for line in str(error.detail).splitlines() if line.strip()]
    return lines[0] if lines else "empty, cut off, or of an unknown kind"


def picture_header(path: Path) -> ImageInfo:
    """What a picture file holds, of a file that is all there.

    A plain PNG tells it in its first bytes, sooner than an opened decoder does: light fields have hundreds.

    Raises:
        ImageError: as ``open_image`` and ``check_whole``.
    """
    info = _plain_png(path)
    if info is None:
        check_whole(path)
        info = open_image(path)[1]
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
