"""PFM: float pictures, as the 4D Light Field Benchmark stores disparity."""

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .atomic import atomic_path
from .errors import ImageError


def read_pfm(path: str | Path) -> Tensor:
    """Read a one-channel PFM file of either byte order; ``#`` comment lines are skipped.

    Returns: ``[H, W]`` float32, top row first (the file has the bottom row first), times the file's scale.

    Raises:
        ImageError: not such a file, or truncated.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path}: cannot be read ({error.strerror})") from error
    lines: list[bytes] = []
    position = 0
    while len(lines) < 3:
        end = data.find(b"\n", position)
        if end < 0 or end - position > 1000:
            raise ImageError(f"{path}: not a PFM file (its header ends too early)")
        line = data[position:end].strip()
        position = end + 1
        if line and not line.startswith(b"#"):
            lines.append(line)
    if lines[0] != b"Pf":
        raise ImageError(f"{path}: got a header starting with {lines[0][:8]!r}, want 'Pf' (one-channel PFM)")
    try:
        width, height = (int(number) for number in lines[1].split())
        scale = float(lines[2])
    except ValueError as error:
        raise ImageError(f"{path}: not a PFM file (bad size or scale in its header)") from error
    if width < 1 or height < 1 or scale == 0 or not math.isfinite(scale):
        raise ImageError(f"{path}: bad PFM header: size {width}x{height}, scale {scale:g}")
    want = 4 * width * height
    if len(data) - position < want:
        raise ImageError(f"{path}: truncated: got {len(data) - position} bytes of pixels, want {want}")
    values = np.frombuffer(data, "<f4" if scale < 0 else ">f4", width * height, position)
    return torch.from_numpy(values.reshape(height, width)[::-1].astype(np.float32) * np.float32(abs(scale)))


def write_pfm(path: str | Path, picture: Tensor) -> None:
    """Write ``[H, W]`` floating point as one-channel PFM, float32, little-endian; whole or not at all.

    Raises:
        ImageError: of another shape or dtype. OutputError: the file cannot be written.
    """
    path = Path(path)
    if picture.dim() != 2 or not picture.is_floating_point():
        raise ImageError(f"{path}: got {picture.dtype} {list(picture.shape)}, want floating point [H, W]")
    height, width = picture.shape
    rows = np.ascontiguousarray(picture.detach().cpu().numpy()[::-1], "<f4")
    with atomic_path(path) as temporary:
        temporary.write_bytes(f"Pf\n{width} {height}\n-1.0\n".encode() + rows.tobytes())
