"""Where results go: a local folder, or any storage that fsspec writes to. Files appear whole or not at all."""

import fcntl
import itertools
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...io.atomic import check_output_folder, make_output_folder
from ...io.errors import OutputError
from ...io.urls import local_path, open_url

STATE = ".lfdeblur"  # what generate remembers, and its unfinished files, below the output folder


class LocalFolder:
    """A folder of this machine. Unfinished files lie in one place, which the next run clears."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._numbers = itertools.count()

    def check(self) -> None:
        """Raise OutputError where nothing can be written; leaves nothing behind."""
        check_output_folder(self.path)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the folder against other runs and clear what a killed one left unfinished.

        Raises:
            OutputError: another run is writing there, or the folder cannot be written.
        """
        make_output_folder(self.path / STATE)
        try:
            with open(self.path / STATE / "lock", "w") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise OutputError(f"cannot write to the folder {self.path}: another run is writing there") from None
                shutil.rmtree(self._scratch, ignore_errors=True)
                yield
                shutil.rmtree(self._scratch, ignore_errors=True)
        except OSError as error:
            raise OutputError(f"cannot write to the folder {self.path}: {error.strerror or error}") from error

    def put(self, name: str, data: bytes | memoryview) -> None:
        """Write a file. Raises OutputError: disk full, no permission, ..."""
        with self.writing(name) as temporary:
            temporary.write_bytes(data)

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """A temporary file that becomes ``name`` once the block is left without an error."""
        path = self.path / name
        temporary = self._scratch / f"{os.getpid()}-{next(self._numbers)}{path.suffix}"
        try:
            self._scratch.mkdir(parents=True, exist_ok=True)
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                yield temporary
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"cannot write {path}: {error.strerror or error}") from error

    def get(self, name: str) -> bytes | None:
        """A file's bytes, None where there is none."""
        try:
            return (self.path / name).read_bytes()
        except FileNotFoundError:
            return None

    def size(self, name: str) -> int | None:
        """A file's bytes, counted; None where there is none."""
        try:
            return (self.path / name).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None

    def names(self, folder: str) -> list[str]:
        """The files of a folder, as names from the root, sorted."""
        try:
            return sorted(f"{folder}/{entry.name}" for entry in os.scandir(self.path / folder))
        except FileNotFoundError:
            return []

    def remove(self, name: str) -> None:
        (self.path / name).unlink(missing_ok=True)

    @property
    def _scratch(self) -> Path:
        return self.path / STATE / "unfinished"

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["path"])  # type: ignore[misc]

    def __str__(self) -> str:
        return str(self.path)


class RemoteFolder:
    """A folder of a storage that fsspec knows (``s3://...``, ``gs://...``): one write makes one whole object."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        try:
            self._files, self._root = open_url(self.url)
        except OSError as error:
            raise OutputError(f"cannot write to {url}: {error}") from error

    def check(self) -> None:
        """Nothing can be told before the first write."""

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Object storages have no locks; two runs at once write the same bytes."""
        yield

    def put(self, name: str, data: bytes | memoryview) -> None:
        """Write a file. Raises OutputError where that fails."""
        path = f"{self._root}/{name}"
        try:
            self._files.makedirs(path.rpartition("/")[0], exist_ok=True)
            self._files.pipe_file(path, bytes(data))
        except OSError as error:
            raise OutputError(f"cannot write {self.url}/{name}: {error.strerror or error}") from error

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """A temporary file on this machine that is sent to ``name`` once the block is left without an error."""
        with tempfile.TemporaryDirectory() as folder:
            temporary = Path(folder) / "file"
            yield temporary
            try:
                self._files.makedirs(f"{self._root}/{name}".rpartition("/")[0], exist_ok=True)
                self._files.put_file(str(temporary), f"{self._root}/{name}")
            except OSError as error:
                raise OutputError(f"cannot write {self.url}/{name}: {error.strerror or error}") from error

    def get(self, name: str) -> bytes | None:
        """A file's bytes, None where there is none."""
        try:
            data: bytes = self._files.cat_file(f"{self._root}/{name}")
        except FileNotFoundError:
            return None
        return data

    def size(self, name: str) -> int | None:
        """A file's bytes, counted; None where there is none."""
        try:
            return int(self._files.size(f"{self._root}/{name}"))
        except FileNotFoundError:
            return None

    def names(self, folder: str) -> list[str]:
        """The files of a folder, as names from the root, sorted."""
        try:
            found = self._files.ls(f"{self._root}/{folder}", detail=False, refresh=True)
        except FileNotFoundError:
            return []
        return sorted(f"{folder}/{path.rpartition('/')[2]}" for path in found)

    def remove(self, name: str) -> None:
        if self._files.exists(f"{self._root}/{name}"):
            self._files.rm_file(f"{self._root}/{name}")

    def __getstate__(self) -> dict[str, Any]:
        return {"url": self.url}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["url"])  # type: ignore[misc]

    def __str__(self) -> str:
        return self.url


Storage = LocalFolder | RemoteFolder


def open_storage(out: str | Path) -> Storage:
    """A local folder, or of a URL (``s3://bucket/pairs``) the storage that fsspec finds. Raises OutputError."""
    path = local_path(out)
    return RemoteFolder(str(out)) if path is None else LocalFolder(path)


def read_record(storage: Storage, name: str) -> dict[str, Any] | None:
    """What an earlier run wrote down as JSON; None: nothing, or nothing whole."""
    data = storage.get(name)
    try:
        record: dict[str, Any] | None = None if data is None else json.loads(data)
    except ValueError:
        return None
    return record
