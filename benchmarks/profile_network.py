"""Where DRBNet spends its time on the CPU: ``python -m benchmarks.profile_network [--dtype D | --training]``."""

import argparse
from collections.abc import Callable

import torch

from lfdeblur_models import DRBNet, optimize

from . import bench_training_step as training
from ._network import official_weights, pictures

PARTS = {
    "lfdeblur::winograd_conv3x3": "3x3 convolutions, stride 1",
    "lfdeblur::convolution": "other convolutions (oneDNN; with fast bfloat16 all)",
    "lfdeblur::drb_head_rows": "heads",
    "aten::copy_": "copies: casts, rows kept for the next band, whole maps",
}


# Of a training step, the first that a name contains.
TRAINING_PARTS = {
    "winograd_weight_gradient": "gradients of weights (Winograd)",
    "winograd": "convolutions and gradients of their inputs (Winograd)",
    "convolution_backward": "convolutions, backward (oneDNN)",
    "conv": "convolutions, forward (oneDNN)",
    "residual_block": "convolutions, forward (oneDNN)",
    "drb_head": "heads",
    "copy_": "copies",
}
PATCHES = (2, 3, 128, 128)


def shares(net: torch.nn.Module, center: torch.Tensor) -> dict[str, float]:
    """Milliseconds by part of one call."""
    return _by_part(lambda: net(center), lambda name: PARTS.get(name, "all else"))


def training_shares(width: int = 32, shape: tuple[int, ...] = PATCHES) -> dict[str, dict[str, float]]:
    """Milliseconds by part of a training step: ours and the published form."""

    def part(name: str) -> str:
        return next((part for key, part in TRAINING_PARTS.items() if key in name), "all else")

    defocused, sharp = torch.rand(2, *shape).mul_(2).sub_(1)
    net = training.network(width)
    steps = {
        "ours": training.step(list(net.parameters()), net, defocused, sharp, torch.float32),
        "published form": training.published(net, defocused, sharp, torch.float32),
    }
    return {name: _by_part(step, part) for name, step in steps.items()}


def _by_part(call: Callable[[], object], part: Callable[[str], str]) -> dict[str, float]:
    call()
    with torch.profiler.profile() as profile:
        call()
    parts: dict[str, float] = {}
    for event in profile.key_averages():
        parts[part(event.key)] = parts.get(part(event.key), 0.0) + event.self_cpu_time_total / 1e3
    return parts


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.profile_network", description=__doc__)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--size", type=int, nargs=2, default=(720, 1280), metavar=("H", "W"))
    parser.add_argument("--training", action="store_true", help="a training step, ours and in the published form")
    options = parser.parse_args()
    if options.training:
        for name, parts in training_shares().items():
            print(f"\n{name}, a step of {PATCHES[0]} patches of {PATCHES[2]}x{PATCHES[3]}, width 32\n")
            _print(parts)
        return
    net = optimize(DRBNet.from_official(official_weights("single")), getattr(torch, options.dtype))
    print(net)
    _print(shares(net, pictures(1, *options.size)["center"]))


def _print(parts: dict[str, float]) -> None:
    total = sum(parts.values())
    print("| part | ms | % |\n| --- | ---: | ---: |")
    for part, ms in sorted(parts.items(), key=lambda item: -item[1]):
        print(f"| {part} | {ms:.0f} | {100 * ms / total:.0f} |")
    print(f"| all | {total:.0f} | 100 |")


if __name__ == "__main__":
    main()
