"""The convex upsampling of RAFT and of what follows it."""

from numbers import Real

from torch import Tensor, nn

from .._checks import check_image
from .._filter_forms import options
from ..dynamic_filter import dynamic_filter
from ._arguments import check_weights, odd


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

    Raises:
        ValueError, TypeError: an argument is not of that kind.
    """

    def __init__(
        self, scale: int = 8, kernel_size: int = 3, *, gain: float | None = None, normalize: str | None = "softmax"
    ) -> None:
        super().__init__()
        self.scale = scale = options(1, 1, scale, "zeros", normalize, False).scale
        self.kernel_size = odd("kernel_size", kernel_size)
        if gain is not None and not isinstance(gain, Real):
            raise TypeError(f"gain: got {gain!r}, want a number or None")
        self.gain = scale if gain is None else gain
        self.normalize = normalize

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """``x`` ``[N, C, H, W]``; ``mask`` ``[N, k*k*s*s, H, W]`` as RAFT has it, or ``[N, k*k, s*H, s*W]`` as IGEV;
        unitless. ``[1, ...]`` is for every picture. Gives ``[N, C, s*H, s*W]``.

        Raises:
            TypeError, RuntimeError: ``x`` or ``mask`` is no tensor of floating point of that shape, or their dtypes or
                devices differ.
        """
        check_image("x", x)
        s, taps, (height, width) = self.scale, self.kernel_size**2, x.shape[2:]
        check_weights("mask", mask, ((taps * s * s, height, width), (taps, s * height, s * width)), x, "x")
        coarse = x if self.gain == 1 else self.gain * x
        return dynamic_filter(
            coarse, mask, self.kernel_size, scale=self.scale, border="zeros", normalize=self.normalize
        )

    def extra_repr(self) -> str:
        return f"scale={self.scale}, kernel_size={self.kernel_size}, gain={self.gain}, normalize={self.normalize!r}"
