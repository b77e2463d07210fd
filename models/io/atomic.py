"""Output folders and files: checked before any work, never half-written."""

import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import OutputError

NAMELESS = ("", "..")  # what pathlib has for names of paths like ".", "/" and "a/..": nothing lies beside these


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

    A reader sees the old file or the whole new one; an existing file is overwritten, a link replaced by the file.

    Raises:
        OutputError: the file cannot be written (missing folder, disk full, ...).
    """
    path = Path(path)
    if path.name in NAMELESS:
        raise OutputError(f"cannot write {path}: is a folder")
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):  # it is not there, or its name is too long to be
            temporary.unlink()


@contextmanager
def atomic_folder(
    path: str | Path, files: Collection[str], folders: Collection[str] = ("__pycache__",)
) -> Iterator[Path]:
    """A temporary folder beside ``path``, renamed to ``path`` at the end and removed if the block fails.

    A folder that is there already is replaced, if it is empty or holds files of these names alone; of a link to such a
    folder the link is.

    Args:
        path: the folder; the one that it lies in is there.
        files: names of what the block writes.
        folders: names of folders that may lie there too.

    Raises:
        OutputError: ``path`` is a file, holds anything else or has no name (``.``), or the folder cannot be written.
    """
    path = Path(path)
    check_replaceable(path, files, folders)
    temporary, before = (path.with_name(f".{path.name}.{os.getpid()}.{kind}") for kind in ("tmp", "old"))
    try:
        temporary.mkdir()
        yield temporary
        if path.is_dir() or path.is_symlink():
            path.replace(before)
        try:
            temporary.replace(path)
        except BaseException:
            if os.path.lexists(before):
                before.replace(path)
            raise
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    if before.is_symlink():
        before.unlink()
    else:
        shutil.rmtree(before, ignore_errors=True)


def check_replaceable(folder: Path, files: Collection[str], folders: Collection[str] = ("__pycache__",)) -> None:
    """Raise OutputError where a folder of results would replace a file, or a folder with anything else in it."""
    if folder.name in NAMELESS:
        raise OutputError(f"cannot replace the folder {folder}: want a folder by its name")
    if os.path.isdir(folder):  # unlike Path's, no name is an error
        others = sorted(
            entry.name for entry in folder.iterdir() if entry.name not in (folders if entry.is_dir() else files)
        )
        if others:
            raise OutputError(f"cannot replace the folder {folder}: it holds {others[0]}, which is none of the results")
    elif os.path.exists(folder):
        raise OutputError(f"cannot write to the folder {folder}: is a file")
