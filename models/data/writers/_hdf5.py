"""HDF5 through h5py, to write."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..readers._optional import need


@contextmanager
def created(path: Path, **options: Any) -> Iterator[Any]:
    """An ``h5py.File``, empty. A full disk, which h5py tells as a RuntimeError once it closes, is an OSError."""
    h5py = need("h5py", path, "written")
    try:
        with h5py.File(path, "w", **options) as file:
            yield file
    except RuntimeError as error:
        told = re.search(r"errno = (\d+)", str(error))
        number = int(told[1]) if told else errno.EIO
        raise OSError(number, os.strerror(number)) from error
