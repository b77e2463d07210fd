"""Output folders and files: checked before any work, never half-written."""

import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import OutputError


def check_output_folder(folder: str | Path) -> Path:
    """Tell whether files can be written to ``folder`` (made later if it is missing) and leave nothing behind.

    Raises:
        OutputError: it is a file, lies below a file, or cannot be written.
    """
    folder = Path(folder)
    existing = folder
    try:
        while not existing.exists() and existing != existing.parent:
            existing = existing.parent
        if not existing.is_dir():
            what = "is a file" if existing == folder else f"{existing} is a file"
            raise OutputError(f"cannot write to the folder {folder}: {what}")
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise OutputError(f"cannot write to the folder {folder}: {error.strerror or error}") from error
    return folder


def make_output_folder(folder: str | Path) -> Path:
    """Make ``folder`` and its parents. Raises OutputError where that fails."""
    folder = check_output_folder(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {folder}: {error.strerror or error}") from error
    return folder


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A temporary name beside ``path``, renamed to ``path`` at the end and removed if the block fails.

    A reader sees the old file or the whole new one; an existing file is overwritten.

    Raises:
        OutputError: the file cannot be written (missing folder, disk full, ...).
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: str | Path, files: Collection[str]) -> Iterator[Path]:
    """A temporary folder beside ``path``, renamed to ``path`` at the end and removed if the block fails.

    A folder that is there already is replaced, if it is empty or holds files of these names alone.

    Args:
        path: the folder; the one that it lies in is there.
        files: names of what the block writes.

    Raises:
        OutputError: ``path`` is a file or holds other files, or the folder cannot be written.
    """
    path = Path(path)
    check_replaceable(path, files)
    temporary, before = (path.with_name(f".{path.name}.{os.getpid()}.{kind}") for kind in ("tmp", "old"))
    try:
        temporary.mkdir()
        yield temporary
        if path.is_dir():
            path.replace(before)
        try:
            temporary.replace(path)
        except BaseException:
            if before.is_dir():
                before.replace(path)
            raise
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    shutil.rmtree(before, ignore_errors=True)


def check_replaceable(folder: Path, files: Collection[str]) -> None:
    """Raise OutputError where a folder of results would replace a file, or a folder with anything else in it."""
    if folder.is_dir():
        others = sorted({entry.name for entry in folder.iterdir()} - set(files) - {"__pycache__"})
        if others:
            raise OutputError(f"cannot replace the folder {folder}: it holds {others[0]}, which is none of the results")
    elif folder.exists():
        raise OutputError(f"cannot write to the folder {folder}: is a file")
