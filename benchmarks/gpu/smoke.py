"""Does it run at all: every op once on the GPU against its float64 reference, and the network: ``python -m
benchmarks.gpu.smoke``. A line each, whatever the others do; the exit status is the number of those that fail."""

import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from lfdeblur_models import DRBNet, optimize
from lfdeblur_ops import (
    backends,
    build_info,
    conv3x3,
    conv_transpose4x4,
    drb_head,
    dynamic_filter,
    dynamic_filter_separable,
    reference,
    refocus,
    residual_block,
)
from lfdeblur_ops.testing import rounded_to_tf32

from .launches import SIZE, network, picture

OPS = (dynamic_filter, dynamic_filter_separable, refocus, conv3x3, conv_transpose4x4, residual_block, drb_head)
ALLOWED = {torch.float32: 3e-3, torch.float16: 5e-3, torch.bfloat16: 3e-2}  # of the largest value; TF32 among them


def drawn(*shape: int, dtype: torch.dtype) -> Tensor:
    layout = torch.channels_last if len(shape) == 4 else torch.contiguous_format
    values = torch.randn(shape, device="cuda", dtype=dtype)
    if dtype == torch.float32:
        values = rounded_to_tf32(values)
    return values.to(memory_format=layout).requires_grad_()


def error(ours: Sequence[Tensor], theirs: Sequence[Tensor]) -> float:
    """The largest difference, as a share of the largest value of its tensor; NaN counts as infinite."""
    shares = [((a.double() - b).abs().max() / b.abs().max().clamp_min(1e-12)).item() for a, b in zip(ours, theirs)]  # noqa: B905
    return max(share if share == share else float("inf") for share in shares)


def compare(call: Callable[..., Tensor], exact: Callable[..., Tensor], tensors: list[Tensor]) -> float:
    """Of the result and all gradients."""
    wide = [t.detach().double().requires_grad_(t.is_floating_point()) for t in tensors]
    out, want = call(*tensors), exact(*wide)
    grad = drawn(*out.shape, dtype=out.dtype).detach()
    mine = torch.autograd.grad(out, tensors, grad)
    theirs = torch.autograd.grad(want, wide, grad.double())
    return error([out.detach(), *mine], [want.detach(), *theirs])


def cases(dtype: torch.dtype) -> dict[str, Callable[[], float]]:
    def make(*shape: int) -> Tensor:
        return drawn(*shape, dtype=dtype)

    ref, size = reference, (40, 70)
    return {
        "dynamic_filter 7": lambda: compare(
            lambda x, f: dynamic_filter(x, f, 7),
            lambda x, f: ref.dynamic_filter(x, f, 7),
            [make(2, 3, 40, 70), make(2, 49, 40, 70)],
        ),
        "dynamic_filter softmax x2": lambda: compare(
            lambda x, f: dynamic_filter(x, f, 3, scale=2, normalize="softmax", border="reflect"),
            lambda x, f: ref.dynamic_filter(x, f, 3, "reflect", 1, 1, 2, "softmax"),
            [make(2, 4, 40, 70), make(2, 36, 40, 70)],
        ),
        "dynamic_filter_separable 51": lambda: compare(
            lambda x, f: dynamic_filter_separable(x, f, 51),
            lambda x, f: ref.dynamic_filter_separable(x, f, 51),
            [make(1, 3, 40, 70), make(1, 102, 40, 70)],
        ),
        "refocus 5 planes": lambda: compare(
            lambda v: refocus(v, torch.linspace(-2, 2, 5, device="cuda")),
            lambda v: refocus(v, torch.linspace(-2, 2, 5, device="cuda", dtype=torch.float64), backend="reference"),
            [torch.randn(5, 5, 3, 40, 70, device="cuda", dtype=dtype, requires_grad=True)],
        ),
        "conv3x3 32>64": lambda: compare(
            lambda x, w, b: conv3x3(x, w, b, activation="leaky_relu"),
            lambda x, w, b: ref.conv3x3(x, None, w, b, None, 1, 0.1),
            [make(2, 32, 40, 70), make(64, 32, 3, 3), make(64)],
        ),
        "conv_transpose4x4 64>32": lambda: compare(
            lambda x, w, b, r: conv_transpose4x4(x, w, b, activation="leaky_relu", residual=r),
            lambda x, w, b, r: ref.conv_transpose4x4(x, w, b, r, 0.1),
            [make(2, 64, 20, 35), make(64, 32, 4, 4), make(32), make(2, 32, 40, 70)],
        ),
        "residual_block 32": lambda: compare(
            residual_block,
            lambda *a: ref.residual_block(*a, 0.1),
            [make(1, 32, 40, 70), make(32, 32, 3, 3), make(32), make(32, 32, 3, 3), make(32)],
        ),
        "drb_head 7": lambda: compare(
            lambda *a: drb_head(*a, 7),
            lambda *a: ref.drb_head(*a, 7, 0.1, -float("inf"), float("inf")),
            [make(1, 64, *size), make(49, 64), make(49), make(1, 64, *size), make(3, 64), make(3), make(1, 3, *size)],
        ),
    }


def whole_network() -> float:
    """``optimize`` in bfloat16 at 720x1280 against float32 on PyTorch's own convolutions."""
    torch.manual_seed(0)
    net, x = DRBNet().cuda().eval(), picture(*SIZE)
    with torch.no_grad():
        got = optimize(net, torch.bfloat16)(x)
        torch.backends.cudnn.conv.fp32_precision = "ieee"  # type: ignore[attr-defined]
        want = net(x)
        torch.backends.cudnn.conv.fp32_precision = "tf32"  # type: ignore[attr-defined]
    return error([got], [want.double()])


def replays() -> float:
    """The graph's result against the same kernels without a graph, on two pictures."""
    torch.manual_seed(0)
    fast, plain = optimize(DRBNet().cuda().eval(), torch.bfloat16), network()
    results = []
    with torch.no_grad():
        for size in ((64, 96), (48, 80), (64, 96)):
            x = picture(*size)
            results.append((fast(x), plain(x).double()))
    return error(*zip(*results))  # noqa: B905


def main() -> int:
    print(torch.cuda.get_device_name(), "torch", torch.__version__, build_info())
    for op in OPS:
        print(op.__name__, backends(op))
    failed = 0

    def attempt(name: str, case: Callable[[], float], allowed: float) -> None:
        nonlocal failed
        try:
            worst = case()
            torch.cuda.synchronize()
            good = worst <= allowed
            print(f"{'ok  ' if good else 'FAIL'} {name}: {worst:.2e} of {allowed:.0e}", flush=True)
        except Exception:  # whatever fails is told and counted; the other cases are worth having all the same
            good = False
            print(f"FAIL {name}: {traceback.format_exc(limit=-3)[-900:]}", flush=True)
        failed += not good

    for dtype, allowed in ALLOWED.items():
        torch.manual_seed(0)
        for name, case in cases(dtype).items():
            attempt(f"{name} {str(dtype)[6:]}", case, allowed)
    attempt("network 720x1280 bfloat16 against float32", whole_network, 5e-2)
    attempt("graph against the kernels without", replays, 1e-6)
    return failed


if __name__ == "__main__":
    _: Any = sys.exit(main())
