"""What exported files are held against: small networks, and their results on pictures in [0, 1]."""

import torch

SHAPES = {
    "single": {"width": 8, "scales": 3},
    "dual": {"views": 2, "width": 6, "kernel_size": 3, "scales": 2},
    "single-scale": {"width": 6, "kernel_size": 5, "scales": 3, "variant": "single-scale"},
    "one level": {"width": 6, "kernel_size": 1, "scales": 1},
}
# N, H, W: odd; smaller than what the network pools, where reflection goes to and fro; not square; a batch.
SIZES = ((1, 37, 53), (1, 1, 2), (1, 24, 96), (2, 40, 40))


def unit_pictures(network, size, seed=1):
    """What a network takes, ``[N, 3, H, W]`` in [0, 1]."""
    generator = torch.Generator().manual_seed(seed)
    count, height, width = size
    return [torch.rand((count, 3, height, width), generator=generator) for _ in range(network.configuration.pictures)]


def restored(network, pictures):
    """By the network itself, in [0, 1]."""
    with torch.no_grad():
        return (network(*(picture * 2 - 1 for picture in pictures)) + 1) / 2
