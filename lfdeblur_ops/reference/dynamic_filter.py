"""Reference of ``lfdeblur_ops.dynamic_filter``: one multiply-add of the picture per tap, no unfolded tensor."""

import torch
import torch.nn.functional as F
from torch import Tensor


def dynamic_filter(x: Tensor, filters: Tensor, kernel_size: int, border: str = "replicate") -> Tensor:
    """``out[c, y, x] = sum_ij filters[(c*k + i)*k + j, y, x] * x[c, y + i - k//2, x + j - k//2]``.

    Arguments and result as in ``lfdeblur_ops.dynamic_filter``; the sum is kept in float32 (float64 for float64).
    """
    height, width = x.shape[-2:]
    if x.numel() == 0 or filters.numel() == 0:
        return x + filters.sum(1, keepdim=True)  # empty, and still joined to both inputs' graphs
    acc = torch.float64 if x.dtype == torch.float64 else torch.float32
    radius = kernel_size // 2
    padded = F.pad(x.to(acc), (radius,) * 4, mode="replicate" if border == "replicate" else "constant")
    taps = filters.unflatten(1, (-1, kernel_size, kernel_size))
    out = x.new_zeros(x.shape, dtype=acc)
    for i in range(kernel_size):
        for j in range(kernel_size):
            out = out + taps[:, :, i, j].to(acc) * padded[..., i : i + height, j : j + width]
    return out.to(x.dtype)
