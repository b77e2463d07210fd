"""Tiles of the convolutions tried on the network's layers: ``python -m benchmarks.gpu.variants``.

A line for each layer: microseconds with the tile it has, then with the others, the fastest first. A tile whose result
differs is left out and named.
"""

import sys

import torch

from lfdeblur_ops.triton._launch import Launch, cdiv, power_of_two
from lfdeblur_ops.triton.conv3x3 import Config

from .launches import SIZE, label, of_network, of_running_network
from .network import DTYPE, milliseconds

CONFIGS = (
    Config(16, 16, 256, 64, 16, 3),
    Config(8, 16, 256, 64, 8, 3),
    Config(8, 16, 256, 64, 16, 3),
    Config(16, 16, 128, 64, 8, 3),
    Config(16, 16, 128, 64, 8, 4),
    Config(8, 16, 128, 64, 8, 3),
    Config(8, 16, 128, 64, 4, 4),
    Config(16, 16, 64, 64, 4, 3),
    Config(8, 32, 64, 64, 8, 3),
    Config(8, 16, 64, 64, 4, 3),
    Config(8, 16, 64, 64, 4, 4),
    Config(8, 16, 64, 64, 4, 6),
    Config(8, 8, 64, 64, 4, 4),
    Config(16, 16, 32, 32, 8, 4),
    Config(16, 16, 32, 32, 4, 4),
    Config(16, 32, 32, 32, 8, 2),
    Config(16, 16, 32, 64, 4, 4),
    Config(8, 16, 32, 64, 4, 4),
)


def convolutions(launches: list[Launch]) -> list[Launch]:
    """One of each kind that has more than one block of the product, the costliest first."""
    kinds = {label(a): a for a in launches if a.kernel.__name__.startswith("conv") and not a.arguments.get("FLAT")}

    def operations(launch: Launch) -> int:
        a = launch.arguments
        return int(a["out"].numel() * (a["CHANNELS"] + a.get("CHANNELS2", 0)))

    return sorted(kinds.values(), key=operations, reverse=True)


def with_config(launch: Launch, config: Config) -> Launch:
    """The same convolution with another tile, into an output of its own."""
    a = launch.arguments
    n, outputs, height, width = a["out"].shape
    phases = 1
    if launch.kernel.__name__.startswith("conv_transpose"):  # its tiles are those of the input
        height, width, phases = height // 2, width // 2, 4
    block_k = min(config.block_k, power_of_two(max(a["CHANNELS"], a.get("CHANNELS2", 0)), 16))
    shape = {"TILE_H": config.tile_h, "TILE_W": config.tile_w, "BLOCK_N": config.block_n, "BLOCK_K": block_k}
    programs = n * cdiv(height, config.tile_h) * cdiv(width, config.tile_w) * cdiv(outputs, config.block_n) * phases
    arguments = a | shape | {"out": torch.empty_like(a["out"])}
    return Launch(launch.kernel, (programs,), arguments, config.num_warps, config.num_stages)


def tried(launch: Launch) -> list[tuple[Config, Launch]]:
    return [(c, with_config(launch, c)) for c in CONFIGS if c.block_n <= launch.arguments["OUTPUTS"] <= 2 * c.block_n]


def all_variants() -> list[Launch]:
    return [variant for launch in convolutions(of_network()) for _, variant in tried(launch)]


@torch.no_grad()
def main() -> int:
    for launch in convolutions(of_running_network(DTYPE, SIZE)):
        launch.run()
        want, present = launch.arguments["out"], milliseconds(launch.run)
        times: list[tuple[float, str]] = []
        for config, variant in tried(launch):
            name = ",".join(map(str, config))
            try:
                variant.run()
                torch.testing.assert_close(variant.arguments["out"], want, rtol=2e-2, atol=1e-3)
                times.append((milliseconds(variant.run), name))
            except Exception as error:  # too much shared memory, or a wrong result
                print(f"{label(launch)} {name}: {type(error).__name__} {str(error)[:80]}", flush=True)
        best = "  ".join(f"{1e3 * ms:.1f} ({name})" for ms, name in sorted(times)[:5])
        print(f"{label(launch):36} {1e3 * present:7.1f} us; {best}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
