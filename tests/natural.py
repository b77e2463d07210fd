"""Networks whose values have the size of pictures, and how far two pictures are apart."""

import math

import torch

from lfdeblur_models import DRBNet


def natural(seed=0, **shape):
    """A network whose output and branches have the size of pictures."""
    torch.manual_seed(seed)
    net = DRBNet(**shape).eval()
    for name, weight in net.named_parameters():
        gain = 0.1 if ".filters.2" in name else 0.2 if ".residual.2" in name else 1.0
        fan = weight[0].numel() if weight.dim() == 4 else 100
        if ".up.weight" in name:
            fan = weight.shape[0] * 4
        torch.nn.init.normal_(weight, std=gain / fan**0.5)
    return net


def psnr(a, b):
    """Of pictures in [0, 1]."""
    return -10 * math.log10(max((a.double() - b.double()).square().mean().item(), 1e-30))
