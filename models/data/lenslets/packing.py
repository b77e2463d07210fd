"""Raw pixels packed into bytes, as Lytro's cameras do, and as they are."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..errors import LightFieldError


class Packing(NamedTuple):
    """How pixels of a raw picture are stored.

    Attributes:
        bits: of a pixel.
        endianness: ``big`` or ``little``.
    """

    bits: int
    endianness: str

    def __str__(self) -> str:
        return f"{self.bits} bits, {self.endianness} endian"

    def check(self, name: str) -> None:
        """Raise LightFieldError that begins with ``name`` where no such packing is known."""
        if self not in _PACKINGS:
            known = "; ".join(map(str, _PACKINGS))
            raise LightFieldError(f"{name}: unknown pixel format: got {self}, want one of: {known}")

    def bytes_of(self, size: tuple[int, int]) -> int:
        """How many bytes a picture of this height and width takes; pixels that are packed together are never parted."""
        group, size_of_group, _, _ = _PACKINGS[self]
        return -(-size[0] * size[1] // group) * size_of_group

    def check_size(self, name: str, have: int, size: tuple[int, int]) -> None:
        """Raise LightFieldError that begins with ``name`` where so many bytes are not a picture of this size."""
        height, width = size
        want = self.bytes_of(size)
        if have < want:
            raise LightFieldError(f"{name}: truncated: got {have} bytes, want {want} for {width}x{height} of {self}")
        if have - want >= width:  # less than a row more is padding
            raise LightFieldError(f"{name}: got {have} bytes, which are not the {want} of {width}x{height} of {self}")

    def unpack(self, data: bytes, size: tuple[int, int]) -> np.ndarray:
        """``[H, W]`` uint16 of a raw picture's bytes."""
        _, size_of_group, unpack, _ = _PACKINGS[self]
        buffer = np.frombuffer(data, np.uint8, self.bytes_of(size)).reshape(-1, size_of_group)
        return unpack(buffer).reshape(-1)[: size[0] * size[1]].reshape(size)

    def pack(self, picture: np.ndarray) -> bytes:
        """The bytes of ``[H, W]`` uint16; what ``unpack`` reads."""
        group, _, _, pack = _PACKINGS[self]
        pixels = np.pad(picture.reshape(-1), (0, -picture.size % group))
        return pack(pixels.reshape(-1, group)).tobytes()


def _unpack_10(data: np.ndarray) -> np.ndarray:
    """Four bytes with the upper bits of four pixels, and one with the lower two of each, the first at its low end."""
    out = data[:, :4].astype(np.uint16) << 2
    out |= (data[:, 4:] >> np.array([0, 2, 4, 6], np.uint8)) & 3
    return out


def _pack_10(pixels: np.ndarray) -> np.ndarray:
    lower = ((pixels & 3) << np.array([0, 2, 4, 6], np.uint16)).sum(1, keepdims=True)
    return np.concatenate([pixels >> 2, lower], 1).astype(np.uint8)


def _unpack_12(data: np.ndarray) -> np.ndarray:
    """Three bytes with two pixels, one after the other, upper bits first."""
    first, middle, last = (data[:, i].astype(np.uint16) for i in range(3))
    return np.stack([first << 4 | middle >> 4, (middle & 15) << 8 | last], 1)


def _pack_12(pixels: np.ndarray) -> np.ndarray:
    first, second = pixels.T
    return np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], 1).astype(np.uint8)


def _unpack_16(order: str) -> Callable[[np.ndarray], np.ndarray]:
    return lambda data: data.view(order + "u2").astype(np.uint16)


def _pack_16(order: str) -> Callable[[np.ndarray], np.ndarray]:
    return lambda pixels: pixels.astype(order + "u2")


_Code = Callable[[np.ndarray], np.ndarray]
# Pixels and bytes of a group, which are packed together.
_PACKINGS: dict[Packing, tuple[int, int, _Code, _Code]] = {
    Packing(10, "little"): (4, 5, _unpack_10, _pack_10),
    Packing(12, "big"): (2, 3, _unpack_12, _pack_12),
    Packing(16, "little"): (1, 2, _unpack_16("<"), _pack_16("<")),
    Packing(16, "big"): (1, 2, _unpack_16(">"), _pack_16(">")),
    Packing(8, "little"): (1, 1, lambda data: data.astype(np.uint16), lambda pixels: pixels.astype(np.uint8)),
    Packing(8, "big"): (1, 1, lambda data: data.astype(np.uint16), lambda pixels: pixels.astype(np.uint8)),
}
