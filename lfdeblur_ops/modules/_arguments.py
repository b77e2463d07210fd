"""Checks of the modules' arguments, by the modules' names for them."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from .._checks import autocast_dtype, check_image, check_like, whole_number
from .._filter_forms import MAX_KERNEL_SIZE


def odd(name: str, given: Any, largest: int = MAX_KERNEL_SIZE) -> int:
    want = f"an odd integer from 1 to {largest}"
    given = whole_number(name, given, want)
    if given % 2 == 0 or given > largest:
        raise ValueError(f"{name}: got {given}, want {want}")
    return given


def divisor(name: str, given: Any, channels: int) -> int:
    given = whole_number(name, given)
    if channels % given:
        raise ValueError(f"{name}: got {given}, want a divisor of the {channels} channels")
    return given


def check_channels(x: Tensor, channels: int) -> None:
    check_image("x", x)
    if x.shape[1] != channels:
        raise RuntimeError(f"x: got shape {list(x.shape)}, want [N, {channels}, H, W]")


def check_weights(name: str, weights: Tensor, shapes: Sequence[Sequence[int | str]], x: Tensor, x_name: str) -> None:
    """``weights`` has one of the shapes (a name: any size) after its axis of pictures, and what ``x`` is of."""
    if not isinstance(weights, Tensor):
        raise TypeError(f"{name}: got {type(weights).__name__}, want a tensor")
    pictures = x.shape[0]
    fits = any(
        weights.dim() == len(shape) + 1
        and all(isinstance(want, str) or size == want for size, want in zip(weights.shape[1:], shape, strict=True))
        for shape in shapes
    )
    if not fits or (weights.shape[0] != pictures and weights.shape[0] != 1):
        first = "1" if pictures == 1 else f"{pictures} or 1"
        want = " or ".join(f"[{', '.join([first, *map(str, shape)])}]" for shape in shapes)
        raise RuntimeError(f"{name}: got shape {list(weights.shape)}, want {want} for {x_name} {list(x.shape)}")
    if autocast_dtype(x) is None:  # which casts both
        check_like(name, weights, tuple(weights.shape), x, x_name)
