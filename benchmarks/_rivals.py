"""What a user has without this library: published formulations and the best plain PyTorch and SciPy forms."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def im2col_fac(x: Tensor, filters: Tensor, kernel_size: int) -> Tensor:
    """``F.unfold`` times the kernels, summed over the taps."""
    n, channels, height, width = x.shape
    patches = F.unfold(F.pad(x, (kernel_size // 2,) * 4, mode="replicate"), kernel_size)
    return (patches.view(n, channels, kernel_size**2, height, width) * filters[:, None]).sum(2)


def taps_fac(x: Tensor, filters: Tensor, kernel_size: int) -> Tensor:
    """One ``addcmul_`` per tap: the best plain PyTorch form of the forward pass."""
    height, width = x.shape[-2:]
    padded = F.pad(x, (kernel_size // 2,) * 4, mode="replicate")
    out = torch.zeros_like(x)
    for tap in range(kernel_size**2):
        i, j = divmod(tap, kernel_size)
        out.addcmul_(filters[:, tap : tap + 1], padded[..., i : i + height, j : j + width])
    return out


def grid_sample_refocus(light_field: Tensor, planes: Sequence[float]) -> Tensor:
    """Bilinear shift and add with one ``grid_sample`` per view and plane: ``[V, U, C, H, W]`` to ``[D, C, H, W]``."""
    rows, columns, _, height, width = light_field.shape
    light_field = as_float(light_field)
    y = torch.arange(height, device=light_field.device, dtype=light_field.dtype)
    x = torch.arange(width, device=light_field.device, dtype=light_field.dtype)
    out = _empty_planes(light_field, len(planes))
    for plane, d in zip(out, planes, strict=True):
        for v in range(rows):
            for u in range(columns):
                at_y = (y - d * (v - (rows - 1) / 2)) * (2 / (height - 1)) - 1
                at_x = (x - d * (u - (columns - 1) / 2)) * (2 / (width - 1)) - 1
                grid = torch.stack((at_x.expand(height, width), at_y[:, None].expand(height, width)), -1)
                view = light_field[v, u][None]
                plane += F.grid_sample(view, grid[None], padding_mode="border", align_corners=True)[0]
    return torch.stack(out) / (rows * columns)


def grid_sample_map_refocus(
    light_field: Tensor, disparity: Tensor, border: str = "replicate", aperture: Tensor | None = None
) -> Tensor:
    """As ``grid_sample_refocus``, but one disparity per pixel: ``[V, U, C, H, W]`` and ``[H, W]`` to ``[C, H, W]``.

    ``aperture``: weights ``[V, U]``, for border ``replicate``.
    """
    rows, columns, _, height, width = light_field.shape
    light_field = as_float(light_field)
    y = torch.arange(height, device=light_field.device, dtype=light_field.dtype)[:, None]
    x = torch.arange(width, device=light_field.device, dtype=light_field.dtype)
    out = torch.zeros_like(light_field[0, 0])
    seen = torch.zeros_like(out[0])
    for v in range(rows):
        for u in range(columns):
            at_y = (y - disparity * (v - (rows - 1) / 2)) * (2 / (height - 1)) - 1
            at_x = (x - disparity * (u - (columns - 1) / 2)) * (2 / (width - 1)) - 1
            grid = torch.stack((at_x, at_y), -1)[None]
            picture = F.grid_sample(light_field[v, u][None], grid, padding_mode="border", align_corners=True)[0]
            if border == "valid":
                inside = ((at_y.abs() <= 1) & (at_x.abs() <= 1)).to(picture.dtype)
                seen += inside
                picture = picture * inside
            out = out + (picture if aperture is None else aperture[v, u] * picture)
    if aperture is not None:
        return out / aperture.sum()
    return out / (seen if border == "valid" else rows * columns)


def indexed_map_refocus(light_field: Tensor, disparity: Tensor, border: str = "replicate") -> Tensor:
    """As ``indexed_refocus``, but one disparity per pixel."""
    rows, columns, _, height, width = light_field.shape
    device = light_field.device
    vs, us = torch.arange(rows, device=device)[:, None, None, None], torch.arange(columns, device=device)[:, None, None]
    y = torch.arange(height, device=device)[:, None] - disparity * (vs - (rows - 1) / 2)
    x = torch.arange(width, device=device) - disparity * (us - (columns - 1) / 2)
    top, left = y.floor(), x.floor()
    a, b = y - top, x - left

    def pixel(i: int, j: int) -> Tensor:
        r, c = (top.long() + i).clamp(0, height - 1), (left.long() + j).clamp(0, width - 1)
        return as_float(light_field.movedim(2, 0)[:, vs, us, r, c])

    upper = pixel(0, 0) * (1 - b) + pixel(0, 1) * b
    lower = pixel(1, 0) * (1 - b) + pixel(1, 1) * b
    views = upper * (1 - a) + lower * a
    if border == "replicate":
        return views.mean((1, 2))
    inside = ((y >= 0) & (y <= height - 1) & (x >= 0) & (x <= width - 1)).to(views.dtype)
    return (views * inside).sum((1, 2)) / inside.sum((0, 1))


def slices_refocus(light_field: Tensor, planes: Sequence[float], interpolation: str = "bilinear") -> Tensor:
    """Shift and add with weighted slices of each padded view: the best plain PyTorch form for one plane."""
    rows, columns, _, height, width = light_field.shape
    reach = math.ceil(max(abs(d) for d in planes) * (max(rows, columns) - 1) / 2) + 2
    out = _empty_planes(light_field, len(planes))
    for v in range(rows):
        for u in range(columns):
            padded = F.pad(as_float(light_field[v, u])[None], (reach,) * 4, mode="replicate")[0]
            for plane, d in zip(out, planes, strict=True):
                for i, row_weight in taps(-d * (v - (rows - 1) / 2), interpolation):
                    for j, weight in taps(-d * (u - (columns - 1) / 2), interpolation):
                        view = padded[:, reach + i : reach + i + height, reach + j : reach + j + width]
                        plane.add_(view, alpha=row_weight * weight / (rows * columns))
    return torch.stack(out)


def separable_slices_refocus(light_field: Tensor, planes: Sequence[float], interpolation: str = "bilinear") -> Tensor:
    """As ``slices_refocus``, but each row of views is summed with column shifts before one row shift."""
    rows, columns, channels, height, width = light_field.shape
    reach = math.ceil(max(abs(d) for d in planes) * (max(rows, columns) - 1) / 2) + 2
    out = _empty_planes(light_field, len(planes))
    row_sum = out[0].new_empty(channels, height + 2 * reach, width)
    for v in range(rows):
        padded = F.pad(as_float(light_field[v]), (reach,) * 4, mode="replicate")
        for plane, d in zip(out, planes, strict=True):
            row_sum.zero_()
            for u in range(columns):
                for j, weight in taps(-d * (u - (columns - 1) / 2), interpolation):
                    row_sum.add_(padded[u, :, :, reach + j : reach + j + width], alpha=weight)
            for i, weight in taps(-d * (v - (rows - 1) / 2), interpolation):
                plane.add_(row_sum[:, reach + i : reach + i + height], alpha=weight / (rows * columns))
    return torch.stack(out)


def indexed_refocus(light_field: Tensor, disparity: Tensor) -> Tensor:
    """Bilinear shift and add of one plane by index, all views in one expression, which ``torch.compile`` fuses."""
    rows, columns, _, height, width = light_field.shape
    v = torch.arange(rows, device=light_field.device) - (rows - 1) / 2
    u = torch.arange(columns, device=light_field.device) - (columns - 1) / 2
    y = torch.arange(height, device=light_field.device) - disparity * v[:, None]
    x = torch.arange(width, device=light_field.device) - disparity * u[:, None]
    top, left = y.floor(), x.floor()
    a, b = (y - top)[:, None, None, :, None], (x - left)[None, :, None, None, :]
    vs = torch.arange(rows, device=light_field.device)[:, None, None, None]
    us = torch.arange(columns, device=light_field.device)[None, :, None, None]

    def pixel(i: int, j: int) -> Tensor:
        r = (top.long() + i).clamp(0, height - 1)[:, None, :, None]
        c = (left.long() + j).clamp(0, width - 1)[None, :, None, :]
        return as_float(light_field.movedim(2, 0)[:, vs, us, r, c]).movedim(0, 2)

    upper = pixel(0, 0) * (1 - b) + pixel(0, 1) * b
    lower = pixel(1, 0) * (1 - b) + pixel(1, 1) * b
    return (upper * (1 - a) + lower * a).mean((0, 1))


def scipy_refocus(light_field: Tensor, planes: Sequence[float]) -> Tensor:
    """Bilinear shift and add with ``scipy.ndimage.shift``."""
    import numpy as np
    from scipy import ndimage

    rows, columns = light_field.shape[:2]
    views = as_float(light_field).numpy()
    out = np.zeros((len(planes), *views.shape[2:]), views.dtype)
    for plane, d in zip(out, planes, strict=True):
        for v in range(rows):
            for u in range(columns):
                shift = (d * (v - (rows - 1) / 2), d * (u - (columns - 1) / 2))
                for channel, picture in zip(plane, views[v, u], strict=True):
                    channel += ndimage.shift(picture, shift, order=1, mode="nearest")
    return torch.from_numpy(out / (rows * columns))


def taps(shift: float, interpolation: str) -> list[tuple[int, float]]:
    """Offsets and weights of the 1-D interpolation at ``shift`` pixels; bicubic after Keys (1981), a = -0.5."""
    whole = math.floor(shift)
    f = shift - whole
    if interpolation == "bilinear":
        return [(whole, 1 - f), (whole + 1, f)]
    weights = (
        0.5 * (-(f**3) + 2 * f**2 - f),
        0.5 * (3 * f**3 - 5 * f**2 + 2),
        0.5 * (-3 * f**3 + 4 * f**2 + f),
        0.5 * (f**3 - f**2),
    )
    return [(whole - 1 + i, weight) for i, weight in enumerate(weights)]


def _empty_planes(light_field: Tensor, count: int) -> list[Tensor]:
    """Zero pictures to add to."""
    dtype = light_field.dtype if light_field.is_floating_point() else torch.float32
    return [torch.zeros(light_field.shape[2:], dtype=dtype, device=light_field.device) for _ in range(count)]


def as_float(pixels: Tensor) -> Tensor:
    """uint8 to float32 in [0, 1]; floating point as it is."""
    return pixels.float() / 255 if pixels.dtype == torch.uint8 else pixels
