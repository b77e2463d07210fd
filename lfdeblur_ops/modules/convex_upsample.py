"""The convex upsampling of RAFT and of what follows it."""

from torch import Tensor, nn

from ..dynamic_filter import dynamic_filter


class ConvexUpsample(nn.Module):
    """Each pixel of a larger picture a convex combination of coarse pixels around it (RAFT: Teed and Deng, ECCV 2020).

    ``out[n, c, s*y + a, s*x + b] = gain * sum_ij w[n, (i*k + j)*s*s + a*s + b, y, x] * x[n, c, y + i - k//2, x + j -
    k//2]``, ``w`` the softmax of the mask over the taps ``ij``, pixels outside being 0; no parameters.

    Args:
        scale: ``s``, times as large in each axis: 8 in RAFT, 4 in IGEV-Stereo.
        kernel_size: ``k`` in coarse pixels, odd.
        gain: what the values are multiplied by; None: ``scale``, for flow and disparity in pixels, which grow with the
            picture. 1 for colours, depth, features.
        normalize: of the mask, over the taps; None for masks that sum to 1 already.
    """

    def __init__(
        self, scale: int = 8, kernel_size: int = 3, *, gain: float | None = None, normalize: str | None = "softmax"
    ) -> None:
        super().__init__()
        self.scale = scale
        self.kernel_size = kernel_size
        self.gain = scale if gain is None else gain
        self.normalize = normalize

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """``x`` ``[N, C, H, W]``; ``mask`` ``[N, k*k*s*s, H, W]`` as RAFT has it, or ``[N, k*k, s*H, s*W]`` as IGEV;
        unitless. Gives ``[N, C, s*H, s*W]``."""
        coarse = x if self.gain == 1 else self.gain * x
        return dynamic_filter(
            coarse, mask, self.kernel_size, scale=self.scale, border="zeros", normalize=self.normalize
        )

    def extra_repr(self) -> str:
        return f"scale={self.scale}, kernel_size={self.kernel_size}, gain={self.gain}, normalize={self.normalize!r}"
