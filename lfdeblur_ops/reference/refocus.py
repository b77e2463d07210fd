"""Reference of ``lfdeblur_ops.refocus``: gather every view's taps, weigh, add."""

import torch
from torch import Tensor

_SCALE = {torch.uint8: 255.0, torch.uint16: 65535.0}


def _axis_taps(t: Tensor, interpolation: str) -> tuple[Tensor, Tensor, list[tuple[int, Tensor]]]:
    """Integer part, fraction and ``(index, weight)`` of the taps of a sample at ``p + t``."""
    whole = torch.floor(t.detach())
    whole = torch.where(t.detach() - whole >= 1, whole + 1, whole)  # -1e-20 + 1 rounds to 1
    f = t - whole
    first = whole.long()
    if interpolation == "nearest":
        upper = (f.detach() >= 0.5).to(t.dtype)
        taps = [(0, 1 - upper), (1, upper)]
    elif interpolation == "bilinear":
        taps = [(0, 1 - f), (1, f)]
    else:  # Keys (1981), "Cubic convolution interpolation for digital image processing", a = -0.5
        taps = [
            (-1, 0.5 * (-(f**3) + 2 * f**2 - f)),
            (0, 0.5 * (3 * f**3 - 5 * f**2 + 2)),
            (1, 0.5 * (-3 * f**3 + 4 * f**2 + f)),
            (2, 0.5 * (f**3 - f**2)),
        ]
    return first, f.detach(), taps


def refocus(light_field: Tensor, disparity: Tensor, aperture: Tensor, interpolation: str, border: str) -> Tensor:
    """Shift and add, in the canonical shapes of the op.

    Args:
        light_field: ``[B, V, U, C, H, W]``, float, uint8 or uint16.
        disparity: ``[D]`` or ``[D, H, W]``, pixels per view step.
        aperture: ``[A, V, U]``, summing to one over the views.
        interpolation: ``nearest``, ``bilinear`` or ``bicubic``.
        border: ``replicate`` or ``valid``.

    Returns: ``[B, A, D, C, H, W]``, float32 for integer light fields, else their dtype.
    """
    batch, rows, columns, channels, height, width = light_field.shape
    acc = torch.float64 if light_field.dtype == torch.float64 else torch.float32
    device = light_field.device
    # The geometry is kept in float64: a shift of 30 pixels in float32 already moves the weights by 2e-6.
    d = disparity.double()
    d = d[:, None, None] if d.dim() == 1 else d  # [D, 1, 1] or [D, H, W]
    weights = aperture.to(acc)
    y = torch.arange(height, device=device)[:, None]
    x = torch.arange(width, device=device)
    planes = d.shape[0]
    total = torch.zeros((batch, weights.shape[0], planes, channels, height, width), dtype=acc, device=device)
    counted = torch.zeros((weights.shape[0], planes, 1, height, width), dtype=acc, device=device)
    if total.numel() == 0:
        return total.to(light_field.dtype if light_field.is_floating_point() else torch.float32)

    def axis(offset: float, p: Tensor, size: int) -> tuple[list[tuple[Tensor, Tensor]], Tensor]:
        # From size + 4 pixels on, every tap of every pixel lies beyond the border.
        t = (-(d * offset)).clamp(-(size + 4), size + 4)
        first, f, taps = _axis_taps(t, interpolation)
        position = p + first
        inside = (position >= 0) & ((position < size - 1) | ((position == size - 1) & (f == 0)))
        return [((position + i).clamp(0, size - 1), w.to(acc)) for i, w in taps], inside

    for v in range(rows):
        row_taps, row_inside = axis(v - (rows - 1) / 2, y, height)
        for u in range(columns):
            column_taps, column_inside = axis(u - (columns - 1) / 2, x, width)
            view = light_field[:, v, u].to(acc) / _SCALE.get(light_field.dtype, 1.0)  # [B, C, H, W]
            sample = torch.zeros((batch, channels, planes, height, width), dtype=acc, device=device)
            for row, row_weight in row_taps:
                for column, column_weight in column_taps:
                    sample = sample + view[:, :, row, column] * (row_weight * column_weight)
            weight = weights[:, v, u].view(-1, 1, 1, 1, 1)
            if border == "valid":
                weight = weight * (row_inside & column_inside).to(acc).expand(planes, height, width)[:, None]
                counted = counted + weight
            total = total + weight * sample.transpose(1, 2)[:, None]
    if border == "valid":
        total = torch.where(counted > 0, total / torch.where(counted > 0, counted, 1.0), 0.0)
    return total.to(light_field.dtype if light_field.is_floating_point() else torch.float32)
