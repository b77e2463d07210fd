"""Pictures for networks of one view and of two."""

import torch

VIEWS = {"single": 1, "dual": 2}


def pictures(views, height, width, n=1, dtype=torch.float32, seed=1):
    generator = torch.Generator().manual_seed(seed)
    shape = (n, 3, height, width)
    made = [(torch.rand(shape, generator=generator, dtype=torch.float64) * 2 - 1).to(dtype) for _ in range(3)]
    return {"center": made[0]} if views == 1 else dict(zip(("center", "left", "right"), made, strict=True))
