"""HDF5 through h5py: opening, what is inside, and one array that is sliced on disk."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import LightFieldError
from ._optional import need

_SIGNATURE = b"\x89HDF\r\n\x1a\n"


def is_hdf5(path: Path) -> bool:
    """Whether the file has HDF5's signature, at its start or behind MATLAB's header."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(520)
    return head[:8] == _SIGNATURE or head[512:520] == _SIGNATURE


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """An ``h5py.File`` to read from; what goes wrong with it meanwhile becomes a LightFieldError."""
    h5py = need("h5py", path)
    try:
        with h5py.File(path, "r") as file:
            yield file
    except LightFieldError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:  # whatever the damage looks like to it
        said = " ".join(str(error).split())
        raise LightFieldError(f"{path}: not a readable HDF5 file, truncated or damaged ({said})") from error


@contextmanager
def open_array(path: Path, name: str) -> Iterator[Any]:
    with opened(path) as file:
        yield file[name]


def shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the datasets at the root."""
    with opened(path) as file:
        return {name: tuple(item.shape) for name, item in file.items() if hasattr(item, "shape")}


def dtype_of(path: Path, name: str) -> np.dtype:
    with opened(path) as file:
        return file[name].dtype


def attributes(path: Path) -> dict[str, Any]:
    """Those of the root, numbers as Python has them."""
    with opened(path) as file:
        return {name: plain(value) for name, value in file.attrs.items()}


def plain(value: Any) -> Any:
    """Arrays of one element as that element, bytes as text, arrays as lists."""
    if isinstance(value, np.ndarray):
        value = value.item() if value.size == 1 else value.tolist()
    elif isinstance(value, np.generic):
        value = value.item()
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
