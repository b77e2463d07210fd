"""Put together what came back in parts: ``python -m benchmarks.gpu.join FOLDER`` makes NAME of its NAME.part0of2, ...

For ways back from a machine that take files of limited size alone.
"""

import argparse
import re
import sys
from pathlib import Path

from lfdeblur_models.io.atomic import atomic_path

PART_BYTES = 15 << 20


def split(path: Path, part_bytes: int = PART_BYTES) -> list[Path]:
    """A file in parts of at most ``part_bytes``, beside it; the file goes. One that is small enough stays as it is."""
    data = path.read_bytes()
    for old in path.parent.glob(f"{path.name}.part*of*"):
        old.unlink()
    if len(data) <= part_bytes:
        return [path]
    parts = []
    for number, start in enumerate(range(0, len(data), part_bytes)):
        part = path.with_name(f"{path.name}.part{number}of{-(-len(data) // part_bytes)}")
        with atomic_path(part) as temporary:
            temporary.write_bytes(data[start : start + part_bytes])
        parts.append(part)
    path.unlink()
    return parts


def join(folder: Path, out: Path) -> list[Path]:
    """Whole files in ``out`` from the parts in ``folder``. Raises ValueError: a part is missing, or of another file."""
    files: dict[tuple[str, int], dict[int, Path]] = {}
    for path in folder.iterdir():
        if match := re.fullmatch(r"(.+)\.part(\d+)of(\d+)", path.name):
            files.setdefault((match[1], int(match[3])), {})[int(match[2])] = path
    whole = []
    names = [name for name, _ in files]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"{folder}: {twice[0]}: parts of two files of this name")
    for (name, count), parts in sorted(files.items()):
        if missing := [number for number in range(count) if number not in parts]:
            raise ValueError(f"{folder}: {name}: part {missing[0]} of {count} is missing")
        with atomic_path(out / name) as temporary:
            temporary.write_bytes(b"".join(parts[number].read_bytes() for number in range(count)))
        whole.append(out / name)
    return whole


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m benchmarks.gpu.join", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--out", type=Path, help="where the whole files go (FOLDER)")
    options = parser.parse_args(arguments)
    try:
        whole = join(options.folder, options.out or options.folder)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    if not whole:
        parser.error(f"{options.folder}: no parts there")
    for path in whole:
        print(f"{path}: {path.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
