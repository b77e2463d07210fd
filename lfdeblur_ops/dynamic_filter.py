"""``dynamic_filter``: every pixel is filtered with its own kernel (FAC, filter adaptive convolution)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from . import _load, reference
from ._checks import FLOATS, MAX_KERNEL_SIZE, autocast, checked_kernel_size
from ._dispatch import register, select
from ._filter_function import Filter, FilterBackward
from ._levels import overridable, transformed

BORDERS = ("replicate", "zeros")


@overridable
def dynamic_filter(
    x: Tensor,
    filters: Tensor,
    kernel_size: int | Sequence[int] | None = None,
    *,
    border: str = "replicate",
    backend: str = "auto",
) -> Tensor:
    """Filter each pixel of ``x`` with its own ``k x k`` taps.

    ``out[n, c, y, x] = sum_ij filters[n, (c*k + i)*k + j, y, x] * x[n, c, y + i - k//2, x + j - k//2]``: the FAC
    layer of STFAN (Zhou et al., ICCV 2019) and of DRBNet (Ruan et al., CVPR 2022). No unfolded tensor is made.

    Args:
        x: ``[N, C, H, W]`` float64, float32, float16 or bfloat16; linear or encoded intensity, any range. Not padded:
            that is done inside.
        filters: ``[N, k*k, H, W]``, shared by the channels, or ``[N, C*k*k, H, W]``; ``[1, ...]``: the same for every
            picture; unitless, not normalised here; dtype and device of ``x``. Contiguous and channels-last layouts are
            both read in place.
        kernel_size: ``k`` in pixels: odd, 1 to 15 (3, 5 and 7 have kernels of their own); ``(k, k)`` too. None: as the
            channels of ``filters`` have it, where only one size fits.
        border: ``replicate`` (the edge pixel goes on) or ``zeros``.
        backend: ``auto``, or ``cuda | cpu | reference``; a forced one never falls back.

    Returns:
        ``[N, C, H, W]``, contiguous, dtype of ``x``; summed in float32 (float64 for float64). Differentiable in ``x``
        and ``filters``, any number of times and under every transform of PyTorch (docs/transforms.md); gradients are
        gathered without atomics, so they are deterministic. Under autocast both inputs are cast to the autocast dtype,
        as a convolution's are.

    Raises:
        RuntimeError: shapes or devices disagree.
        TypeError: not tensors, or dtypes that differ or are not floating point.
        ValueError: a bad ``kernel_size``, ``border`` or ``backend``.
        BackendError: the back end cannot run the call; it says why.
    """
    x, filters = autocast(x, filters)  # type: ignore[assignment]
    filters, kernel_size = _check(x, filters, kernel_size, border)
    chosen = select("dynamic_filter", backend, x.device)
    if chosen == "composed":
        return Filter.apply(x, filters, kernel_size, border)
    run = reference.dynamic_filter if chosen == "reference" else torch.ops.lfdeblur.dynamic_filter
    return run(x, filters, kernel_size, border)


def _check(x: Tensor, filters: Tensor, kernel_size: int | Sequence[int] | None, border: str) -> tuple[Tensor, int]:
    """The same errors from every back end, before any work. Returns filters for every picture, and the size."""
    for name, tensor in (("x", x), ("filters", filters)):
        if not isinstance(tensor, Tensor):
            raise TypeError(f"{name}: got {type(tensor).__name__}, want a tensor")
        if tensor.dim() != 4:
            raise RuntimeError(f"{name}: got shape {list(tensor.shape)}, want 4 axes [N, C, H, W]")
    if x.dtype not in FLOATS:
        raise TypeError(f"x: got dtype {x.dtype}, want float64, float32, float16 or bfloat16")
    if filters.dtype != x.dtype:
        raise TypeError(f"filters: got dtype {filters.dtype}, want that of x, {x.dtype}")
    if filters.device != x.device:
        raise RuntimeError(f"filters: got device {filters.device}, want that of x, {x.device}")
    n, c, h, w = x.shape
    pictures, channels, height, width = filters.shape
    kernel_size = _fitting(c, channels) if kernel_size is None else checked_kernel_size(kernel_size)
    if border not in BORDERS:
        raise ValueError(f"border: got {border!r}, want 'replicate' or 'zeros'")
    taps = kernel_size * kernel_size
    if height != h or width != w or (pictures != n and pictures != 1):
        raise RuntimeError(_wrong_size(x, filters, kernel_size))
    if channels != taps and channels != c * taps:
        raise RuntimeError(
            f"filters: got {channels} channels, want k*k = {taps} (shared by the channels of x) "
            f"or C*k*k = {c * taps}, for kernel_size {kernel_size} and C = {c}"
        )
    return filters if pictures == n else filters.expand(n, -1, -1, -1), kernel_size


def _fitting(channels: int, taps: int) -> int:
    """``k`` of the channels of picture and filters."""
    odd = range(1, MAX_KERNEL_SIZE + 1, 2)
    fit = [k for k in odd if taps in (k * k, channels * k * k)]
    if len(fit) != 1:
        raise ValueError(
            f"kernel_size: got None, and {' and '.join(map(str, fit)) or 'no odd size'} fits {taps} channels of "
            f"filters beside {channels} of x; want it said"
        )
    return fit[0]


def _wrong_size(x: Tensor, filters: Tensor, kernel_size: int) -> str:
    n, _, h, w = x.shape
    radius = kernel_size // 2
    if radius and (h - filters.shape[2], w - filters.shape[3]) == (2 * radius, 2 * radius):
        return (
            f"x: got shape {list(x.shape)}, {radius} pixels more on each side than filters {list(filters.shape)}, want "
            "it without padding: that is done inside (border='replicate' or 'zeros')"
        )
    return f"filters: got shape {list(filters.shape)}, want [{n} or 1, ..., {h}, {w}] as x has it"


if _load.extension is not None:

    @torch.library.register_fake("lfdeblur::dynamic_filter")
    def _(x: Tensor, filters: Tensor, kernel_size: int, border: str) -> Tensor:
        return x.new_empty(x.shape)

    @torch.library.register_fake("lfdeblur::dynamic_filter_backward")
    def _(
        grad: Tensor, x: Tensor, filters: Tensor, kernel_size: int, border: str, need_x: bool, need_filters: bool
    ) -> tuple[Tensor, Tensor]:
        in_place = (
            filters.stride(3) == 1 or filters.stride(1) == 1
        )  # planar or channels-last: the layouts the kernels read
        grad_filters = torch.empty_like(filters) if in_place else filters.new_empty(filters.shape)
        return x.new_empty(x.shape if need_x else (0,)), grad_filters if need_filters else filters.new_empty((0,))

    def _setup_context(ctx, inputs, output) -> None:  # type: ignore[no-untyped-def]
        x, filters, ctx.kernel_size, ctx.border = inputs
        ctx.save_for_backward(x, filters)

    def _backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[no-untyped-def]
        need_x, need_filters = ctx.needs_input_grad[:2]
        run = FilterBackward.apply if transformed() else torch.ops.lfdeblur.dynamic_filter_backward
        grad_x, grad_filters = run(grad, *ctx.saved_tensors, ctx.kernel_size, ctx.border, need_x, need_filters)
        return grad_x if need_x else None, grad_filters if need_filters else None, None, None

    torch.library.register_autograd("lfdeblur::dynamic_filter", _backward, setup_context=_setup_context)
    torch.library.register_autograd(
        "lfdeblur::dynamic_filter_backward", FilterBackward.backward, setup_context=FilterBackward.setup_context
    )

register("dynamic_filter", composed=True)
