"""Light fields and disparity maps that the tests of ``refocus`` share."""

import torch

INTEGERS = (torch.uint8, torch.uint16)


def views(shape, dtype, device="cpu", seed=3):
    generator = torch.Generator().manual_seed(seed)
    if dtype in INTEGERS:
        return torch.randint(0, torch.iinfo(dtype).max + 1, shape, generator=generator).to(dtype).to(device)
    return torch.rand(shape, generator=generator, dtype=torch.float64).to(dtype).to(device)


def disparity_map(planes, height, width, device="cpu"):
    generator = torch.Generator().manual_seed(5)
    steps = torch.randint(-40, 41, (*planes, height, width), generator=generator)
    return (steps.double() / 16).to(device)
