"""``refocus``: synthetic-aperture refocusing of a light field, by shift and add."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from . import _load, reference
from ._dispatch import register, select
from ._levels import overridable, readable, transformed
from ._refocus_function import Refocus, RefocusBackward

INTERPOLATIONS = ("nearest", "bilinear", "bicubic")
BORDERS = ("replicate", "valid")
_FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
_DTYPES = (*_FLOATS, torch.uint8, torch.uint16)


@overridable
def refocus(
    light_field: Tensor,
    disparity: Tensor | Sequence[float] | float,
    *,
    aperture: Tensor | None = None,
    interpolation: str = "bilinear",
    border: str = "replicate",
    backend: str = "auto",
) -> Tensor:
    """Focus a light field on planes of given disparity, or on a disparity map (all-in-focus rendering).

    ``out(y, x) = sum_vu w[v, u] * L[v, u](y - d*(v - vc), x - d*(u - uc)) / sum_vu w[v, u]`` with ``vc = (V-1)/2`` and
    ``uc = (U-1)/2``. Positive disparity is nearer: a scene point of disparity ``d`` seen at ``(y, x)`` in the centre
    view is seen at ``(y - d*(v - vc), x - d*(u - uc))`` in view ``(v, u)``, so it is sharp in ``out`` (the convention
    of the 4D Light Field Benchmark, Honauer et al., ACCV 2016; shift and add: Ng et al., 2005).

    Args:
        light_field: ``[..., V, U, C, H, W]``, V rows and U columns of sub-aperture views; float64, float32, float16,
            bfloat16, or uint8 / uint16 scaled to [0, 1]. Blur is physical only in linear intensity. Views, crops and
            other strided light fields with a unit stride along W are read in place. V and U are two axes: of views in
            one axis of 81, ``views.unflatten(-4, (9, 9))`` makes them (one axis is one row, which is legal).
        disparity: pixels per view step: a number; planes ``[D]``; or a map with one disparity per output pixel:
            ``[H, W]`` for all light fields, or one for each, ``[..., H, W]`` with the axes before V of ``light_field``
            (B maps for B light fields; where there are two axes or more, any of them may be 1). D maps for every light
            field are ``[D, H, W]``, or, which is always taken so, ``[..., D, H, W]`` with the axes before V, each of
            its size or 1: ``[1, D, H, W]`` for a batch, since B maps beside B light fields are one for each. Numbers
            and sequences of numbers are moved to the light field's device. A tensor has any floating or integer dtype;
            it is used in float32 (float64 for a float64 light field).
        aperture: non-negative weights ``[V, U]`` or ``[A, V, U]``, normalised here; None: all views alike.
        interpolation: ``nearest``, ``bilinear`` or ``bicubic`` (Keys 1981, a = -0.5).
        border: ``replicate``: the edge pixel of a view goes on. ``valid``: a sample whose position lies outside
            ``[0, H-1] x [0, W-1]`` does not count and the weights are renormalised per pixel; 0 where none counts.
        backend: ``auto``, or ``cuda | cpu | reference``; a forced one never falls back.

    Returns:
        ``[..., A, D, C, H, W]``, without A or D where the argument has no such axis; dtype of ``light_field``, float32
        for integers. Summed in float32 (float64 for float64). Differentiable in the light field, the disparity
        (zero for ``nearest``) and the aperture, any number of times and under every transform of PyTorch
        (docs/transforms.md). On CUDA the light field's gradient for a disparity map uses atomic adds (not
        deterministic). Maps of their own for each light field run one call of the kernel each;
        in plain PyTorch where torch.compile, torch.export or symbolic shapes trace them.

    Raises:
        RuntimeError: shapes or devices disagree.
        TypeError: wrong types or dtypes.
        ValueError: a negative, all-zero or non-finite aperture, non-finite disparity, a bad ``interpolation``,
            ``border`` or ``backend``. Values of CUDA tensors are not read back for this (no synchronisation), nor are
            values while something traces (torch.compile, make_fx, FakeTensorMode) or batches (vmap).
        BackendError: the back end cannot run the call; it says why.
    """
    disparity = _check(light_field, disparity, aperture, interpolation, border)
    acc = torch.float64 if light_field.dtype == torch.float64 else torch.float32
    v, u, c, h, w = light_field.shape[-5:]
    lead = light_field.shape[:-5]
    own, stacked = (False, disparity.dim() == 1) if disparity.dim() < 2 else _meaning(disparity, lead)
    if aperture is None:
        weights = torch.full((1, v, u), 1.0 / max(v * u, 1), dtype=acc, device=light_field.device)
    else:
        weights = aperture.to(acc).reshape(math.prod(aperture.shape[:-2]), v, u)
        weights = weights / weights.sum((1, 2), keepdim=True)
    chosen = select("refocus", backend, light_field.device)
    if chosen == "composed":
        run = Refocus.apply
    else:
        run = reference.refocus if chosen == "reference" else torch.ops.lfdeblur.refocus
    light_fields = light_field.reshape(math.prod(lead), v, u, c, h, w)
    planes = disparity.to(acc)
    each = (h, w) if planes.dim() >= 2 else ()
    planes = planes.reshape(math.prod(planes.shape[: planes.dim() - len(each)]), *each)
    depth = disparity.shape[-1 if disparity.dim() == 1 else -3] if stacked else 1
    if own:
        maps = planes.reshape(*disparity.shape[: len(lead)], depth, h, w).expand(*lead, depth, h, w)
        out = _each(run, light_fields, maps.reshape(math.prod(lead), depth, h, w), weights, interpolation, border)
    else:
        out = run(light_fields, planes, weights, interpolation, border)
    shape = list(lead)
    if aperture is not None and aperture.dim() == 3:
        shape.append(weights.shape[0])
    if stacked:
        shape.append(depth)
    return out.reshape(*shape, c, h, w)


def _each(run: Callable[..., Tensor], light_fields: Tensor, maps: Tensor, *rest: Any) -> Tensor:
    """Light fields with maps ``[B, D, H, W]`` of their own.

    One call of a kernel each, which knows one geometry. What is traced serves every number of light fields, so no loop.
    """
    fixed = not torch.compiler.is_compiling() and isinstance(light_fields.shape[0], int)
    if not fixed or run is reference.refocus or light_fields.shape[0] == 0:
        return reference.refocus(light_fields, maps, *rest)
    return torch.cat([run(one, its, *rest) for one, its in zip(light_fields.split(1), maps.unbind(), strict=True)])


def _meaning(disparity: Tensor, lead: torch.Size) -> tuple[bool, bool]:
    """Whether light fields have maps of their own, and whether there is an axis of planes; as ``refocus`` tells."""
    axes = disparity.shape[:-2]

    def beside(axes: torch.Size) -> bool:
        return len(axes) == len(lead) and all(size in (1, whole) for size, whole in zip(axes, lead, strict=True))

    if len(axes) == 0:
        return False, False
    if axes == lead or (len(axes) > 1 and beside(axes)):
        return any(size != 1 for size in axes), False
    if len(axes) == 1 or beside(axes[:-1]):
        return any(size != 1 for size in axes[:-1]), True
    each, planes = "".join(f"{size}, " for size in lead), "".join(f"{size} or 1, " for size in lead)
    raise RuntimeError(
        f"disparity: got maps of shape {list(disparity.shape)}, want one for all light fields, [H, W], one for each, "
        f"[{each}H, W], or planes, [{planes}D, H, W]"
    )


def _check(
    light_field: Tensor,
    disparity: Tensor | Sequence[float] | float,
    aperture: Tensor | None,
    interpolation: str,
    border: str,
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
    if interpolation not in INTERPOLATIONS:
        raise ValueError(f"interpolation: got {interpolation!r}, want 'nearest', 'bilinear' or 'bicubic'")
    if border not in BORDERS:
        raise ValueError(f"border: got {border!r}, want 'replicate' or 'valid'")
    disparity = _checked_disparity(disparity, light_field)
    if aperture is not None:
        _check_aperture(aperture, light_field)
    return disparity


def _checked_disparity(disparity: Tensor | Sequence[float] | float, light_field: Tensor) -> Tensor:
    h, w = light_field.shape[-2:]
    given = isinstance(disparity, Tensor)
    if not isinstance(disparity, Tensor):
        try:
            disparity = _joined(disparity, light_field.device)
        except (TypeError, ValueError, RuntimeError) as error:
            raise TypeError(
                f"disparity: got {disparity!r}, want a tensor or numbers, in pixels per view step"
            ) from error
    if not disparity.is_floating_point() and (disparity.is_complex() or disparity.dtype == torch.bool):
        raise TypeError(f"disparity: got dtype {disparity.dtype}, want real numbers, in pixels per view step")
    if disparity.dim() >= 2 and (disparity.shape[-2] != h or disparity.shape[-1] != w):
        raise RuntimeError(f"disparity: got a map of shape {list(disparity.shape)}, want [..., {h}, {w}] as the views")
    _check_values("disparity", disparity, negative=True)
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


def _check_aperture(aperture: Tensor, light_field: Tensor) -> None:
    v, u = light_field.shape[-5:-3]
    if not isinstance(aperture, Tensor):
        raise TypeError(f"aperture: got {type(aperture).__name__}, want a tensor [V, U] or [A, V, U], or None")
    if not aperture.is_floating_point():
        raise TypeError(f"aperture: got dtype {aperture.dtype}, want a floating-point tensor")
    if aperture.dim() not in (2, 3) or aperture.shape[-2] != v or aperture.shape[-1] != u:
        raise RuntimeError(f"aperture: got shape {list(aperture.shape)}, want [{v}, {u}] or [A, {v}, {u}] as the views")
    if aperture.device != light_field.device:
        raise RuntimeError(f"aperture: got device {aperture.device}, want that of light_field, {light_field.device}")
    _check_values("aperture", aperture, negative=False)


def _check_values(name: str, values: Tensor, *, negative: bool) -> None:
    """Read the values of CPU tensors only: reading a GPU's would make the host wait, tracing has none to read."""
    if not readable(values) or values.numel() == 0:
        return
    values = values.detach()
    low, high = (bound.item() for bound in values.aminmax())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError(f"{name}: got NaN or infinite values, want finite ones")
    if negative:
        return
    if low < 0:
        raise ValueError(f"{name}: got a negative weight ({low:g}), want weights >= 0")
    if (values.flatten(-2).amax(-1) == 0).any():
        raise ValueError(f"{name}: got weights that are all zero, want at least one positive weight in each aperture")


if _load.extension is not None:

    @torch.library.register_fake("lfdeblur::refocus")
    def _(light_field: Tensor, disparity: Tensor, aperture: Tensor, interpolation: str, border: str) -> Tensor:
        b, _, _, c, h, w = light_field.shape
        dtype = light_field.dtype if light_field.is_floating_point() else torch.float32
        return light_field.new_empty((b, aperture.shape[0], disparity.shape[0], c, h, w), dtype=dtype)

    @torch.library.register_fake("lfdeblur::refocus_backward")
    def _(
        grad: Tensor,
        out: Tensor,
        light_field: Tensor,
        disparity: Tensor,
        aperture: Tensor,
        interpolation: str,
        border: str,
        need_light_field: bool,
        need_disparity: bool,
        need_aperture: bool,
    ) -> tuple[Tensor, Tensor, Tensor]:
        return (
            light_field.new_empty(light_field.shape if need_light_field else (0,)),
            disparity.new_empty(disparity.shape if need_disparity else (0,)),
            aperture.new_empty(aperture.shape if need_aperture else (0,)),
        )

    def _setup_context(ctx, inputs, output: Tensor) -> None:  # type: ignore[no-untyped-def]
        light_field, disparity, aperture, ctx.interpolation, ctx.border = inputs
        ctx.save_for_backward(output, light_field, disparity, aperture)

    def _backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[no-untyped-def]
        need = ctx.needs_input_grad[:3]
        if need[0] and grad.is_cuda and ctx.saved_tensors[2].dim() == 3:
            _alert_not_deterministic()
        run = RefocusBackward.apply if transformed() else torch.ops.lfdeblur.refocus_backward
        grads = run(grad, *ctx.saved_tensors, ctx.interpolation, ctx.border, *need)
        return *(g if n else None for g, n in zip(grads, need, strict=True)), None, None

    def _alert_not_deterministic() -> None:
        if not torch.are_deterministic_algorithms_enabled():
            return
        message = "refocus: the light field's gradient for a disparity map is not deterministic on CUDA (atomic adds)"
        if not torch.is_deterministic_algorithms_warn_only_enabled():
            raise RuntimeError(message)
        import warnings

        warnings.warn(message, UserWarning, stacklevel=2)

    torch.library.register_autograd("lfdeblur::refocus", _backward, setup_context=_setup_context)
    torch.library.register_autograd(
        "lfdeblur::refocus_backward", RefocusBackward.backward, setup_context=RefocusBackward.setup_context
    )

register("refocus", composed=True)
