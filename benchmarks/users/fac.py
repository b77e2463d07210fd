"""FAC, filter adaptive convolution: a kernel a pixel and channel in STFAN (Zhou et al., ICCV 2019), k = 5, and one for
all channels in DRBNet (Ruan et al., CVPR 2022), k = 7."""

import torch.nn.functional as F
from torch import Tensor

from lfdeblur_models.networks.reference import unfold_fac
from lfdeblur_ops import FAC, dynamic_filter

from ._user import User, normal


def stfan(feat_in: Tensor, kernel: Tensor) -> Tensor:
    n, channels, height, width = feat_in.shape
    patches = F.unfold(F.pad(feat_in, (2,) * 4, mode="replicate"), 5).view(n, channels, 25, height, width)
    return (patches * kernel.view(n, channels, 25, height, width)).sum(2)


def stfan_inputs(height: int, width: int) -> dict[str, Tensor]:
    return {"feat_in": normal(1, 128, height, width), "kernel": normal(1, 128 * 25, height, width)}


def drbnet(x: Tensor, filters: Tensor) -> Tensor:
    return unfold_fac(x, filters, 7)


def drbnet_ours(x: Tensor, filters: Tensor) -> Tensor:
    return dynamic_filter(x, filters, 7)


def drbnet_inputs(height: int, width: int) -> dict[str, Tensor]:
    return {"x": normal(1, 3, height, width), "filters": normal(1, 49, height, width)}


USERS = (
    User("STFAN, FAC", "128x64x64, k=5, a kernel for each channel", stfan, FAC(5), stfan_inputs, (64, 64)),
    User("DRBNet, FAC", "3x256x256, k=7, one kernel", drbnet, drbnet_ours, drbnet_inputs, (256, 256)),
)
