"""Launch of a kernel: run on the tensors' device, or compiled by the tests for a GPU that is not there."""

import contextlib
import functools
from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from .._dispatch import tf32_allowed

MULTIPROCESSORS_WITHOUT_GPU = 2  # interpreter: enough that some program has two tiles, and some tile another program


class Launch(NamedTuple):
    """A kernel, its grid, its arguments by name (constants among them) and its shape on a multiprocessor."""

    kernel: Any
    grid: tuple[int, ...]
    arguments: dict[str, Any]
    num_warps: int
    num_stages: int

    def run(self) -> None:
        device = next(value.device for value in self.arguments.values() if isinstance(value, Tensor))
        with torch.cuda.device(device) if device.type == "cuda" else contextlib.nullcontext():
            self.kernel[self.grid](**self.arguments, **self.options())

    def options(self) -> dict[str, Any]:
        # Asked for by name: the default is about to change in Triton, and a * b + c in two roundings is slower.
        return {"num_warps": self.num_warps, "num_stages": self.num_stages, "enable_fp_fusion": True}


def run(launches: Iterable[Launch], out: Tensor) -> Tensor:
    """``out``, after the launches that write it; there are none to run where it is empty."""
    if out.numel() > 0:
        for launch in launches:
            launch.run()
    return out


def precision(dtype: torch.dtype, kind: Literal["conv", "matmul"]) -> str:
    """``half``, ``tf32`` or ``ieee``: how products are formed; tf32 only where PyTorch may use it for this ``kind``."""
    if dtype != torch.float32:
        return "half"
    return "tf32" if tf32_allowed(kind) else "ieee"


@functools.cache  # PyTorch makes the answer anew for each call
def multiprocessors(device: torch.device) -> int:
    if device.type != "cuda":
        return MULTIPROCESSORS_WITHOUT_GPU
    return int(torch.cuda.get_device_properties(device).multi_processor_count)


@functools.cache
def shared_memory(device: torch.device) -> int:
    """Bytes that a program may have; without a GPU those of sm_90."""
    if device.type != "cuda":
        return 227 << 10
    return int(torch.cuda.get_device_properties(device).shared_memory_per_block_optin)  # type: ignore[attr-defined]


def persistent_programs(device: torch.device, tiles: int, on_multiprocessor: int) -> int:
    """Programs that share ``tiles``: as many as are at work at once, or fewer."""
    return min(tiles, multiprocessors(device) * on_multiprocessor)


def channels_inside(x: Tensor) -> Tensor:
    """``x`` itself if its channels lie side by side, else a channels-last copy."""
    return x if x.stride(1) == 1 or x.shape[1] == 1 else x.contiguous(memory_format=torch.channels_last)


def empty_channels_last(
    like: Tensor, channels: int, height: int, width: int, dtype: torch.dtype | None = None
) -> Tensor:
    shape = (like.shape[0], channels, height, width)
    return torch.empty(shape, dtype=dtype or like.dtype, device=like.device, memory_format=torch.channels_last)


def strides(name: str, x: Tensor, channel: bool = True) -> dict[str, int]:
    """Arguments ``<name>_n, _c, _h, _w``: the strides of ``[N, C, H, W]``, in elements."""
    axes = {"n": 0, "c": 1, "h": 2, "w": 3} if channel else {"n": 0, "h": 2, "w": 3}
    return {f"{name}_{axis}": x.stride(index) for axis, index in axes.items()}


def power_of_two(n: int, least: int = 1) -> int:
    """The smallest power of two that is at least ``n`` and ``least``."""
    return max(least, 1 << max(n - 1, 0).bit_length())


def cdiv(a: int, b: int) -> int:
    return -(-a // b)
