"""Where an optimised DRBNet spends its time on the CPU: ``python -m benchmarks.profile_network [--dtype D]``."""

import argparse

import torch

from lfdeblur_models import DRBNet, optimize
from tests.drbnet_formulas import official_weights
from tests.test_drbnet import pictures

PARTS = {
    "lfdeblur::winograd_conv3x3": "3x3 convolutions, stride 1",
    "mkldnn::_convolution_pointwise": "first and strided convolutions (oneDNN)",
    "mkldnn::_convolution_transpose_pointwise": "transposed convolutions (oneDNN)",
    "lfdeblur::drb_head_rows": "heads",
    "aten::copy_": "copies: casts, rows kept for the next band, whole maps",
}


def shares(net: torch.nn.Module, center: torch.Tensor) -> dict[str, float]:
    """Milliseconds by part of one call."""
    net(center)
    with torch.profiler.profile() as profile:
        net(center)
    parts = dict.fromkeys((*PARTS.values(), "all else"), 0.0)
    for event in profile.key_averages():
        parts[PARTS.get(event.key, "all else")] += event.self_cpu_time_total / 1e3
    return parts


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.profile_network", description=__doc__)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--size", type=int, nargs=2, default=(720, 1280), metavar=("H", "W"))
    options = parser.parse_args()
    net = optimize(DRBNet.from_official(official_weights("single")), getattr(torch, options.dtype))
    print(net)
    parts = shares(net, pictures(1, *options.size)["center"])
    total = sum(parts.values())
    print("| part | ms | % |\n| --- | ---: | ---: |")
    for part, ms in sorted(parts.items(), key=lambda item: -item[1]):
        print(f"| {part} | {ms:.0f} | {100 * ms / total:.0f} |")
    print(f"| all | {total:.0f} | 100 |")


if __name__ == "__main__":
    main()
