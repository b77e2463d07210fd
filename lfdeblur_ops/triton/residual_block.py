"""``x + conv3x3(leaky_relu(conv3x3(x)))`` as two launches of ``conv3x3``.

One kernel that kept the map between the convolutions in the cache took 1.3 times as long on an H200 (242 us of 32
channels at 720x1280: `benchmarks.gpu.network` of commit b965ac0): it computed a border of one pixel around each tile
twice, and held fewer programs.
"""

from torch import Tensor

from .conv3x3 import conv3x3


def residual_block(
    x: Tensor, weight1: Tensor, bias1: Tensor | None, weight2: Tensor, bias2: Tensor | None, negative_slope: float
) -> Tensor:
    """The op, as ``lfdeblur_ops.residual_block`` describes it."""
    hidden = conv3x3(x, None, weight1, bias1, None, 1, negative_slope)
    return conv3x3(hidden, None, weight2, bias2, x, 1, 1.0)
