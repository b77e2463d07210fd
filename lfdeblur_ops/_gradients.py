"""Gradients of the convolutions, on every device."""

from collections.abc import Callable

import torch
from torch import Tensor

from ._layouts import layout_of
from ._onednn import HALF, fused

_COPIED = 64 << 20  # bytes of copies at a time in the backward pass
# oneDNN's gradient of a weight takes up to three times as long on channels-last tensors without AVX-512, so that copies
# pay; with AVX-512 they take longer than the gradient itself.
_CONTIGUOUS_PAYS = "AVX512" not in torch.backends.cpu.get_cpu_capability()


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
    widen = grad.device.type == "cpu" and dtype in HALF and not fused(dtype)
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
    if x.dtype in HALF or not all(isinstance(size, int) for size in (*x.shape, *grad.shape)):
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
