"""PNG, TIFF, JPEG, WebP and AVIF, by libvips: each by its own loader, so that no other one meets a file's bytes."""

import logging
import struct
from pathlib import Path

import numpy as np
import pyvips

from ..errors import ImageError
from ..truncation import missing_bytes, tiff_pages
from .info import ImageInfo

# libvips' warnings come as log records, which Python prints where nobody asked for them; errors say it all.
logging.getLogger("pyvips").addHandler(logging.NullHandler())

_LOADERS = {"png": "pngload", "jpeg": "jpegload", "tiff": "tiffload", "webp": "webpload", "avif": "heifload"}
_BITS = {"uchar": 8, "ushort": 16, "float": 32}
_COLOURS = ("srgb", "rgb", "rgb16", "b-w", "grey16", "scrgb", "multiband")
_KEPT = ("icc-profile-data", "exif-data", "xmp-data", "iptc-data", "resolution-unit", "xres", "yres")
_INTERPRETATIONS = {8: ("b-w", "srgb"), 16: ("grey16", "rgb16"), 32: ("b-w", "scrgb")}  # grey, colours
_BITS_OF_AVIF = "avif-bits"
TURNED = "orientation"  # libvips' name for the EXIF orientation


def opened(path: Path, kind: str, upright: bool) -> tuple[pyvips.Image, ImageInfo]:
    """A picture whose header is read; its pixels are decoded when they are asked for, but for a turned one."""
    forget_errors()
    try:
        load = getattr(pyvips.Image, _LOADERS[kind])
        image = load(str(path), access="sequential", fail_on="truncated", revalidate=True)
    except pyvips.Error as error:
        raise ImageError(f"{path}: not a readable picture ({reason(error)})") from error
    fields = image.get_fields()
    _check(path, kind, image)
    bits = _BITS[image.format]
    if kind == "avif" and bits == 16:
        # The 10 or 12 bits there are stand at the top: below them once more, so that white is the whole scale.
        image = image | (image >> image.get("bits-per-sample"))
    if upright and TURNED in fields and image.get(TURNED) > 1:
        image = _evaluated(path, image).autorot()
    kept = {_BITS_OF_AVIF: (0, image.get("bits-per-sample"))} if kind == "avif" else {}
    return image, ImageInfo(
        format=kind,
        bits=bits,
        channels=1 if image.bands <= 2 else 3,
        height=image.height,
        width=image.width,
        metadata={
            name: (image.get_typeof(name), image.get(name))
            for name in fields
            if (not upright and name == TURNED)
            or ((name in _KEPT or name.startswith("exif-ifd")) and not (upright and name.endswith("-Orientation")))
        }
        | kept,
        transfer="linear" if bits == 32 else "srgb",
        has_alpha=image.bands in (2, 4),
        at_once=kind == "avif" or ("interlaced" in fields and image.get("interlaced") == 1),
    )


def of_pixels(pixels: np.ndarray) -> pyvips.Image:
    """``[H, W, 1 to 4]`` uint8, uint16 or float32, contiguous, as libvips has pictures; memory is shared."""
    height, width, bands = pixels.shape
    bits = 8 * pixels.itemsize
    image = pyvips.Image.new_from_memory(pixels.data, width, height, bands, {v: k for k, v in _BITS.items()}[bits])
    return image.copy(interpretation=_INTERPRETATIONS[bits][bands > 2])


def with_metadata(image: pyvips.Image, like: ImageInfo | None) -> pyvips.Image:
    """Profile, EXIF and resolution of another picture."""
    for name, (gtype, value) in (like.metadata if like else {}).items():
        if name in ("xres", "yres"):
            image = image.copy(**{name: value})
        elif not name.startswith(("exr-", "avif-")):
            image.set_type(gtype, name, value)
    if like is not None and "exif-data" in like.metadata and TURNED not in like.metadata:
        image.set_type(pyvips.GValue.gint_type, TURNED, 1)  # it is applied, but the EXIF block still has it
    return image


def save(image: pyvips.Image, kind: str, path: str, like: ImageInfo | None) -> None:
    """Write a picture as this kind. Raises pyvips.Error."""
    if kind == "png":
        image.pngsave(path)
    elif kind == "jpeg":
        image.jpegsave(path, Q=95, subsample_mode="off")
    elif kind == "tiff":
        # Not every reader knows the predictor of floating point.
        image.tiffsave(path, compression="deflate", predictor="none" if image.format == "float" else "horizontal")
    elif kind == "webp":
        image.webpsave(path, lossless=True, exact=True)  # exact: colours below alpha 0, too
    else:
        # Lossless needs no search for what to leave out: more effort takes far longer and saves few bytes.
        told = like.metadata.get(_BITS_OF_AVIF, (0, 12))[1] if like and like.bits == 16 else 12
        bits = 8 if image.format == "uchar" else told
        image.heifsave(path, compression="av1", lossless=True, effort=0, bitdepth=bits)


def forget_errors() -> None:
    """libvips goes on noting errors of a file that was given up; the next one's message would begin with them."""
    pyvips.vips_lib.vips_error_clear()


def reason(error: pyvips.Error) -> str:
    """libvips' message in one line."""
    lines = [line.strip() for line in str(error.detail).splitlines() if line.strip()]
    return lines[0] if lines else "empty, cut off, or of an unknown kind"


def _check(path: Path, kind: str, image: pyvips.Image) -> None:
    """Raise ImageError where the picture is of a form that is not read."""
    if image.interpretation == "cmyk":
        raise ImageError(f"{path}: a CMYK picture; its colours depend on a printer's profile: convert it to RGB first")
    if kind == "tiff":
        _check_tiff(path)
    elif kind != "avif" and "n-pages" in image.get_fields() and image.get("n-pages") > 1:
        raise ImageError(f"{path}: holds {image.get('n-pages')} pages, want one picture per file")
    if image.format not in _BITS or image.interpretation not in _COLOURS or image.bands > 4:
        raise ImageError(
            f"{path}: {image.bands} channels of {image.format} ({image.interpretation}), "
            "want grey or RGB of 8 or 16 bits or floating point, with or without alpha"
        )


def _check_tiff(path: Path) -> None:
    """All of the first page is there, and the others are smaller copies of it, as cameras and scanners write them."""
    try:
        pages, missing = tiff_pages(path), missing_bytes(path)
    except (struct.error, OSError, ValueError) as error:
        raise ImageError(f"{path}: truncated or damaged ({error})") from error
    if sum(not page.reduced for page in pages) > 1:
        raise ImageError(f"{path}: holds {len(pages)} pages, want one picture per file")
    if missing:
        raise ImageError(f"{path}: truncated or damaged ({missing} bytes of the picture are missing)")


def _evaluated(path: Path, image: pyvips.Image) -> pyvips.Image:
    try:
        return image.copy_memory()
    except pyvips.Error as error:
        raise ImageError(f"{path}: truncated or damaged ({reason(error)})") from error
