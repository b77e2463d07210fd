"""``dynamic_filter``: every pixel is filtered with its own kernel (FAC, filter adaptive convolution)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from . import _load, reference
from ._checks import autocast, check_like
from ._dispatch import register, select
from ._filter_forms import Options, options, read
from ._filter_function import Filter, FilterBackward, with_normalized
from ._layouts import empty_gradients, empty_output, memory_format
from ._levels import overridable, transformed


@overridable
def dynamic_filter(
    x: Tensor,
    filters: Tensor,
    kernel_size: int | Sequence[int] | None = None,
    *,
    groups: int = 1,
    dilation: int | Sequence[int] = 1,
    stride: int | Sequence[int] = 1,
    scale: int = 1,
    border: str = "replicate",
    normalize: str | None = None,
    bias: Tensor | None = None,
    layout: str = "groups_first",
    interleaved: bool = False,
    backend: str = "auto",
) -> Tensor:
    """Filter each pixel of ``x`` with its own ``k x k`` taps.

    ``out[n, c, y, x] = sum_ij filters[n, (c*k + i)*k + j, y, x] * x[n, c, y + i - k//2, x + j - k//2]``: the FAC
    layer of STFAN (Zhou et al., ICCV 2019) and of DRBNet (Ruan et al., CVPR 2022); with its options also involution
    (Li et al., CVPR 2021), CARAFE (Wang et al., ICCV 2019), convex upsampling (Teed and Deng, ECCV 2020) and others
    (docs/coming_from.md). No unfolded tensor and no normalised filters are made.

    Below, ``T = kh*kw`` taps; ``G`` groups of channels that share their filters; ``S = scale**2``; ``H', W'`` the
    positions that are filtered: those of ``x``, or fewer by ``stride``, or by ``border="valid"``.

    Args:
        x: ``[N, C, H, W]`` float64, float32, float16 or bfloat16; linear or encoded intensity, any range. Not padded:
            that is done inside.
        filters: ``[N, G*T*S, H', W']`` or ``[N, G, T*S, H', W']``; unitless; dtype and device of ``x``; any strides
            (planar and channels-last filters are read in place, others in parts). Of the ``S`` outputs of a position,
            ``scale`` in a row, those of a tap stand together, as ``torch.nn.functional.pixel_shuffle`` has them.
            ``[N, G*T, scale*H', scale*W']``, with or without an axis of groups: the same, shuffled already.
            ``[1, ...]``: alike for every picture.
        kernel_size: ``k``, or ``(kh, kw)``, in pixels, each odd, 1 to 51. None: the one square kernel that the shape of
            ``filters`` fits.
        groups: 1: as the axis of groups has it; without that axis 1 or C, whichever fits. Else ``G``, a divisor of C.
        dilation: pixels from tap to tap; a number, or one for rows and one for columns. The taps reach 65536 at most.
        stride: pixels from position to position, as in a convolution: ``H' = (H - 1) // stride + 1``.
        scale: outputs of a position in each axis, 1 to 64; the result is as many times as large as its positions. Not
            together with ``stride``.
        border: what is outside of ``x``: ``replicate`` (the edge pixel goes on), ``zeros``, ``reflect`` (about the edge
            pixel), ``circular``; or ``valid``: ``x`` has its border already, and ``H' = (H - reach - 1) // stride + 1``
            with ``reach = dilation * (kh - 1)``.
        normalize: None, ``softmax`` over the taps, or ``sum``: each tap over the sum of them all and 1e-8.
        bias: None, or what is added to the result: ``[C]``, or ``[N or 1, C, scale*H', scale*W']``; dtype of ``x``.
        layout: ``groups_first`` as above, or ``taps_first``: ``[N, T*G*S, H', W']`` or ``[N, T, G*S, H', W']``.
        interleaved: False: group g has C/G channels in a row. True: channel c has group ``c % G``.
        backend: ``auto``, or ``cuda | cpu | reference``; a forced one never falls back.

    Returns:
        ``[N, C, scale*H', scale*W']``, dtype and memory format of ``x`` (channels-last or contiguous); summed in
        float32 (float64 for float64). Differentiable in ``x``, ``filters`` and ``bias``, any number of times and under
        every transform of PyTorch (docs/transforms.md); gradients are gathered without atomics, so they are
        deterministic. Under autocast all are cast to the autocast dtype, as a convolution's are.

    Raises:
        RuntimeError: shapes or devices disagree.
        TypeError: not tensors, or dtypes that differ or are not floating point.
        ValueError: a bad ``kernel_size`` (None too, where several fit), ``groups``, ``dilation``, ``stride``,
            ``scale``, ``border``, ``normalize``, ``layout`` or ``backend``.
        BackendError: the back end cannot run the call; it says why.
    """
    x, filters, bias = autocast(x, filters, bias)  # type: ignore[assignment]
    filters, how = read(
        x, filters, kernel_size, groups, layout, options(dilation, stride, scale, border, normalize, interleaved)
    )
    if bias is not None:
        _check_bias(bias, x, how.output(x.shape))
    chosen = select("dynamic_filter", backend, x.device)
    if chosen == "composed":
        out = Filter.apply(x, *with_normalized(x, filters, how))
    else:
        run = reference.dynamic_filter if chosen == "reference" else torch.ops.lfdeblur.dynamic_filter
        out = run(x, filters, *(how if how[2:] != _PLAIN else how[:2]))
    if bias is None:
        return out
    return out + (bias[:, None, None] if bias.dim() == 1 else bias)


_PLAIN = Options((1, 1))[2:]  # what is left out of a call, and of graphs that are exported


def _check_bias(bias: Tensor, x: Tensor, shape: tuple[int, ...]) -> None:
    if isinstance(bias, Tensor) and bias.dim() == 1:
        check_like("bias", bias, (x.shape[1],), x)
    else:
        one = isinstance(bias, Tensor) and bias.dim() == 4 and bias.shape[0] == 1
        check_like("bias", bias, (1 if one else x.shape[0], *shape[1:]), x)


if _load.extension is not None:

    @torch.library.register_fake("lfdeblur::dynamic_filter")
    def _(x: Tensor, filters: Tensor, *how) -> Tensor:  # type: ignore[no-untyped-def]
        return empty_output(x, Options.of(*how).output(x.shape), memory_format(x))

    @torch.library.register_fake("lfdeblur::dynamic_filter_backward")
    def _(  # PyTorch leaves arguments out that are as the schema has them
        grad: Tensor,
        x: Tensor,
        filters: Tensor,
        kernel_size: Sequence[int],
        border: str = "replicate",
        dilation: Sequence[int] = (1, 1),
        stride: Sequence[int] = (1, 1),
        scale: int = 1,
        normalize: str = "none",
        interleaved: bool = False,
        need_x: bool = True,
        need_filters: bool = True,
    ) -> tuple[Tensor, Tensor]:
        return empty_gradients(x, filters, need_x, need_filters)

    def _setup_context(ctx, inputs, output) -> None:  # type: ignore[no-untyped-def]
        x, filters, *ctx.options = inputs
        ctx.save_for_backward(x, filters)

    def _backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[no-untyped-def]
        need_x, need_filters = ctx.needs_input_grad[:2]
        run = FilterBackward.apply if transformed() else torch.ops.lfdeblur.dynamic_filter_backward
        grad_x, grad_filters = run(grad, *ctx.saved_tensors, *ctx.options, need_x, need_filters)
        return grad_x if need_x else None, grad_filters if need_filters else None, *(None for _ in ctx.options)

    torch.library.register_autograd("lfdeblur::dynamic_filter", _backward, setup_context=_setup_context)
    torch.library.register_autograd(
        "lfdeblur::dynamic_filter_backward", FilterBackward.backward, setup_context=FilterBackward.setup_context
    )

register("dynamic_filter", composed=True)
