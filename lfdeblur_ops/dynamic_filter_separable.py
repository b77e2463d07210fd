"""``dynamic_filter_separable``: every pixel is filtered with its own separable kernel."""

from collections.abc import Sequence

import torch
from torch import Tensor

from . import _load, reference
from ._checks import autocast
from ._derivatives import gradients, register_second
from ._dispatch import register, select
from ._filter_forms import SeparableOptions, read, separable_options
from ._layouts import empty_gradients, empty_output, memory_format
from ._levels import overridable, transformed


@overridable
def dynamic_filter_separable(
    x: Tensor,
    filters: Tensor,
    kernel_size: int | Sequence[int] | None = None,
    *,
    border: str = "replicate",
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    backend: str = "auto",
) -> Tensor:
    """Filter each pixel of ``x`` with the product of its own vertical and horizontal taps.

    ``out[n, c, y, x] = sum_i v_i * sum_j h_j * x[n, c, y + i - kh//2, x + j - kw//2]``, where ``v_i`` is
    ``filters[n, i, y, x]`` and ``h_j`` is ``filters[n, kh + j, y, x]``: adaptive separable convolution (sepconv,
    Niklaus et al., ICCV 2017). It is ``dynamic_filter`` with the filters ``v_i * h_j``, which are not made.

    Args:
        x: ``[N, C, H, W]`` float64, float32, float16 or bfloat16; linear or encoded intensity, any range. Not padded:
            that is done inside.
        filters: ``[N, G*(kh+kw), H', W']`` or ``[N, G, kh+kw, H', W']``, for ``G`` groups of channels side by side that
            share their filters; the vertical taps first; unitless; dtype and device of ``x``; any strides. ``H', W'``:
            those of ``x``, or fewer with ``border="valid"``. ``[1, ...]``: alike for every picture.
        kernel_size: ``k``, or ``(kh, kw)``, in pixels, each odd, 1 to 51. None: the one square kernel that the shape of
            ``filters`` fits.
        border: what is outside of ``x``: ``replicate`` (the edge pixel goes on), ``zeros``, ``reflect`` (about the edge
            pixel), ``circular``; or ``valid``: ``x`` has its border already, and ``H' = H - dilation * (kh - 1)``.
        dilation: pixels from tap to tap; a number, or one for rows and one for columns.
        groups: 1: as the axis of groups has it; without that axis 1 or C, whichever fits. Else ``G``, a divisor of C.
        backend: ``auto``, or ``cuda | cpu | reference``; a forced one never falls back.

    Returns:
        ``[N, C, H', W']``, dtype and memory format of ``x`` (channels-last or contiguous); summed in float32 (float64
        for float64). Differentiable in ``x`` and ``filters``; the gradients are gathered without atomics, so they are
        deterministic. Second derivatives and the transforms of PyTorch run on the plain formula. Under autocast both
        are cast to the autocast dtype, as a convolution's are.

    Raises:
        RuntimeError: shapes or devices disagree.
        TypeError: not tensors, or dtypes that differ or are not floating point.
        ValueError: a bad ``kernel_size`` (None too, where several fit), ``groups``, ``dilation``, ``border`` or
            ``backend``.
        BackendError: the back end cannot run the call; it says why.
    """
    x, filters = autocast(x, filters)  # type: ignore[assignment]
    filters, how = read(x, filters, kernel_size, groups, "groups_first", separable_options(dilation, border))
    chosen = select("dynamic_filter_separable", backend, x.device)
    of = reference if chosen == "reference" else torch.ops.lfdeblur
    return of.dynamic_filter_separable(x, filters, how.kernel_size, how.border, how.dilation)


if _load.extension is not None:

    @torch.library.register_fake("lfdeblur::dynamic_filter_separable")
    def _(
        x: Tensor,
        filters: Tensor,
        kernel_size: Sequence[int],
        border: str = "replicate",
        dilation: Sequence[int] = (1, 1),
    ) -> Tensor:
        return empty_output(x, SeparableOptions.of(kernel_size, border, dilation).output(x.shape), memory_format(x))

    @torch.library.register_fake("lfdeblur::dynamic_filter_separable_backward")
    def _(
        grad: Tensor,
        x: Tensor,
        filters: Tensor,
        kernel_size: Sequence[int],
        border: str = "replicate",
        dilation: Sequence[int] = (1, 1),
        need_x: bool = True,
        need_filters: bool = True,
    ) -> tuple[Tensor, Tensor]:
        return empty_gradients(x, filters, need_x, need_filters)

    def _setup_context(ctx, inputs, output) -> None:  # type: ignore[no-untyped-def]
        x, filters, *ctx.options = inputs
        ctx.save_for_backward(x, filters)

    def _backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[no-untyped-def]
        need_x, need_filters = ctx.needs_input_grad[:2]
        if transformed():
            found = gradients(reference.dynamic_filter_separable, (*ctx.saved_tensors, *ctx.options), grad)
            return found[0] if need_x else None, found[1] if need_filters else None, *found[2:]
        grad_x, grad_filters = torch.ops.lfdeblur.dynamic_filter_separable_backward(
            grad, *ctx.saved_tensors, *ctx.options, need_x, need_filters
        )
        return grad_x if need_x else None, grad_filters if need_filters else None, *(None for _ in ctx.options)

    torch.library.register_autograd("lfdeblur::dynamic_filter_separable", _backward, setup_context=_setup_context)
    register_second("dynamic_filter_separable_backward", reference.dynamic_filter_separable, 2, 2)

register("dynamic_filter_separable")
