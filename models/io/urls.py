"""Paths that are URLs of a storage that fsspec knows (``s3://...``, ``gs://...``)."""

from pathlib import Path

import fsspec


def is_url(path: str | Path) -> bool:
    """Whether a path is a URL; a ``Path`` never is, it has lost a slash."""
    return "://" in str(path)


def local_path(path: str | Path) -> Path | None:
    """The path on this machine, also of a ``file://`` URL; None: the URL is of another storage."""
    local = Path(str(path).removeprefix("file://"))
    return local if not is_url(path) or str(path).startswith("file://") else None


def open_url(url: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """A URL's storage, and the path in it.

    Raises:
        OSError: no storage of this kind is known, or the package that knows it is not installed.
    """
    try:
        return fsspec.core.url_to_fs(url)
    except (ValueError, ImportError) as error:
        raise OSError(str(error)) from error
