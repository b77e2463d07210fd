"""What ``refocus`` refuses, and which axes its arguments have."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ._levels import readable

_FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
_DTYPES = (*_FLOATS, torch.uint8, torch.uint16)


class Options(NamedTuple):
    """Those of the public function that are no tensors."""

    interpolation: str
    border: str
    normalize: bool
    cubic_coefficient: float
    reduce: str


_CHOICES = {
    "interpolation": ("nearest", "bilinear", "bicubic"),
    "border": ("replicate", "valid", "zeros"),
    "reduce": ("mean", "none", "moments"),
}
_EACH = {
    "disparity": ("maps", "H, W", "planes", "D, H, W"),
    "aperture": ("weights", "V, U, H, W", "several", "A, V, U, H, W"),
}


def meaning(name: str, shape: torch.Size, own_axes: int, lead: torch.Size) -> tuple[bool, bool]:
    """Whether light fields have maps (weights) of their own, and whether there is an axis of planes (apertures)."""
    axes = shape[:-own_axes]

    def beside(axes: torch.Size) -> bool:
        return len(axes) == len(lead) and all(size in (1, whole) for size, whole in zip(axes, lead, strict=True))

    if len(axes) == 0:
        return False, False
    if axes == lead or (len(axes) > 1 and beside(axes)):
        return any(size != 1 for size in axes), False
    if len(axes) == 1 or beside(axes[:-1]):
        return any(size != 1 for size in axes[:-1]), True
    before, before_several = "".join(f"{size}, " for size in lead), "".join(f"{size} or 1, " for size in lead)
    what, one, kind, several = _EACH[name]
    raise RuntimeError(
        f"{name}: got {what} of shape {list(shape)}, want one for all light fields, [{one}], one for each, "
        f"[{before}{one}], or {kind}, [{before_several}{several}]"
    )


def check(
    light_field: Tensor,
    disparity: Tensor | Sequence[float] | float,
    aperture: Tensor | None,
    options: Options,
) -> Tensor:
    """The same errors from every back end, before any work. Returns the disparity as a tensor."""
    if not isinstance(light_field, Tensor):
        raise TypeError(f"light_field: got {type(light_field).__name__}, want a tensor")
    if light_field.dim() < 5:
        raise RuntimeError(f"light_field: got shape {list(light_field.shape)}, want [..., V, U, C, H, W]")
    if light_field.dtype not in _DTYPES:
        raise TypeError(
            f"light_field: got dtype {light_field.dtype}, want float64, float32, float16, bfloat16, uint8 or uint16"
        )
    v, u = light_field.shape[-5:-3]
    if v == 0 or u == 0:
        raise RuntimeError(f"light_field: got {v} x {u} views, want at least one")
    _check_options(options)
    disparity = _checked_disparity(disparity, light_field)
    if aperture is not None:
        _check_aperture(aperture, light_field, options.normalize)
    return disparity


def _check_options(options: Options) -> None:
    for name, choices in _CHOICES.items():
        got = getattr(options, name)
        if got not in choices:
            raise ValueError(f"{name}: got {got!r}, want {', '.join(map(repr, choices[:-1]))} or {choices[-1]!r}")
    coefficient = options.cubic_coefficient
    if coefficient not in (-0.5, -0.75):
        raise ValueError(f"cubic_coefficient: got {coefficient!r}, want -0.5 or -0.75")
    if coefficient != -0.5 and options.interpolation != "bicubic":
        raise ValueError(
            f"cubic_coefficient: got {coefficient!r} with interpolation={options.interpolation!r}, "
            "want interpolation='bicubic'"
        )
    if not isinstance(options.normalize, bool):
        raise TypeError(f"normalize: got {type(options.normalize).__name__}, want True or False")
    if options.border == "valid" and options.reduce == "none":
        raise ValueError(
            "border: got 'valid' with reduce='none', which leaves no sample out; want 'replicate' or 'zeros'"
        )
    if not options.normalize and options.border == "valid":
        raise ValueError(
            "normalize: got False with border='valid', which weighs anew what counts; want True, or border='zeros'"
        )
    if not options.normalize and options.reduce == "moments":
        raise ValueError(
            "normalize: got False with reduce='moments', which are those of weights that sum to 1; want True"
        )


def _checked_disparity(disparity: Tensor | Sequence[float] | float, light_field: Tensor) -> Tensor:
    h, w = light_field.shape[-2:]
    given = isinstance(disparity, Tensor)
    if not isinstance(disparity, Tensor):
        try:
            disparity = _joined(disparity, light_field.device)
        except (TypeError, ValueError, RuntimeError, OverflowError) as error:
            raise TypeError(
                f"disparity: got {disparity!r}, want a tensor or numbers, in pixels per view step"
            ) from error
    if not disparity.is_floating_point() and (disparity.is_complex() or disparity.dtype == torch.bool):
        raise TypeError(f"disparity: got dtype {disparity.dtype}, want real numbers, in pixels per view step")
    if disparity.dim() >= 2 and (disparity.shape[-2] != h or disparity.shape[-1] != w):
        raise RuntimeError(f"disparity: got a map of shape {list(disparity.shape)}, want [..., {h}, {w}] as the views")
    _check_values("disparity", disparity, light_field.dtype, negative=True)
    if not given:
        disparity = disparity.to(light_field.device)
    if disparity.device != light_field.device:
        raise RuntimeError(f"disparity: got device {disparity.device}, want that of light_field, {light_field.device}")
    return disparity


def _joined(numbers: Any, device: torch.device) -> Tensor:
    """Numbers, and tensors among them, as one tensor that stays joined to their graphs."""
    if isinstance(numbers, (tuple, list)) and any(isinstance(number, Tensor) for number in numbers):
        return torch.stack([torch.as_tensor(number, dtype=torch.float64, device=device) for number in numbers])
    return torch.as_tensor(numbers, dtype=torch.float64)


def _check_aperture(aperture: Tensor, light_field: Tensor, normalize: bool) -> None:
    v, u, _, h, w = light_field.shape[-5:]
    if not isinstance(aperture, Tensor):
        raise TypeError(f"aperture: got {type(aperture).__name__}, want a tensor [V, U] or [A, V, U], or None")
    if not aperture.is_floating_point():
        raise TypeError(f"aperture: got dtype {aperture.dtype}, want a floating-point tensor")
    want = (v, u) if aperture.dim() <= 3 else (v, u, h, w)
    if aperture.dim() < 2 or tuple(aperture.shape[-len(want) :]) != want:
        raise RuntimeError(
            f"aperture: got shape {list(aperture.shape)}, want [{v}, {u}] or [A, {v}, {u}] as the views, or "
            f"weights per pixel, [{v}, {u}, {h}, {w}] or [A, {v}, {u}, {h}, {w}]"
        )
    if aperture.device != light_field.device:
        raise RuntimeError(f"aperture: got device {aperture.device}, want that of light_field, {light_field.device}")
    values = _check_values("aperture", aperture, light_field.dtype, negative=not normalize)
    if values is None or not normalize or aperture.dim() > 3:
        return
    sums = values.sum((-2, -1))
    if (sums == 0).any():
        raise ValueError("aperture: got weights that are all zero, want at least one positive weight in each aperture")
    if sums.isinf().any():
        raise ValueError(f"aperture: got weights whose sum is infinite, want a finite one in {values.dtype}")


def _check_values(name: str, values: Tensor, dtype: torch.dtype, *, negative: bool) -> Tensor | None:
    """Read the values of CPU tensors only: reading a GPU's would make the host wait, tracing has none to read.

    Returns those that were read, in the dtype that they are used in beside a light field of ``dtype``.
    """
    if not readable(values) or values.numel() == 0:
        return None
    used = values.detach().to(torch.float64 if dtype == torch.float64 else torch.float32)
    low, high = (bound.item() for bound in used.aminmax())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError(f"{name}: got NaN or infinite values, want finite ones in {used.dtype}")
    if low < 0 and not negative:
        raise ValueError(f"{name}: got a negative weight ({low:g}), want weights >= 0, or normalize=False")
    return used
