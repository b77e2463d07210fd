"""The network layer by layer on the GPU at hand: ``python -m benchmarks.gpu.network [--json FILE]``.

Each launch of one call in bfloat16 is timed alone, from its own inputs, beside PyTorch's cuDNN on the same convolution
and the floor that the GPU's measured bandwidth and rate of products set; then the whole call, as a CUDA graph, beside
the published form.
"""

import argparse
import datetime
import json
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
import triton

from lfdeblur_models import DRBNet, optimize
from lfdeblur_ops.triton._launch import Launch

from .._machine import commit
from .launches import SIZE, label, network, of_running_network, picture

DTYPE = torch.bfloat16


def milliseconds(call: Callable[[], Any], repeats: int = 20) -> float:
    """Median on the device: calls are queued behind a wait, so that launching them takes no part in it."""
    for _ in range(2):
        call()
    events = [[torch.cuda.Event(enable_timing=True) for _ in range(2)] for _ in range(repeats)]
    torch.cuda.synchronize()
    torch.cuda._sleep(4_000_000)
    for begin, end in events:
        begin.record()
        call()
        end.record()
    torch.cuda.synchronize()
    return statistics.median(begin.elapsed_time(end) for begin, end in events)


def rates() -> dict[str, float]:
    """Measured: GB/s of a copy, read and written, and GFLOP/s of a large product in bfloat16."""
    a = torch.empty(1 << 30, dtype=torch.int8, device="cuda").random_()
    b = torch.empty_like(a)
    copy = 2 * a.numel() / milliseconds(lambda: b.copy_(a)) / 1e6
    x = torch.randn(8192, 8192, device="cuda", dtype=DTYPE)
    product = 2 * 8192**3 / milliseconds(lambda: x @ x, 5) / 1e6
    return {"gb_s": copy, "gflop_s": product}


def work(launch: Launch) -> tuple[float, float]:
    """Bytes, each tensor once, and floating-point operations."""
    a, name = launch.arguments, launch.kernel.__name__
    names = {p.name for p in launch.kernel.params} - {"scratch"}
    if not a.get("CHANNELS2"):
        names -= {"x2"}  # the same tensor as x
    tensors = [a[n] for n in names if isinstance(a.get(n), torch.Tensor)]
    moved = sum(t.numel() * t.element_size() for t in tensors)
    pixels = a["out"].shape[0] * a["out"].shape[-2] * a["out"].shape[-1] if "out" in a else 0
    if name.startswith("conv3x3"):
        return moved, 18.0 * pixels * (a["CHANNELS"] + a["CHANNELS2"]) * a["OUTPUTS"]
    if name.startswith("conv_transpose"):
        return moved, 8.0 * pixels * a["CHANNELS"] * a["OUTPUTS"]
    if name.startswith("drb_head"):
        products = a["K"] ** 2 * a["KERNEL_CHANNELS"] + a["COLORS"] * (a["K"] ** 2 + a["RESIDUAL_CHANNELS"])
        return moved, 2.0 * pixels * products
    return moved, 0.0


def cudnn(launch: Launch) -> Callable[[], Any] | None:
    """PyTorch's convolution of the same sizes, with bias, without activation and addition; None for other kernels."""
    a, name = launch.arguments, launch.kernel.__name__
    if not name.startswith("conv"):
        return None
    x, bias = a["x"], a["bias"]
    if name.startswith("conv_transpose"):
        weight = torch.randn(a["CHANNELS"], a["OUTPUTS"], 4, 4, device="cuda", dtype=DTYPE)
        weight = weight.to(memory_format=torch.channels_last)
        return lambda: F.conv_transpose2d(x, weight, bias, 2, 1)
    if a["CHANNELS2"]:
        x = torch.cat([x, a["x2"]], 1)
    weight, stride = a["weight"], a["STRIDE"]
    return lambda: F.conv2d(x, weight, bias, stride, 1)


def layers(size: tuple[int, int], limits: dict[str, float]) -> list[dict[str, Any]]:
    """A row for each kind of launch, the costliest first."""
    rows: dict[str, dict[str, Any]] = {}
    with torch.no_grad(), torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=True):
        for launch in of_running_network(DTYPE, size):
            name = label(launch)
            if name in rows:
                rows[name]["times"] += 1
                continue
            moved, operations = work(launch)
            rival = cudnn(launch)
            rows[name] = {
                "layer": name,
                "times": 1,
                "us": 1e3 * milliseconds(launch.run),
                "cudnn_us": 1e3 * milliseconds(rival) if rival else None,
                "floor_us": max(moved / limits["gb_s"], operations / limits["gflop_s"]) / 1e3,
            }
    return sorted(rows.values(), key=lambda row: -row["times"] * row["us"])


def time_calls(size: tuple[int, int]) -> dict[str, float]:
    """Milliseconds of a call, as a graph and without."""
    torch.manual_seed(0)
    plain = DRBNet().cuda().eval()
    x = picture(*size)
    times = {}
    with torch.no_grad():
        fast = optimize(plain, DTYPE)
        times["optimize, bfloat16"] = milliseconds(lambda: fast(x))
        net = network(DTYPE)
        times["optimize, bfloat16, without a graph"] = milliseconds(lambda: net(x))
    return times


def main() -> int:
    parser = argparse.ArgumentParser("python -m benchmarks.gpu.network", description=__doc__)
    parser.add_argument("--size", type=int, nargs=2, default=SIZE, metavar=("H", "W"))
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    size = tuple(options.size)
    limits = rates()
    rate = limits["gflop_s"] / 1e3
    print(f"{torch.cuda.get_device_name()}: copy {limits['gb_s']:.0f} GB/s, product {rate:.0f} TFLOP/s")
    result = {
        "size": size,
        "dtype": str(DTYPE)[6:],
        "device": torch.cuda.get_device_name(),
        "versions": {"torch": torch.__version__},
        "triton": triton.__version__,
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "commit": commit(),
        **limits,
    }
    result["whole_ms"] = time_calls(size)
    for name, ms in result["whole_ms"].items():
        print(f"{ms:8.3f} ms  {name}")
    result["layers"] = rows = layers(size, limits)
    print(f"{'layer':44} {'times':>5} {'ours us':>8} {'cuDNN us':>9} {'floor us':>9}")
    for row in rows:
        rival = f"{row['cudnn_us']:9.1f}" if row["cudnn_us"] else f"{'':9}"
        print(f"{row['layer']:44} {row['times']:5} {row['us']:8.1f} {rival} {row['floor_us']:9.1f}")
    print(
        f"{'sum':44} {'':5} {sum(r['times'] * r['us'] for r in rows):8.1f} {'':9} "
        f"{sum(r['times'] * r['floor_us'] for r in rows):9.1f}"
    )
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
