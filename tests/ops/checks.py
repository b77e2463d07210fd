"""What the tests of the fused convolutions share: inputs, the reference's result and gradients, comparison."""

import pytest
import torch

from lfdeblur_ops import backends, reference
from lfdeblur_ops.testing import ERROR, ERROR_TF32, ERROR_WINOGRAD, rounded_to_tf32

BACKENDS = ["reference", "cpu", pytest.param("triton", marks=pytest.mark.cuda)]
LAYOUTS = ("channels_last", "contiguous", "slice", "transposed")


def require(op, backend):
    """Skip where the back end cannot run here; the CPU's must run everywhere."""
    reason = backends(op)[backend]
    if reason != "ok" and backend == "triton":
        pytest.skip(reason)
    assert reason == "ok"
    return backend


def draw(*shape, dtype=torch.float32, device="cpu", layout="contiguous", scale=1.0, grad=False):
    values = (torch.randn(shape, dtype=torch.float64) * scale).to(device, dtype)
    if device == "cuda" and dtype == torch.float32:
        values = rounded_to_tf32(values)
    if layout == "channels_last":
        values = values.contiguous(memory_format=torch.channels_last)
    elif layout == "slice":
        values = torch.cat([values, values], 1).contiguous(memory_format=torch.channels_last)[:, shape[1] :]
    elif layout == "transposed":
        values = values.transpose(2, 3).contiguous().transpose(2, 3)
    return values.detach().requires_grad_(grad)


def wide(arguments):
    """The arguments in float64, apart from the graph they came from."""
    return [a.detach().double().requires_grad_() if isinstance(a, torch.Tensor) else a for a in arguments]


def run_reference(op, arguments, grad):
    """Result and the gradients of all tensors among the arguments, in float64."""
    inputs = wide(arguments)
    out = getattr(reference, op)(*inputs)
    return [out.detach(), *torch.autograd.grad(out, [a for a in inputs if isinstance(a, torch.Tensor)], grad.double())]


def sizes(op, arguments, grad, power):
    """As ``run_reference``, of the arguments' absolute values or squares."""
    inputs = [a.detach().double().abs() ** power if isinstance(a, torch.Tensor) else a for a in arguments]
    return [size ** (1 / power) for size in run_reference(op, inputs, grad.double().abs() ** power)]


def assert_bounded(op, got, arguments, grad, backend="cpu", options=(1.0,)):
    """Result and gradients (None: not wanted) against float64, element by element.

    An element's error is bounded by what its own terms can do, however large its neighbours are. ``options``: last
    arguments with which the op adds and multiplies only, without activation.
    """
    wanted, plain = run_reference(op, arguments, grad), [*arguments[: -len(options)], *options]
    absolute, squares = (sizes(op, plain, grad, power) for power in (1, 2))
    for number, (mine, want, terms, root) in enumerate(zip(got, wanted, absolute, squares, strict=True)):
        if mine is None:
            continue
        of_backend = {"winograd": ERROR_WINOGRAD, "triton": ERROR_TF32} if mine.dtype == torch.float32 else {}
        error = of_backend.get(backend, ERROR[mine.dtype])
        bound = error.sums * terms + error.terms * root + error.result * want.abs() + torch.finfo(mine.dtype).tiny
        assert mine.shape == want.shape
        share = ((mine.detach().double() - want).abs() / bound).nan_to_num(nan=torch.inf)
        name = f"gradient of tensor {number}" if number else "the result"
        assert share.numel() == 0 or share.max() <= 1, (
            f"{name}: an error of {share.max():.3g} times its bound, {(share > 1).sum()} of {share.numel()} beyond it"
        )


def opcheck(op, *cases):
    """``torch.library.opcheck`` of an operator with several tuples of arguments.

    All of it with the first; with the others, of other strides and numbers, what depends on these: inputs stay as they
    were, and the operator on shapes alone tells the result's strides.
    """
    torch.library.opcheck(op, cases[0])
    for arguments in cases[1:]:
        torch.library.opcheck(op, arguments, test_utils=("test_schema", "test_faketensor"))


def fit(backend, *channels):
    """The numbers of channels, or for a back end that takes multiples of 16 only, the next ones."""
    return [-(-c // 16) * 16 if backend == "winograd" else c for c in channels]


def skip_unfit(backend, dtype=torch.float32, stride=1):
    if backend == "winograd" and (dtype != torch.float32 or stride != 1):
        pytest.skip("float32 and stride 1 only")
    if backend == "triton" and dtype == torch.float64:
        pytest.skip("no kernel for float64")


def check(op, run, arguments, backend="cpu"):
    """Result of ``run()`` and its gradients against those of the float64 reference.

    ``arguments`` are the positional ones of the reference, those of ``run`` among them.
    """
    out = run()
    x = arguments[0]
    beside = x.device.type != "cpu" or backend == "winograd" or (x.stride(1) == 1 and not x.is_contiguous())
    assert out.is_contiguous(memory_format=torch.channels_last if beside else torch.contiguous_format)
    tensors = [a for a in arguments if isinstance(a, torch.Tensor)]
    grad, leaves = torch.randn_like(out), [a for a in tensors if a.requires_grad]
    grads = iter(torch.autograd.grad(out, leaves, grad)) if leaves else iter(())
    assert_bounded(op, [out, *(next(grads) if a.requires_grad else None for a in tensors)], arguments, grad, backend)
    return out
