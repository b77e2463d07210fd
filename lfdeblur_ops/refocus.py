"""``refocus``: synthetic-aperture refocusing of a light field, by shift and add."""

import math
from collections.abc import Sequence
from typing import Literal, overload

import torch
from torch import Tensor

from . import _load, reference
from ._dispatch import register, select
from ._levels import overridable, transformed
from ._refocus_checks import Options, check, meaning
from ._refocus_function import Refocus, RefocusBackward
from .reference.refocus import result_shape


@overload
def refocus(
    light_field: Tensor,
    disparity: Tensor | Sequence[float] | float,
    *,
    aperture: Tensor | None = None,
    normalize: bool = True,
    interpolation: str = "bilinear",
    cubic_coefficient: float = -0.5,
    border: str = "replicate",
    reduce: Literal["mean", "none"] = "mean",
    backend: str = "auto",
) -> Tensor: ...


@overload
def refocus(
    light_field: Tensor,
    disparity: Tensor | Sequence[float] | float,
    *,
    aperture: Tensor | None = None,
    normalize: bool = True,
    interpolation: str = "bilinear",
    cubic_coefficient: float = -0.5,
    border: str = "replicate",
    reduce: Literal["moments"],
    backend: str = "auto",
) -> tuple[Tensor, Tensor]: ...


@overridable
def refocus(
    light_field: Tensor,
    disparity: Tensor | Sequence[float] | float,
    *,
    aperture: Tensor | None = None,
    normalize: bool = True,
    interpolation: str = "bilinear",
    cubic_coefficient: float = -0.5,
    border: str = "replicate",
    reduce: Literal["mean", "none", "moments"] = "mean",
    backend: str = "auto",
) -> Tensor | tuple[Tensor, Tensor]:
    """Focus a light field on planes of given disparity, or on a disparity map (all-in-focus rendering).

    ``out(y, x) = sum_vu w[v, u] * L[v, u](y - d*(v - vc), x - d*(u - uc)) / sum_vu w[v, u]`` with ``vc = (V-1)/2`` and
    ``uc = (U-1)/2``. Positive disparity is nearer: a scene point of disparity ``d`` seen at ``(y, x)`` in the centre
    view is seen at ``(y - d*(v - vc), x - d*(u - uc))`` in view ``(v, u)``, so it is sharp in ``out`` (the convention
    of the 4D Light Field Benchmark, Honauer et al., ACCV 2016; shift and add: Ng et al., 2005).

    Args:
        light_field: ``[..., V, U, C, H, W]``, V rows and U columns of sub-aperture views; float64, float32, float16,
            bfloat16, or uint8 / uint16 scaled to [0, 1]. Blur is physical only in linear intensity. Views, crops and
            other strided light fields with a unit stride along W are read in place. Values are finite: one that is not
            may reach pixels whose samples weigh it with 0. V and U are two axes: of views in
            one axis of 81, ``views.unflatten(-4, (9, 9))`` makes them (one axis is one row, which is legal).
        disparity: pixels per view step: a number; planes ``[D]``; or a map with one disparity per output pixel:
            ``[H, W]`` for all light fields, or one for each, ``[..., H, W]`` with the axes before V of ``light_field``
            (B maps for B light fields; where there are two axes or more, any of them may be 1). D maps for every light
            field are ``[D, H, W]``, or, which is always taken so, ``[..., D, H, W]`` with the axes before V, each of
            its size or 1: ``[1, D, H, W]`` for a batch, since B maps beside B light fields are one for each. Numbers
            and sequences of numbers are moved to the light field's device. A tensor has any floating or integer dtype;
            it is used in float32 (float64 for a float64 light field).
        aperture: weights ``[V, U]`` or ``[A, V, U]``; or one per output pixel (occlusion), the same for all planes:
            ``[V, U, H, W]`` for all light fields, or one for each, ``[..., V, U, H, W]`` with the axes before V of
            ``light_field``. A of these are ``[A, V, U, H, W]`` or ``[..., A, V, U, H, W]``, told apart as D maps are:
            ``[1, A, V, U, H, W]`` for a batch of A light fields. None: all views alike.
        normalize: True: weights are divided by their sum, per pixel where they are, and must not be negative; where
            those of a pixel are all 0 the result is 0. False: they are taken as they are, of any sign.
        interpolation: ``nearest`` (halves go up), ``bilinear`` or ``bicubic``. Positions are float32 for a map (float64
            for a float64 light field) and float64 for planes: where one lies on the edge between two pixels or on that
            of a view, ``nearest`` and ``valid`` may decide otherwise for a map than for a plane.
        cubic_coefficient: a of the bicubic kernel (Keys, 1981): -0.5, his own, or -0.75, PyTorch's.
        border: ``replicate``: the edge pixel of a view goes on. ``zeros``: pixels outside a view are 0 and count, as
            in ``grid_sample`` with ``align_corners=True``. ``valid``: a sample whose position lies outside
            ``[0, H-1] x [0, W-1]`` does not count and the weights are renormalised per pixel; 0 where none counts.
        reduce: ``mean``: the sum above. ``none``: the samples of every view, times their weights where an aperture is
            given (a warp, for cost volumes). ``moments``: mean and variance over the views,
            ``sum_vu w * (sample - mean)**2 / sum_vu w``, in one pass (photo-consistency); the values
            should be of order 1, since float32 holds a variance of 1e-7 times their square at best.
        backend: ``auto``, or ``cuda | cpu | reference``; a forced one never falls back.

    Returns:
        ``[..., A, D, C, H, W]``, for ``none`` ``[..., A, D, V, U, C, H, W]``, for ``moments`` two of the first, all
        without A or D where the argument has no such axis; dtype of ``light_field``, float32
        for integers. Summed in float32 (float64 for float64). Differentiable in the light field, the disparity
        (zero for ``nearest``) and the aperture, any number of times and under every transform of PyTorch
        (docs/transforms.md). On CUDA the light field's gradient uses atomic adds (not deterministic) but for planes
        with weights ``[V, U]`` or ``[A, V, U]`` and ``mean``.

    Raises:
        RuntimeError: shapes or devices disagree.
        TypeError: wrong types or dtypes.
        ValueError: a non-finite aperture, one to be normalised that is negative or all zero, non-finite disparity, a
            bad ``interpolation``, ``cubic_coefficient``, ``border``, ``reduce`` or ``backend``, or two that exclude
            each other. Values of CUDA tensors are not read back for this (no synchronisation), nor are
            values while something traces (torch.compile, make_fx, FakeTensorMode) or batches (vmap).
        BackendError: the back end cannot run the call; it says why.
    """
    options = Options(interpolation, border, normalize, cubic_coefficient, reduce)
    disparity = check(light_field, disparity, aperture, options)
    acc = torch.float64 if light_field.dtype == torch.float64 else torch.float32
    lead = light_field.shape[:-5]
    planes, stacked = _canonical_disparity(disparity.to(acc), lead)
    weights, several, by_op = _canonical_aperture(aperture, light_field, acc, options)
    chosen = select("refocus", backend, light_field.device)
    if chosen == "composed":
        run = Refocus.apply
    else:
        run = reference.refocus if chosen == "reference" else torch.ops.lfdeblur.refocus
    light_fields = light_field.reshape(math.prod(lead), *light_field.shape[-5:])
    out = run(light_fields, planes, weights, interpolation, border, by_op, float(cubic_coefficient), reduce)

    def shaped(out: Tensor) -> Tensor:
        """``[B, A, D, ...]`` without the axes that the arguments have not."""
        _, apertures, depth, *rest = out.shape
        return out.reshape(*lead, *((apertures,) if several else ()), *((depth,) if stacked else ()), *rest)

    if reduce == "moments":
        return shaped(out[:, 0]), shaped(out[:, 1])
    return shaped(out)


def _canonical_disparity(disparity: Tensor, lead: torch.Size) -> tuple[Tensor, bool]:
    """``[D]``, ``[D, H, W]`` or, for each light field, ``[B, D, H, W]``; and whether the caller has an axis D."""
    if disparity.dim() < 2:
        return disparity.reshape(math.prod(disparity.shape)), disparity.dim() == 1
    own, stacked = meaning("disparity", disparity.shape, 2, lead)
    return _canonical(disparity, 2, own, stacked, lead), stacked


def _canonical_aperture(
    aperture: Tensor | None, light_field: Tensor, acc: torch.dtype, options: Options
) -> tuple[Tensor, bool, bool]:
    """``[A, V, U]``, ``[A, V, U, H, W]`` or ``[B, A, V, U, H, W]``; whether the caller has an axis A; whether the
    operator is to normalise it, which saves weights per pixel a pass over memory."""
    v, u = light_field.shape[-5:-3]
    if aperture is None:
        share = 1.0 if options.reduce == "none" or not options.normalize else 1.0 / max(v * u, 1)
        return torch.full((1, v, u), share, dtype=acc, device=light_field.device), False, False
    weights = aperture.to(acc)
    if weights.dim() <= 3:
        several, weights = weights.dim() == 3, weights.reshape(math.prod(weights.shape[:-2]), v, u)
        return weights / weights.sum((1, 2), keepdim=True) if options.normalize else weights, several, False
    own, several = meaning("aperture", weights.shape, 4, light_field.shape[:-5])
    weights = _canonical(weights, 4, own, several, light_field.shape[:-5])
    if options.reduce == "none" and options.normalize:
        total = weights.sum((-4, -3), keepdim=True)
        return torch.where(total > 0, weights / torch.where(total > 0, total, 1.0), 0.0), several, False
    return weights, several, options.normalize


def _canonical(tensor: Tensor, own_axes: int, own: bool, stacked: bool, lead: torch.Size) -> Tensor:
    """The ``own_axes`` last axes behind one that counts them, and behind one of the light fields if ``own``."""
    count = tensor.shape[-own_axes - 1] if stacked else 1
    rest = tensor.shape[-own_axes:]
    if not own:
        return tensor.reshape(count, *rest)
    each = tensor.reshape(*tensor.shape[: len(lead)], count, *rest).expand(*lead, count, *rest)
    return each.reshape(math.prod(lead), count, *rest)


if _load.extension is not None:

    @torch.library.register_fake("lfdeblur::refocus")
    def _(
        light_field: Tensor,
        disparity: Tensor,
        aperture: Tensor,
        interpolation: str,
        border: str,
        normalize: bool = False,
        cubic_coefficient: float = -0.5,
        reduce: str = "mean",
    ) -> Tensor:
        dtype = light_field.dtype if light_field.is_floating_point() else torch.float32
        return light_field.new_empty(result_shape(light_field, disparity, aperture, reduce), dtype=dtype)

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
        normalize: bool = False,
        cubic_coefficient: float = -0.5,
        reduce: str = "mean",
    ) -> tuple[Tensor, Tensor, Tensor]:
        return (
            light_field.new_empty(light_field.shape if need_light_field else (0,)),
            disparity.new_empty(disparity.shape if need_disparity else (0,)),
            aperture.new_empty(aperture.shape if need_aperture else (0,)),
        )

    def _setup_context(ctx, inputs, output: Tensor) -> None:  # type: ignore[no-untyped-def]
        light_field, disparity, aperture, *ctx.options = inputs
        ctx.save_for_backward(output, light_field, disparity, aperture)

    def _backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[no-untyped-def]
        need = ctx.needs_input_grad[:3]
        interpolation, border, *options = ctx.options
        if need[0] and grad.is_cuda and _scatters(*ctx.saved_tensors[2:], *options):
            _alert_not_deterministic()
        run = RefocusBackward.apply if transformed() else torch.ops.lfdeblur.refocus_backward
        grads = run(grad, *ctx.saved_tensors, interpolation, border, *need, *options)
        return *(g if n else None for g, n in zip(grads, need, strict=True)), *(None for _ in ctx.options)

    def _scatters(disparity: Tensor, aperture: Tensor, normalize: bool, cubic_coefficient: float, reduce: str) -> bool:
        """Whether CUDA adds the light field's gradient up in no fixed order."""
        return disparity.dim() > 1 or aperture.dim() > 3 or normalize or reduce != "mean"

    def _alert_not_deterministic() -> None:
        if not torch.are_deterministic_algorithms_enabled():
            return
        message = "refocus: this gradient of the light field is not deterministic on CUDA (atomic adds)"
        if not torch.is_deterministic_algorithms_warn_only_enabled():
            raise RuntimeError(message)
        import warnings

        warnings.warn(message, UserWarning, stacklevel=2)

    torch.library.register_autograd("lfdeblur::refocus", _backward, setup_context=_setup_context)
    torch.library.register_autograd(
        "lfdeblur::refocus_backward", RefocusBackward.backward, setup_context=RefocusBackward.setup_context
    )

register("refocus", composed=True)
