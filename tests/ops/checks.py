"""What the tests of the fused convolutions share: inputs, the reference's result and gradients, comparison."""

import pytest
import torch

from lfdeblur_ops import backends, reference
from lfdeblur_ops.testing import TOL, TOL_HIDDEN, TOL_TF32, TOL_WINOGRAD, rounded_to_tf32

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


def tolerance_of(dtype, want, backend):
    """A sum's error is that of its largest terms; the CPU may round twice where it adds after the activation."""
    of_backend = {"winograd": TOL_WINOGRAD, "triton": TOL_TF32} if dtype == torch.float32 else {}
    tolerance = dict(of_backend.get(backend, TOL_HIDDEN.get(dtype, TOL[dtype])))
    if want.numel():
        tolerance["atol"] = max(tolerance["atol"], tolerance["rtol"] * want.abs().max().item())
    return tolerance


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
    inputs = wide(arguments)
    want = getattr(reference, op)(*inputs)
    torch.testing.assert_close(out, want.to(out.dtype), **tolerance_of(out.dtype, want, backend))
    leaves = [(a, b) for a, b in zip(arguments, inputs, strict=True) if isinstance(a, torch.Tensor) and a.requires_grad]
    if leaves:
        grad = torch.randn_like(out)
        got = torch.autograd.grad(out, [a for a, _ in leaves], grad)
        wanted = torch.autograd.grad(want, [b for _, b in leaves], grad.double())
        for (leaf, _), mine, theirs in zip(leaves, got, wanted, strict=True):
            assert mine.shape == leaf.shape
            torch.testing.assert_close(mine, theirs.to(mine.dtype), **tolerance_of(mine.dtype, theirs, backend))
    return out
