"""Scenes in a storage that fsspec knows: listed by their names, and fetched for as long as it takes to read them."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...io.urls import open_url
from ..errors import LightFieldError
from ..readers.registry import MARKS


@contextmanager
def names_of(url: str) -> Iterator[tuple[Path, Callable[[str], str]]]:
    """A remote file or folder as empty files of the same names on this machine, and what turns a path there to its URL.

    Raises:
        LightFieldError: nothing there, or a storage that is not known.
    """
    url = url.rstrip("/")
    with tempfile.TemporaryDirectory() as folder:
        try:
            files, path = open_url(url)
            local = _below(folder, path)
            if files.isfile(path):
                local.parent.mkdir(parents=True, exist_ok=True)
                local.touch()
            elif files.exists(path):
                _copy_names(files, path, local)
            else:
                raise LightFieldError(f"{url}: no such file or folder")
        except (ValueError, OSError) as error:
            raise error if isinstance(error, LightFieldError) else LightFieldError(f"{url}: {error}") from error

        def url_of(path: str) -> str:
            inner = Path(path).relative_to(local).as_posix()
            return url if inner == "." else f"{url}/{inner}"

        yield local, url_of


@contextmanager
def fetched(url: str) -> Iterator[Path]:
    """A copy of a remote file or folder, below folders of the same names, gone after the block."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            files, path = open_url(url)
            local = _below(folder, path)
            local.parent.mkdir(parents=True, exist_ok=True)
            files.get(path, str(local), recursive=files.isdir(path))
        except OSError as error:
            raise LightFieldError(f"{url}: cannot be read ({error.strerror or error})") from error
        yield local


def _below(folder: str, path: str) -> Path:
    """Names of the folders above tell scenes and grids, so they are kept."""
    return Path(folder, *(part for part in path.split("/") if part not in ("", ".", "..")))


def _copy_names(files: Any, path: str, local: Path) -> None:
    local.mkdir(parents=True, exist_ok=True)
    entries = {entry["name"].strip("/"): entry["type"] for entry in files.ls(path, detail=True)}
    entries.pop(path.strip("/"), None)  # some list a folder in itself
    names = {entry: entry.rpartition("/")[2] for entry in entries}
    is_marked = not MARKS.isdisjoint(names.values())  # what lies deeper tells nothing: thousands of Zarr's chunks
    for entry, name in names.items():
        if entries[entry] != "directory":
            (local / name).touch()
        elif not is_marked:
            _copy_names(files, f"{path.rstrip('/')}/{name}", local / name)
