"""Checks and casts that several ops share."""

import operator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

MAX_KERNEL_SIZE = 15
FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)


def autocast_dtype(x: Tensor) -> torch.dtype | None:
    """The dtype that autocast computes in on the device of ``x``; None where it is off or ``x`` is float64."""
    if not isinstance(x, Tensor) or x.dtype == torch.float64:
        return None
    device = x.device.type
    # Not torch.amp.is_autocast_available: torch.compile of torch 2.11 cannot trace it.
    if device == "meta" or not torch.is_autocast_enabled(device):
        return None
    return torch.get_autocast_dtype(device)


def without_autocast(x: Tensor) -> AbstractContextManager[None]:
    """A context in which operations on the device of ``x`` keep their dtypes; the meta device knows no autocast."""
    return nullcontext() if autocast_dtype(x) is None else torch.autocast(x.device.type, enabled=False)


def autocast(*tensors: Tensor | None) -> tuple[Tensor | None, ...]:
    """The tensors as a convolution under autocast takes them; the first one decides whether it is on."""
    first = tensors[0]
    dtype = autocast_dtype(first) if first is not None else None
    if dtype is None:
        return tensors
    return tuple(t.to(dtype) if isinstance(t, Tensor) and t.is_floating_point() else t for t in tensors)


def check_image(name: str, x: Tensor) -> None:
    """``x`` is the tensor ``[N, C, H, W]`` that the other arguments are measured by."""
    if not isinstance(x, Tensor):
        raise TypeError(f"{name}: got {type(x).__name__}, want a tensor")
    if x.dim() != 4:
        raise RuntimeError(f"{name}: got shape {list(x.shape)}, want 4 axes [N, C, H, W]")
    if x.dtype not in FLOATS:
        raise TypeError(f"{name}: got dtype {x.dtype}, want float64, float32, float16 or bfloat16")


def check_like(name: str, tensor: Tensor | None, shape: tuple[int | None, ...], x: Tensor, x_name: str = "x") -> None:
    """``tensor`` is None or has this shape (None: any size) and the dtype and device of ``x``."""
    if tensor is None:
        return
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{name}: got {type(tensor).__name__}, want a tensor")
    same = tensor.dim() == len(shape) and all(
        want is None or size == want for size, want in zip(tensor.shape, shape, strict=True)
    )
    if not same:
        want = ", ".join("any" if size is None else str(size) for size in shape)
        raise RuntimeError(f"{name}: got shape {list(tensor.shape)}, want [{want}]")
    if tensor.dtype != x.dtype:
        raise TypeError(f"{name}: got dtype {tensor.dtype}, want that of {x_name}, {x.dtype}")
    if tensor.device != x.device:
        raise RuntimeError(f"{name}: got device {tensor.device}, want that of {x_name}, {x.device}")


def shown(given: Any) -> str:
    """A value in an error."""
    return f"a tensor of shape {list(given.shape)}" if isinstance(given, Tensor) else repr(given)


def whole_number(name: str, given: Any, want: str = "a whole number from 1") -> int:
    """A number, of NumPy too, that is at least 1."""
    if type(given) is not int and not isinstance(given, torch.SymInt):
        try:
            if isinstance(given, bool):
                raise TypeError
            given = operator.index(given)
        except TypeError:
            raise ValueError(f"{name}: got {shown(given)}, want {want}") from None
    if given < 1:
        raise ValueError(f"{name}: got {given}, want {want}")
    return int(given) if isinstance(given, int) else given


def checked_kernel_size(kernel_size: Any) -> int:
    """``k`` of whatever says it: a number, of NumPy too, or ``(k, k)``."""
    given, want = kernel_size, f"an odd integer from 1 to {MAX_KERNEL_SIZE}"
    if isinstance(given, (tuple, list)) and len(given) == 2 and given[0] == given[1]:
        given = given[0]
    if not isinstance(given, (tuple, list)):
        given = whole_number("kernel_size", given, want)
    if isinstance(given, (tuple, list)) or given % 2 == 0 or given > MAX_KERNEL_SIZE:
        raise ValueError(f"kernel_size: got {kernel_size!r}, want {want}, or two equal ones")
    return given


def check_slope(negative_slope: float) -> None:
    if isinstance(negative_slope, bool) or not isinstance(negative_slope, (int, float)):
        raise TypeError(f"negative_slope: got {negative_slope!r}, want a number from 0 to 1")
    if not 0 <= negative_slope <= 1:  # the backward pass reads the sign of the input off that of the output
        raise ValueError(f"negative_slope: got {negative_slope!r}, want a number from 0 to 1")


def slope_of(activation: str | None, negative_slope: float) -> float:
    """LeakyReLU's slope for negative values; 1 is no activation."""
    if activation not in (None, "leaky_relu"):
        raise ValueError(f"activation: got {activation!r}, want None or 'leaky_relu'")
    check_slope(negative_slope)
    return 1.0 if activation is None else float(negative_slope)
