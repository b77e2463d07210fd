"""Convolutions on the CPU through oneDNN's fused primitives, which PyTorch ships; gradients of every device's.

PyTorch has no public name for a convolution with its activation or addition fused; these are the operators that
torch.compile uses. Where one is missing, or a dtype has no oneDNN convolution, PyTorch's own convolution does the work.
"""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ._dispatch import Impl, tf32_allowed, triton_missing

_COPIED = 64 << 20  # bytes of copies at a time in the backward pass
_HALF = (torch.bfloat16, torch.float16)
# oneDNN's gradient of a weight takes up to three times as long on channels-last tensors without AVX-512, so that copies
# pay; with AVX-512 they take longer than the gradient itself.
_CONTIGUOUS_PAYS = "AVX512" not in torch.backends.cpu.get_cpu_capability()


def tensor_core_unfit(dtype: torch.dtype) -> str | None:
    """Why a Triton convolution cannot run on this dtype."""
    if dtype == torch.float64:
        return "no kernel for float64"
    if dtype == torch.float32 and not tf32_allowed("conv"):
        return "float32 would run as TF32, which torch.backends.cudnn.conv.fp32_precision does not allow"
    return None


def triton_impl(kernel: object) -> Impl:
    return Impl(kernel, "cuda", triton_missing, tensor_core_unfit)  # type: ignore[arg-type]


def fused(dtype: torch.dtype) -> bool:
    """Whether this processor and this PyTorch have a fused convolution of the dtype."""
    if not (torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled):
        return False
    names = ("_convolution_pointwise", "_convolution_transpose_pointwise")
    if not all(hasattr(torch.ops.mkldnn, name) for name in names):
        return False
    if dtype == torch.bfloat16:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    if dtype == torch.float16:
        return bool(torch.ops.mkldnn._is_mkldnn_fp16_supported())
    return dtype == torch.float32


def convolution(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    *,
    stride: int = 1,
    padding: Sequence[int] = (1, 1),
    transposed: bool = False,
    negative_slope: float = 1.0,
    residual: Tensor | None = None,
    layout: torch.memory_format | None = None,
) -> Tensor:
    """``leaky_relu(conv(x) + bias) + residual`` on the CPU. A slope of 1 is no activation; no layout is ``x``'s."""
    dtype = x.dtype
    layout = layout or layout_of(x)
    n, _, h, w = x.shape
    if h == 0 or w == 0:  # PyTorch's convolutions refuse it
        size = (2 * h, 2 * w) if transposed else (-(-h // stride), -(-w // stride))
        return x.new_empty((n, weight.shape[1 if transposed else 0], *size))
    if dtype in _HALF and not fused(dtype):
        # Without such instructions float32 is a hundred times faster than a convolution in the narrow type.
        wide = [t if t is None else t.float() for t in (x, weight, bias, residual)]
        out = convolution(
            wide[0],  # type: ignore[arg-type]
            wide[1],  # type: ignore[arg-type]
            wide[2],
            stride=stride,
            padding=padding,
            transposed=transposed,
            negative_slope=negative_slope,
            residual=wide[3],
            layout=layout,
        )
        return out.to(dtype)
    if dtype == torch.bfloat16 and stride == 2 and not transposed and w <= 2:
        # With AMX, oneDNN reads memory that is not the input's where the result is one pixel wide (torch 2.13): two.
        x = F.pad(x, (0, 4 - w))
        out = convolution(x, weight, bias, stride=2, padding=padding, negative_slope=negative_slope, layout=layout)[
            ..., :1
        ]
        return (out if residual is None else out + residual).contiguous(memory_format=layout)
    x = x.contiguous(memory_format=layout)
    if layout == torch.contiguous_format:
        weight = weight.contiguous()  # one that is channels-last would make the result so
    if x.numel() == 0 or not fused(dtype):
        return _plain(x, weight, bias, stride, padding, transposed, negative_slope, residual).contiguous(
            memory_format=layout
        )
    attribute = ("none", []) if negative_slope == 1 else ("leaky_relu", [negative_slope])
    geometry = ([stride, stride], [1, 1], 1)
    if transposed:
        out = torch.ops.mkldnn._convolution_transpose_pointwise(
            x, weight, bias, list(padding), [0, 0], *geometry, *attribute, ""
        )
    elif residual is not None and negative_slope == 1:
        residual = residual.contiguous(memory_format=layout)
        out = torch.ops.mkldnn._convolution_pointwise.binary(
            x, residual, weight, bias, list(padding), *geometry, "add", None, None, [], None
        )
        residual = None
    else:
        out = torch.ops.mkldnn._convolution_pointwise(x, weight, bias, list(padding), *geometry, *attribute, "")
    if residual is not None:
        out.add_(residual)
    return out.contiguous(memory_format=layout)  # oneDNN takes one channel or pixel for either layout


def _plain(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: int,
    padding: Sequence[int],
    transposed: bool,
    negative_slope: float,
    residual: Tensor | None,
) -> Tensor:
    convolve = F.conv_transpose2d if transposed else F.conv2d
    out = convolve(x, weight, bias, stride, tuple(padding))
    if negative_slope != 1:
        F.leaky_relu_(out, negative_slope)
    if residual is not None:
        out.add_(residual)
    return out


def convolution_backward(
    grad: Tensor,
    x: Tensor,
    weight: Tensor,
    wanted: tuple[bool, bool, bool],
    *,
    stride: int = 1,
    transposed: bool = False,
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """Gradients of input, weight and bias of a convolution with padding 1, those that are ``wanted``."""
    if not any(wanted):
        return None, None, None
    outputs = weight.shape[1 if transposed else 0]
    if grad.shape[2] == 0 or grad.shape[3] == 0:
        shapes = (x.shape, weight.shape, (outputs,))
        return tuple(x.new_zeros(shape) if want else None for shape, want in zip(shapes, wanted, strict=True))  # type: ignore[return-value]
    dtype = grad.dtype
    widen = grad.device.type == "cpu" and dtype in _HALF and not fused(dtype)
    if widen:
        grad, x, weight = grad.float(), x.float(), weight.float()
    if x.device.type == "cpu":
        weight = weight.contiguous()

    def run(grad: Tensor, x: Tensor, wanted: tuple[bool, bool, bool]) -> tuple[Tensor | None, ...]:
        grads: tuple[Tensor | None, ...] = torch.ops.aten.convolution_backward(
            grad, x, weight, [outputs], [stride] * 2, [1, 1], [1, 1], transposed, [0, 0], 1, list(wanted)
        )
        return grads

    grads = _some_at_a_time(grad, x, wanted, run) if x.device.type == "cpu" else run(grad, x, wanted)
    return tuple(g.to(dtype) if widen and g is not None else g for g in grads)  # type: ignore[return-value]


def _some_at_a_time(
    grad: Tensor,
    x: Tensor,
    wanted: tuple[bool, bool, bool],
    run: Callable[[Tensor, Tensor, tuple[bool, bool, bool]], tuple[Tensor | None, ...]],
) -> tuple[Tensor | None, ...]:
    """Gradients of some pictures at a time: oneDNN copies tensors into layouts of its own."""

    def part(grad: Tensor, x: Tensor) -> tuple[Tensor | None, ...]:
        if not _CONTIGUOUS_PAYS:
            return run(grad, x, wanted)
        need_x, *need_weight = wanted
        grads: tuple[Tensor | None, ...] = (None, None)
        if any(need_weight):
            grads = run(grad.contiguous(), x.contiguous(), (False, need_weight[0], need_weight[1]))[1:]
        return run(grad, x, (True, False, False))[0] if need_x else None, *grads

    # Sums of parts would be rounded once more in a narrow dtype; and sizes are not known yet where they are traced.
    if x.dtype in _HALF or not all(isinstance(size, int) for size in (*x.shape, *grad.shape)):
        return part(grad, x)
    at_once = max(1, _COPIED // max(1, x[:1].nbytes + grad[:1].nbytes))
    if at_once >= x.shape[0]:
        return part(grad, x)
    grad_x = torch.empty_like(x, memory_format=layout_of(x)) if wanted[0] else None
    sums: list[Tensor | None] = [None, None]
    for begin in range(0, x.shape[0], at_once):
        some = slice(begin, begin + at_once)
        of_x, *terms = part(grad[some], x[some])
        if grad_x is not None and of_x is not None:
            grad_x[some] = of_x
        sums = [b if a is None or b is None else a + b for a, b in zip(sums, terms, strict=True)]
    return grad_x, *sums


def activation_backward(grad: Tensor, out: Tensor, negative_slope: float) -> Tensor:
    """Gradient before a LeakyReLU of a slope from 0 to 1, whose output has the sign of its input."""
    if negative_slope == 1:
        return grad
    before: Tensor = torch.ops.aten.leaky_relu_backward(grad, out, negative_slope, True)
    return before


def layout_of(x: Tensor) -> torch.memory_format:
    """Layout of what is computed from ``x``: on the CPU that of ``x``, a slice's too; on others channels-last."""
    if x.device.type != "cpu" or (x.stride(1) == 1 and not x.is_contiguous()):
        return torch.channels_last
    return torch.contiguous_format


def empty_output(x: Tensor, shape: Sequence[int | torch.SymInt]) -> Tensor:
    return x.new_empty(tuple(shape)).to(memory_format=layout_of(x))  # for fake tensors: nothing is copied
