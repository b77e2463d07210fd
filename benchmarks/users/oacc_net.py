"""Occlusion-aware cost of light-field depth (OACC-Net: Wang et al., CVPR 2022): the views of 9 planes of disparity,
weighted by a mask per pixel and view and a learned weight per view, summed; pixels outside are 0."""

import torch
import torch.nn.functional as F
from torch import Tensor

from lfdeblur_ops import refocus

from ._user import User, normal

MOST = 4  # pixels per view step


def theirs(features: Tensor, mask: Tensor, weight: Tensor) -> Tensor:
    """The views stand side by side; a convolution's dilation that differs from their size shifts each by its place."""
    views, _, channels, height, width = features.shape
    border = views // 2 * MOST
    padded = F.pad(features, (border,) * 4)
    mosaic = padded.permute(2, 0, 3, 1, 4).reshape(1, channels, views * padded.shape[3], views * padded.shape[4])
    masks = mask.reshape(1, 1, views**2, height * width)
    weights = weight.reshape(1, -1, 1, 1).repeat(channels, 1, 1, 1)
    planes = []
    for d in range(-MOST, MOST + 1):
        crop = views // 2 * (d + MOST)
        seen = mosaic[:, :, crop : mosaic.shape[2] - crop, crop : mosaic.shape[3] - crop]
        patches = F.unfold(seen, views, dilation=(padded.shape[3] - d, padded.shape[4] - d))
        weighted = patches.view(1, channels, views**2, height * width) * masks
        cost = F.conv2d(weighted.view(1, -1, height, width), weights, groups=channels)
        planes.append(cost / mask.mean((0, 1)))
    return torch.cat(planes)


def ours(features: Tensor, mask: Tensor, weight: Tensor) -> Tensor:
    aperture = weight[..., None, None] * mask
    planes = torch.arange(-MOST, MOST + 1.0)
    return refocus(features, planes, aperture=aperture, normalize=False, border="zeros") / mask.mean((0, 1))


def inputs(height: int, width: int, views: int) -> dict[str, Tensor]:
    return {
        "features": normal(views, views, 8, height, width),
        "mask": torch.rand(views, views, height, width),
        "weight": normal(views, views) / views,
    }


SETTING = "9x9 views 8x64x64, 9 planes, mask per pixel"
USERS = (User("OACC-Net, cost", SETTING, theirs, ours, inputs, (64, 64, 9), (8, 7, 3)),)
