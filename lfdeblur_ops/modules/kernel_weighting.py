"""The kernel-weighted sum of sample-based denoisers."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..dynamic_filter import dynamic_filter


class KernelWeighting(nn.Module):
    """A picture weighted by per-pixel kernels, and the sums of the weights (``sbmc``: Gharbi et al., SIGGRAPH 2019).

    ``out[n, c, y, x] = sum_ij weights[n, i, j, y, x] * data[n, c, y + i - kh//2, x + j - kw//2]``, pixels outside being
    0; ``sums[n, y, x] = sum_ij weights[n, i, j, y, x]``, of taps outside too. The sums are one more channel, of ones:
    the weights are read once. No parameters.

    Args:
        normalize: what is done to the weights before: None, or ``softmax`` over the taps, or ``sum``.
    """

    def __init__(self, normalize: str | None = None) -> None:
        super().__init__()
        self.normalize = normalize

    def forward(self, data: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """``data`` ``[N, C, H, W]`` and ``weights`` ``[N, kh, kw, H, W]``, each of kh and kw odd; unitless. Gives
        ``[N, C, H, W]`` and ``[N, H, W]``.

        Raises:
            TypeError, RuntimeError: ``data`` or ``weights`` is no tensor of that many axes; and the errors of
                ``dynamic_filter``.
        """
        for name, tensor, axes in (("data", data, "N, C, H, W"), ("weights", weights, "N, kh, kw, H, W")):
            if not isinstance(tensor, Tensor):
                raise TypeError(f"{name}: got {type(tensor).__name__}, want a tensor")
            if tensor.dim() != axes.count(",") + 1:
                raise RuntimeError(f"{name}: got shape {list(tensor.shape)}, want [{axes}]")
        kh, kw = weights.shape[1:3]
        around = (kw // 2, kw // 2, kh // 2, kh // 2)
        ones = data.new_ones(()).expand(data.shape[0], 1, data.shape[2] + 2 * (kh // 2), data.shape[3] + 2 * (kw // 2))
        padded = torch.cat([F.pad(data, around), ones], 1)
        out = dynamic_filter(padded, weights.flatten(1, 2), (kh, kw), border="valid", normalize=self.normalize)
        return out[:, :-1], out[:, -1]

    def extra_repr(self) -> str:
        return f"normalize={self.normalize!r}"
