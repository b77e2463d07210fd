"""What the folder of a training run tells, read while the run goes on writing."""

import csv
import json
import os
import struct
import time
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO

from ..errors import RunError

CURVES = ("training", "validation")  # .csv
RECIPE = "recipe.json"
MOST = 8 << 20  # bytes of a table that are read at a time
_FRAME = struct.Struct(
    "<QI"
)  # of TFRecord: length of the record, and the check sum of that; the record's own follows it
_LARGEST = 256 << 20  # bytes of a record; longer ones are no record
_TAG = "validation/"


@dataclass(frozen=True)
class Rows:
    """New rows of a table.

    Attributes:
        columns: their names.
        rows: numbers where they are, else text.
        place: what to ask from the next time.
        fresh: these are the first: the file is new, or was written anew by a run that went on from a checkpoint.
    """

    columns: list[str]
    rows: list[list[float | str | None]]
    place: str
    fresh: bool


def read_rows(path: Path, place: str) -> Rows:
    """The whole rows of a CSV file after a place that ``Rows`` told; of a file that is not there none.

    Args:
        path: the file.
        place: ``INODE:OFFSET``, or empty: from the beginning.
    """
    inode, _, offset = place.partition(":")
    try:
        with _opened(path) as file:
            identity, header = str(os.fstat(file.fileno()).st_ino), file.readline(MOST)
            at = int(offset) if inode == identity and offset.isdecimal() else 0
            fresh = at < len(header) or at > os.fstat(file.fileno()).st_size
            file.seek(len(header) if fresh else at)
            start, data = file.tell(), file.read(MOST)
    except OSError:
        return Rows([], [], "", True)
    whole = data if len(data) == MOST and b"\n" not in data else data[: data.rfind(b"\n") + 1]  # no row is so long
    columns = header.decode("utf-8", "replace").strip().split(",") if header.endswith(b"\n") else []
    lines = map(_cells, whole.decode("utf-8", "replace").splitlines())
    rows = [[_value(text) for text in cells] for cells in lines if len(cells) == len(columns)]
    return Rows(columns, rows, f"{identity}:{start + len(whole)}" if columns else "", fresh)


def _opened(path: Path) -> BinaryIO:
    """A file; what would wait for a writer is none. Raises OSError."""
    if not path.is_file():
        raise FileNotFoundError(path)
    return path.open("rb")


def _cells(line: str) -> list[str]:
    """Of one line alone: a quotation mark that does not end spoils no other."""
    try:
        return next(csv.reader([line]), [])
    except csv.Error:
        return []


def _value(text: str) -> float | str | None:
    """NaN and infinity are none of JSON's numbers."""
    try:
        value = float(text)
    except ValueError:
        return text
    return value if value - value == 0 else None


def steps_of(folder: Path) -> int | None:
    """How many steps the recipe asks for; None where it does not tell."""
    try:
        with _opened(folder / RECIPE) as file:
            told = json.loads(file.read(MOST))["run"]["steps"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return told if type(told) is int and 0 < told < 2**53 else None


def seconds_since_change(folder: Path) -> float | None:
    """Since a row was written; None: there is none."""
    changes = []
    for name in CURVES:
        try:
            changes.append((folder / f"{name}.csv").stat().st_mtime)
        except OSError:
            continue
    return max(0.0, time.time() - max(changes)) if changes else None


@dataclass
class ValidationPictures:
    """The pictures that validation wrote for TensorBoard: where each stands in its file; none is held.

    Needs ``tensorboard`` of the extra ``train`` for the records' contents; without it there are none.

    Args:
        folder: of the run.
    """

    folder: Path
    _places: dict[tuple[str, int], tuple[Path, int, int]] = field(default_factory=dict)
    _read: dict[Path, int] = field(default_factory=dict)  # bytes of each file
    _lock: Lock = field(default_factory=Lock)

    def names(self) -> list[dict[str, Any]]:
        """``[{"name": ..., "steps": [...]}]`` of all there are now."""
        with self._lock:
            self._look()
            names = sorted({name for name, _ in self._places})
            return [{"name": name, "steps": sorted(s for n, s in self._places if n == name)} for name in names]

    def picture(self, name: str, step: int) -> bytes:
        """PNG: the defocused picture, what the network made of it, and the sharp one, side by side. Raises RunError."""
        with self._lock:
            place = self._places.get((name, step))
        try:
            if place is not None:
                path, offset, length = place
                with _opened(path) as file:
                    file.seek(offset)
                    for tag, _, encoded in _images(file.read(length)):
                        if tag == name:
                            return encoded
        except OSError:
            pass
        raise RunError(f"no picture of {name!r} at step {step}")

    def _look(self) -> None:
        """Read what was written since the last time."""
        for path in sorted((self.folder / "tensorboard").glob("events.out.tfevents.*")):
            try:
                with _opened(path) as file:
                    self._read[path] = self._scan(path, file, self._read.get(path, 0))
            except OSError:
                continue

    def _scan(self, path: Path, file: BinaryIO, at: int) -> int:
        """Note the pictures of the whole records from a byte on; gives the first byte after them."""
        end = os.fstat(file.fileno()).st_size
        while at + _FRAME.size <= end:
            file.seek(at)
            length, _ = _FRAME.unpack(file.read(_FRAME.size))
            after = at + _FRAME.size + length + 4
            if length > _LARGEST or after > end:
                break
            for tag, step, _ in _images(file.read(length)):
                self._places[tag, step] = (path, at + _FRAME.size, length)  # a later run's takes the place
            at = after
        return at


def _images(record: bytes) -> list[tuple[str, int, bytes]]:
    """Name, step and PNG of the validation pictures in a record."""
    if _TAG.encode() not in record:
        return []
    try:
        from google.protobuf.message import DecodeError
        from tensorboard.compat.proto.event_pb2 import Event
    except ModuleNotFoundError:
        return []
    try:
        event = Event.FromString(record)
    except DecodeError:
        return []
    return [
        (value.tag.removeprefix(_TAG), event.step, value.image.encoded_image_string)
        for value in event.summary.value
        if value.tag.startswith(_TAG) and value.image.encoded_image_string
    ]
