"""Textured layers at known disparities, seen by a grid of cameras."""

import torch
import torch.nn.functional as F

from lfdeblur_models.data import LightField


def texture(height, width, seed=0, channels=3):
    """Smooth enough to be sampled between pixels: ``[C, H, W]`` in [0, 1]."""
    soft = torch.rand(channels, height, width, generator=torch.Generator().manual_seed(seed))[None]
    for _ in range(3):
        soft = F.avg_pool2d(soft, 3, 1, 1, count_include_pad=False)
    return ((soft[0] - 0.5) * 4 + 0.5).clamp(0, 1)


def shifted(picture, down, right):
    """``out(y, x) = picture(y + down, x + right)``, bicubic; the border goes on."""
    _, height, width = picture.shape
    y, x = torch.meshgrid(torch.arange(height) + down, torch.arange(width) + right, indexing="ij")
    at = torch.stack([2 * x / (width - 1) - 1, 2 * y / (height - 1) - 1], -1)[None].float()
    return F.grid_sample(picture[None], at, mode="bicubic", padding_mode="border", align_corners=True)[0].clamp(0, 1)


def layers(disparities, masks, textures, grid=(7, 7)):
    """A light field of layers from far to near, each where its mask is, in the centre view; and the true disparity."""
    rows, columns = grid
    height, width = masks[0].shape
    views = torch.empty(rows, columns, textures[0].shape[0], height, width)
    truth = torch.full((height, width), float(disparities[0]))
    for disparity, mask in zip(disparities, masks, strict=True):
        truth = torch.where(mask > 0.5, float(disparity), truth)
    for row in range(rows):
        for column in range(columns):
            down, right = row - (rows - 1) / 2, column - (columns - 1) / 2
            view = views[row, column].zero_()
            for disparity, mask, picture in zip(disparities, masks, textures, strict=True):
                # What the centre sees at (y, x) is at (y - d*v, x - d*u): the layer moves by that.
                part = shifted(mask[None], disparity * down, disparity * right)
                view.copy_(view * (1 - part) + shifted(picture, disparity * down, disparity * right) * part)
    return LightField((views * 255).round().to(torch.uint8), scene="layers"), truth


def square_before_wall(near=1.5, far=-1.0, size=96, grid=(7, 7), seed=0):
    """A textured square in front of a textured wall."""
    whole, square = torch.ones(size, size), torch.zeros(size, size)
    square[size // 3 : -size // 3, size // 3 : -size // 3] = 1
    return layers([far, near], [whole, square], [texture(size, size, seed), texture(size, size, seed + 1)], grid)
