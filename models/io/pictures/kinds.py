"""Which kinds of picture files there are, and what tells one from another: its first bytes, never its name."""

import struct
from dataclasses import dataclass
from pathlib import Path

from ..errors import ImageError
from ..png import SIGNATURE


@dataclass(frozen=True)
class Kind:
    """Of picture files.

    Attributes:
        title: for errors.
        suffixes: of names, in lower case; the first one is that of new files.
        bits: per channel that can be written; 32 is floating point. None: it is not written.
        alpha: whether it holds that.
    """

    title: str
    suffixes: tuple[str, ...]
    bits: tuple[int, ...]
    alpha: bool


KINDS = {
    "png": Kind("PNG", (".png",), (8, 16), alpha=True),
    "tiff": Kind("TIFF", (".tif", ".tiff"), (8, 16, 32), alpha=True),
    "jpeg": Kind("JPEG", (".jpg", ".jpeg"), (8,), alpha=False),
    "webp": Kind("WEBP", (".webp",), (8,), alpha=True),
    "bmp": Kind("BMP", (".bmp",), (8,), alpha=False),
    "pnm": Kind("PPM", (".ppm", ".pgm", ".pnm"), (8, 16), alpha=False),
    "avif": Kind("AVIF", (".avif",), (8, 16), alpha=True),
    "heic": Kind("HEIC", (".heic", ".heif", ".hif"), (), alpha=True),
    "exr": Kind("OpenEXR", (".exr",), (32,), alpha=True),
}
SUFFIXES = tuple(suffix for kind in KINDS.values() for suffix in kind.suffixes)
READ = "PNG, TIFF, JPEG, WebP, BMP, PPM, AVIF, HEIC or OpenEXR"
_BY_SUFFIX = {suffix: name for name, kind in KINDS.items() for suffix in kind.suffixes}
_MAGIC = {
    SIGNATURE: "png",
    b"\xff\xd8\xff": "jpeg",
    b"II*\0": "tiff",
    b"MM\0*": "tiff",
    b"II+\0": "tiff",
    b"MM\0+": "tiff",
    b"BM": "bmp",
    b"\x76\x2f\x31\x01": "exr",
    **{b"P" + which + space: "pnm" for which in (b"2", b"3", b"5", b"6") for space in (b"\n", b" ", b"\t", b"\r")},
}
_OTHERS = {b"GIF8": "gif", b"\x00\x00\x00\x0cjP": "JPEG 2000", b"\xff\x0a": "JPEG XL", b"P7\n": "PAM", b"P4\n": "PBM"}
_BRANDS = {b"avif": "avif", b"avis": "avif", b"heic": "heic", b"heix": "heic", b"heim": "heic", b"heis": "heic"}


def kind_of(path: Path) -> str:
    """The kind of a picture file, by its first bytes. Raises ImageError: of no kind that is read, or unreadable."""
    try:
        with path.open("rb") as file:
            start = file.read(256)
    except OSError as error:
        raise ImageError(f"{path}: cannot be read ({error.strerror})") from error
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "webp"
    if start[4:8] == b"ftyp":
        length = struct.unpack_from(">I", start)[0]
        brands = [start[at : at + 4] for at in (8, *range(16, min(length, len(start)), 4))]
        named = next((_BRANDS[brand] for brand in brands if brand in _BRANDS), None)
        if named is not None:
            return named
        raise ImageError(f"{path}: not a readable picture (a film, or a container of the brand {brands[0]!r})")
    known = next((kind for magic, kind in _MAGIC.items() if start.startswith(magic)), None)
    if known is not None:
        return known
    other = next((kind for magic, kind in _OTHERS.items() if start.startswith(magic)), None)
    if other is not None:
        raise ImageError(f"{path}: a picture of kind {other!r}, want {READ}")
    raise ImageError(f"{path}: not a readable picture (empty, cut off, or of an unknown kind)")


def kind_of_name(path: Path) -> str:
    """The kind that a name asks for. Raises ImageError: none, or one that is not written."""
    name = _BY_SUFFIX.get(path.suffix.lower())
    if name is None:
        wanted = ", ".join(suffix for suffix, name in _BY_SUFFIX.items() if KINDS[name].bits)
        raise ImageError(f"{path}: cannot write {path.suffix or 'a name without suffix'!r}, want {wanted}")
    if not KINDS[name].bits:
        raise ImageError(f"{path}: {KINDS[name].title} is read, not written: write PNG or AVIF")
    return name


def check_holds(path: Path, name: str, bits: int, bands: int) -> None:
    """Raise ImageError where a kind cannot hold ``bands`` channels, alpha among them, of ``bits``."""
    kind = KINDS[name]
    if bits not in kind.bits:
        others = {8: "PNG", 16: "PNG or TIFF", 32: "TIFF or OpenEXR"}[bits]
        held = " or ".join("floating point" if own == 32 else f"{own} bits" for own in kind.bits)
        got = "floating point" if bits == 32 else str(bits)
        raise ImageError(f"{path}: {kind.title} holds {held} per channel, not {got}: write {others}")
    if bands in (2, 4) and not kind.alpha:
        others = "TIFF or OpenEXR" if bits == 32 else "PNG, TIFF or WebP" if bits == 8 else "PNG or TIFF"
        raise ImageError(f"{path}: {kind.title} holds no alpha: write {others}")
    if bands == 3 and path.suffix.lower() == ".pgm":
        raise ImageError(f"{path}: PGM holds no colours: write PPM")
