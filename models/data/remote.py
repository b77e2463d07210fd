"""Light fields in a storage that fsspec knows: fetched into a local folder for as long as it takes to read them."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import fsspec

from ..images import SUFFIXES
from .light_field import LightFieldError


def is_url(text: str) -> bool:
    """Whether a path is a URL (``s3://...``)."""
    return "://" in text


def remote_scenes(url: str) -> list[tuple[str, str]]:
    """Name and URL of each scene: the file itself, the folder if it holds files, else its folders.

    Raises:
        LightFieldError: nothing there, or a storage that is not known.
    """
    url = url.rstrip("/")
    try:
        files, path = fsspec.core.url_to_fs(url)
        if not files.exists(path):
            raise LightFieldError(f"{url}: no such file or folder")
        if files.isfile(path):
            return [(Path(path).stem, url)]
        entries = files.ls(path, detail=True)
    except (ValueError, ImportError, OSError) as error:
        raise error if isinstance(error, LightFieldError) else LightFieldError(f"{url}: {error}") from error
    names = [entry["name"].rstrip("/") for entry in entries]
    if any(name.lower().endswith(SUFFIXES) for name in names):
        return [(url.rpartition("/")[2], url)]
    folders = [name for name, entry in zip(names, entries, strict=True) if entry["type"] == "directory"]
    if not folders:
        raise LightFieldError(f"{url}: no pictures and no folders")
    return [(Path(folder).name, f"{url}/{Path(folder).name}") for folder in sorted(folders)]


@contextmanager
def fetched(url: str) -> Iterator[Path]:
    """A copy of a remote file or folder, under its own name, gone after the block."""
    files, path = fsspec.core.url_to_fs(url)
    with tempfile.TemporaryDirectory() as folder:
        local = Path(folder) / path.rstrip("/").rpartition("/")[2]
        try:
            files.get(path, str(local), recursive=files.isdir(path))
        except OSError as error:
            raise LightFieldError(f"{url}: cannot be read ({error.strerror or error})") from error
        yield local
