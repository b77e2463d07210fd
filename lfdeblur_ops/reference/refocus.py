"""Reference of ``lfdeblur_ops.refocus``: gather every view's taps, weigh, add."""

import torch
from torch import Tensor

from ._empty import empty_result

_SCALE = {torch.uint8: 255.0, torch.uint16: 65535.0}


def _weights(f: Tensor, interpolation: str) -> list[tuple[int, Tensor]]:
    """Index and weight of the taps of a sample that lies ``f`` beyond pixel 0."""
    if interpolation == "nearest":
        upper = (f.detach() >= 0.5).to(f.dtype)
        return [(0, 1 - upper), (1, upper)]
    if interpolation == "bilinear":
        return [(0, 1 - f), (1, f)]
    return [  # Keys (1981), "Cubic convolution interpolation for digital image processing", a = -0.5
        (-1, 0.5 * (-(f**3) + 2 * f**2 - f)),
        (0, 0.5 * (3 * f**3 - 5 * f**2 + 2)),
        (1, 0.5 * (-3 * f**3 + 4 * f**2 + f)),
        (2, 0.5 * (f**3 - f**2)),
    ]


def _slopes(f: Tensor, interpolation: str) -> list[Tensor]:
    """The derivatives of these weights."""
    if interpolation == "nearest":
        return [torch.zeros_like(f)] * 2
    if interpolation == "bilinear":
        return [-torch.ones_like(f), torch.ones_like(f)]
    return [
        0.5 * (-3 * f**2 + 4 * f - 1),
        0.5 * (9 * f**2 - 10 * f),
        0.5 * (-9 * f**2 + 8 * f + 1),
        0.5 * (3 * f**2 - 2 * f),
    ]


def _sums(
    light_field: Tensor,
    disparity: Tensor,
    weights: Tensor,
    interpolation: str,
    border: str,
    along: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Weighted sum of the views, and of the weights that count ``[1 or B, A, D, 1, H, W]`` (border ``valid``).

    With ``along``, of the disparity's shape: the derivative of the first one along it.
    """
    batch, rows, columns, channels, height, width = light_field.shape
    acc = weights.dtype
    device = light_field.device
    # The geometry is kept in float64: a shift of 30 pixels in float32 already moves the weights by 2e-6.
    d = disparity.double()
    d = d[:, None, None] if d.dim() == 1 else d
    d = d if d.dim() == 4 else d[None]  # [1 or B, D, 1 or H, 1 or W]
    step = None if along is None else along.double().reshape(d.shape)
    y = torch.arange(height, device=device)[:, None]
    x = torch.arange(width, device=device)
    sample_of = torch.arange(batch, device=device)[:, None, None, None]
    planes = d.shape[1]
    total = torch.zeros((batch, weights.shape[0], planes, channels, height, width), dtype=acc, device=device)
    counted = torch.zeros((1, weights.shape[0], planes, 1, height, width), dtype=acc, device=device)

    def axis(offset: float, p: Tensor, size: int) -> tuple[list[Tensor], list[Tensor], list[Tensor], Tensor]:
        """Of the taps along an axis: pixels, weights, their change; and whether the sample lies inside."""
        # From size + 4 pixels on, every tap of every pixel lies beyond the border. Computed, for tracers would fix the
        # size beside a disparity that they know.
        t, limit = -(d * offset), p.amax() + 5
        near = torch.maximum(torch.minimum(t, limit), -limit)
        whole = torch.floor(near.detach())
        whole = torch.where(near.detach() - whole >= 1, whole + 1, whole)  # -1e-20 + 1 rounds to 1
        f = near - whole
        position = p + whole.long()
        inside = (position >= 0) & ((position < size - 1) | ((position == size - 1) & (f.detach() == 0)))
        taps = _weights(f, interpolation)
        changes = []
        if step is not None:
            moved = torch.where(t.detach().abs() <= limit, -offset * step, 0.0)
            changes = [(slope * moved).to(acc) for slope in _slopes(f, interpolation)]
        pixels = [(position + i).clamp(0, size - 1) for i, _ in taps]
        return pixels, [weight.to(acc) for _, weight in taps], changes, inside

    def at(view: Tensor, row: Tensor, column: Tensor) -> Tensor:
        """``[B, C, D, H, W]``"""
        if disparity.dim() == 4:
            return view[sample_of, :, row, column].movedim(-1, 1)
        return view[:, :, row[0], column[0]]

    for v in range(rows):
        row_pixels, row_weights, row_changes, row_inside = axis(v - (rows - 1) / 2, y, height)
        for u in range(columns):
            column_pixels, column_weights, column_changes, column_inside = axis(u - (columns - 1) / 2, x, width)
            view = light_field[:, v, u].to(acc) / _SCALE.get(light_field.dtype, 1.0)  # [B, C, H, W]
            sample = torch.zeros((batch, channels, planes, height, width), dtype=acc, device=device)
            for i, row in enumerate(row_pixels):
                for j, column in enumerate(column_pixels):
                    if step is None:
                        weight = row_weights[i] * column_weights[j]
                    else:
                        weight = row_changes[i] * column_weights[j] + row_weights[i] * column_changes[j]
                    sample = sample + at(view, row, column) * weight[:, None]
            share = weights[:, v, u].view(1, -1, 1, 1, 1, 1)
            if border == "valid":
                inside = (row_inside & column_inside).to(acc).expand(-1, planes, height, width)
                share = share * inside[:, None, :, None]
                counted = counted + share
            total = total + share * sample.transpose(1, 2)[:, None]
    return total, counted


def _divided(total: Tensor, counted: Tensor, border: str) -> Tensor:
    if border != "valid":
        return total
    return torch.where(counted > 0, total / torch.where(counted > 0, counted, 1.0), 0.0)


def refocus(light_field: Tensor, disparity: Tensor, aperture: Tensor, interpolation: str, border: str) -> Tensor:
    """Shift and add, in the canonical shapes of the op.

    Args:
        light_field: ``[B, V, U, C, H, W]``, float, uint8 or uint16.
        disparity: ``[D]`` or ``[D, H, W]``, pixels per view step; or, here alone, ``[B, D, H, W]``.
        aperture: ``[A, V, U]``, summing to one over the views.
        interpolation: ``nearest``, ``bilinear`` or ``bicubic``.
        border: ``replicate`` or ``valid``.

    Returns: ``[B, A, D, C, H, W]``, float32 for integer light fields, else their dtype.
    """
    acc = torch.float64 if light_field.dtype == torch.float64 else torch.float32
    dtype = light_field.dtype if light_field.is_floating_point() else torch.float32
    batch, _, _, channels, height, width = light_field.shape
    planes = disparity.shape[1 if disparity.dim() == 4 else 0]
    shape = (batch, aperture.shape[0], planes, channels, height, width)
    if 0 in shape:
        return empty_result(shape, *(tensor.to(dtype) for tensor in (light_field[..., :0], disparity, aperture)))
    total, counted = _sums(light_field, disparity, aperture.to(acc), interpolation, border)
    return _divided(total, counted, border).to(dtype)


def refocus_tangent(
    light_field: Tensor,
    disparity: Tensor,
    aperture: Tensor,
    interpolation: str,
    border: str,
    along_disparity: Tensor | None,
    along_aperture: Tensor | None,
) -> Tensor:
    """Derivative of ``refocus`` along a change of the disparity and of the aperture; None: it stays.

    The aperture's is that of the border ``valid``; elsewhere ``refocus`` is linear in it.
    """
    acc = torch.float64 if light_field.dtype == torch.float64 else torch.float32
    dtype = light_field.dtype if light_field.is_floating_point() else torch.float32
    weights, options = aperture.to(acc), (interpolation, border)
    changes = []
    if along_disparity is not None:
        change, counted = _sums(light_field, disparity, weights, *options, along_disparity)
        changes.append(change)
    if along_aperture is not None:
        total, counted = _sums(light_field, disparity, weights, *options)
        change, change_of_counted = _sums(light_field, disparity, along_aperture.to(acc), *options)
        changes.append(change - _divided(total, counted, border) * change_of_counted)
    return _divided(torch.stack(changes).sum(0), counted, border).to(dtype)
