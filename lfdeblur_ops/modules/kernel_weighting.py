"""The kernel-weighted sum of sample-based denoisers."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .._checks import check_image
from .._filter_forms import MAX_KERNEL_SIZE, options
from ..dynamic_filter import dynamic_filter
from ._arguments import check_weights


class KernelWeighting(nn.Module):
    """A picture weighted by per-pixel kernels, and the sums of the weights (``sbmc``: Gharbi et al., SIGGRAPH 2019).

    ``out[n, c, y, x] = sum_ij weights[n, i, j, y, x] * data[n, c, y + i - kh//2, x + j - kw//2]``, pixels outside being
    0; ``sums[n, y, x] = sum_ij weights[n, i, j, y, x]``, of taps outside too. The sums are one more channel, of ones:
    the weights are read once. No parameters.

    Args:
        normalize: what is done to the weights before: None, or ``softmax`` over the taps, or ``sum``.

    Raises:
        ValueError: ``normalize`` is none of them.
    """

    def __init__(self, normalize: str | None = None) -> None:
        super().__init__()
        options(1, 1, 1, "valid", normalize, False)
        self.normalize = normalize

    def forward(self, data: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """``data`` ``[N, C, H, W]`` and ``weights`` ``[N, kh, kw, H, W]``, kh and kw odd, to 51; unitless.
        ``[1, ...]`` is for every picture. Gives ``[N, C, H, W]`` and ``[N, H, W]``.

        Raises:
            TypeError, RuntimeError: ``data`` or ``weights`` is no tensor of floating point of that shape, or their
                dtypes or devices differ.
        """
        check_image("data", data)
        check_weights("weights", weights, (("kh", "kw", *data.shape[2:]),), data, "data")
        kh, kw = weights.shape[1:3]
        if kh % 2 == 0 or kw % 2 == 0 or max(kh, kw) > MAX_KERNEL_SIZE:
            raise RuntimeError(
                f"weights: got shape {list(weights.shape)}, want [N, kh, kw, H, W], kh and kw odd, to {MAX_KERNEL_SIZE}"
            )
        around = (kw // 2, kw // 2, kh // 2, kh // 2)
        ones = data.new_ones(()).expand(data.shape[0], 1, data.shape[2] + 2 * (kh // 2), data.shape[3] + 2 * (kw // 2))
        padded = torch.cat([F.pad(data, around), ones], 1)
        out = dynamic_filter(padded, weights.flatten(1, 2), (kh, kw), border="valid", normalize=self.normalize)
        return out[:, :-1], out[:, -1]

    def extra_repr(self) -> str:
        return f"normalize={self.normalize!r}"
