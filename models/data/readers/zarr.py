"""Zarr arrays and groups: only the chunks of the window are read."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import LightFieldError
from ..light_field import LightField
from ._array_file import ARRAY_OPTIONS, COMPANIONS, light_field_of
from ._format import Format
from ._optional import need
from .options import ReadOptions

_MARKS = ("zarr.json", ".zarray", ".zgroup")


def fits(path: Path) -> bool:
    return (path.is_dir() and any((path / mark).is_file() for mark in _MARKS)) or path.name.lower().endswith(
        (".zarr", ".zarr.zip")
    )


def read(path: Path, options: ReadOptions) -> LightField:
    """An array, or a group with an array ``views`` or ``LF``, or with only one; see ``_array_file`` for the rest.

    A chunk that is not there reads as the fill value, by Zarr's definition; ``metadata["chunks"]`` tells how many of
    the array's are there.
    """
    with _opened(path) as root:
        arrays = dict(root.arrays()) if hasattr(root, "arrays") else {"": root}
        attributes = dict(root.attrs)
        companions = {name: arrays[name][...] if name in arrays else attributes.get(name) for name in COMPANIONS}
        if not arrays:
            raise LightFieldError(f"{path}: the Zarr group holds no array")
        light_field = light_field_of(
            path,
            options,
            {name: tuple(array.shape) for name, array in arrays.items()},
            lambda name: arrays[name].dtype,
            open_array,
            companions.get,
            {"attributes": {key: value for key, value in attributes.items() if key not in COMPANIONS}},
        )
        array = arrays[light_field.metadata["dataset"]]
        light_field.metadata["chunks"] = f"{array.nchunks_initialized} of {array.nchunks}"
        return light_field


@contextmanager
def open_array(path: Path, name: str) -> Iterator[Any]:
    with _opened(path) as root:
        yield root[name] if name else root


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The array or group at a path; what goes wrong with it meanwhile becomes a LightFieldError."""
    zarr = need("zarr", path)
    try:
        if path.is_file():
            with zarr.storage.ZipStore(path, mode="r") as store:
                yield zarr.open(store, mode="r")
        else:
            yield zarr.open(str(path), mode="r")
    except LightFieldError:
        raise
    # Its stores and codecs raise whatever they like on damaged data.
    except Exception as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise LightFieldError(f"{path}: not a readable Zarr array or group, or damaged ({said})") from error


FORMAT = Format(
    "zarr",
    read,
    fits,
    order=40,
    kind="Zarr",
    looks_like="`SCENE.zarr`, `.zarr.zip`",
    layout="as `npz`",
    values="as `npz`",
    found_by="`zarr.json`, `.zarray`, `.zgroup`",
    options=ARRAY_OPTIONS,
    suffixes=(".zarr", ".zip"),
    marks=_MARKS,
    endings=(r"\.zarr",),
    needs=("zarr",),
)
