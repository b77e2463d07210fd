"""Focal stacks as animations."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from torch import Tensor

from ..io.atomic import atomic_path
from ..io.errors import OutputError

SECONDS = 3.0  # from the first plane to the last, and as long back
SLOWEST, FASTEST = 500, 40  # milliseconds per picture


def write_animation(path: str | Path, pictures: Sequence[Tensor]) -> None:
    """Write pictures as an endless animated WebP that goes through them and back; whole or not at all.

    Args:
        path: of the file.
        pictures: ``[C, H, W]`` uint8, C = 1 or 3, all of one size, at least one.

    Raises:
        OutputError: the file cannot be written.
    """
    there = [Image.fromarray(picture.expand(3, -1, -1).permute(1, 2, 0).numpy()) for picture in pictures]
    frames = there + there[-2:0:-1]
    duration = round(min(SLOWEST, max(FASTEST, 1000 * SECONDS / len(there))))
    with atomic_path(path) as temporary:
        try:
            frames[0].save(
                temporary, "WEBP", save_all=True, append_images=frames[1:], duration=duration, loop=0, quality=80
            )
        except ValueError as error:
            raise OutputError(f"cannot write {path}: {error}") from error
