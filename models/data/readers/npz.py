"""NumPy's ``.npz``: views that were stored uncompressed are mapped into memory, compressed ones are streamed."""

import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from ..errors import LightFieldError
from ..light_field import LightField
from ._array_file import ARRAY_OPTIONS, COMPANIONS, light_field_of
from ._format import Format
from .options import ReadOptions

_LOCAL_HEADER = 30  # bytes before a member's name in a ZIP file
# What zipfile and NumPy raise on damaged files: NotImplementedError and RuntimeError for methods and flags they lack.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    tokenize.TokenError,
    ValueError,
    TypeError,
    EOFError,
    KeyError,
    NotImplementedError,
    RuntimeError,
)


def fits(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() == ".npz"


def read(path: Path, options: ReadOptions) -> LightField:
    """Arrays ``views`` or ``LF``, or the only one; see ``_array_file`` for what may lie beside it."""
    if not path.is_file():
        raise LightFieldError(f"{path}: not an .npz file: it is a folder, want a file")
    try:
        with zipfile.ZipFile(path) as archive:
            headers = {
                member.removesuffix(".npy"): _header(archive, member)
                for member in archive.namelist()
                if member.endswith(".npy")
            }
        with np.load(path, allow_pickle=False) as arrays:
            companions = {name: arrays[name] for name in COMPANIONS if name in headers}
    except _DAMAGE as error:
        raise LightFieldError(f"{path}: not a readable .npz file, or truncated ({error})") from error
    if not headers:
        raise LightFieldError(f"{path}: holds no array")
    return light_field_of(
        path,
        options,
        {name: shape for name, (shape, _, _) in headers.items()},
        lambda name: headers[name][2],
        open_array,
        lambda name: companions.get(name),
        {},
    )


@contextmanager
def open_array(path: Path, name: str) -> Iterator[Any]:
    """The array, mapped or as something that can be sliced once."""
    try:
        with zipfile.ZipFile(path) as archive:
            info = archive.getinfo(name + ".npy")
            shape, fortran, dtype = _header(archive, info.filename)
            if info.compress_type == zipfile.ZIP_STORED:
                with path.open("rb") as file:
                    file.seek(info.header_offset)
                    head = file.read(_LOCAL_HEADER)
                    # Name and extra field: the local header's lengths differ from the central directory's.
                    skip = int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
                    file.seek(skip, 1)
                    _read_header(file)
                    offset = file.tell()
                yield np.memmap(path, dtype, "r", offset, shape, "F" if fortran else "C")
            else:
                yield _Streamed(archive, info, shape, fortran, dtype)
    except LightFieldError:
        raise
    except (*_DAMAGE, OSError) as error:
        raise LightFieldError(f"{path}: {name} cannot be read, truncated or damaged ({error})") from error


class _Streamed:
    """A compressed array: decompressed along its slowest axis, of which only the wanted part is kept."""

    def __init__(
        self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, shape: tuple[int, ...], fortran: bool, dtype: np.dtype
    ) -> None:
        self._archive, self._info, self._fortran, self._dtype = archive, info, fortran, dtype
        self._shape = shape[::-1] if fortran else shape

    def __getitem__(self, index: tuple[slice, ...]) -> np.ndarray:
        index = index[::-1] if self._fortran else index
        first = range(self._shape[0])[index[0]]
        size = int(np.prod(self._shape[1:])) * self._dtype.itemsize
        parts = []
        with self._archive.open(self._info) as file:
            _read_header(file)
            for i in range(first.stop):
                data = bytearray(size)
                filled = 0
                while filled < size:
                    piece = file.read(size - filled)
                    if not piece:
                        raise EOFError(f"{size - filled} bytes are missing")
                    data[filled : filled + len(piece)] = piece
                    filled += len(piece)
                if i in first:
                    parts.append(np.frombuffer(data, self._dtype).reshape(self._shape[1:])[index[1:]].copy())
        array = np.stack(parts)
        return array.T if self._fortran else array


def _header(archive: zipfile.ZipFile, member: str) -> tuple[tuple[int, ...], bool, np.dtype]:
    with archive.open(member) as file:
        return _read_header(file)


def _read_header(file: Any) -> tuple[tuple[int, ...], bool, np.dtype]:
    read_header = npy.read_array_header_1_0 if npy.read_magic(file) == (1, 0) else npy.read_array_header_2_0
    return read_header(file)


FORMAT = Format(
    "npz",
    read,
    fits,
    order=110,
    kind="NumPy",
    looks_like="`SCENE.npz`",
    layout="`views[V, U, C, H, W]` or `LF[V, U, H, W, C]`",
    values="uint8, uint16, float in [0, 1]",
    found_by="suffix",
    options=ARRAY_OPTIONS,
    suffixes=(".npz",),
)
