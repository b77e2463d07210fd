"""Reference of ``lfdeblur_ops.refocus``: gather every view's taps, weigh, add."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from ._empty import empty_result

_SCALE = {torch.uint8: 255.0, torch.uint16: 65535.0}


class _Options(NamedTuple):
    """As the op takes them, in its order."""

    interpolation: str
    border: str
    normalize: bool = False
    cubic_coefficient: float = -0.5
    reduce: str = "mean"

    def divided(self) -> bool:
        return self.border == "valid" or self.normalize or self.reduce == "moments"


def _weights(f: Tensor, options: _Options) -> list[tuple[int, Tensor]]:
    """Index and weight of the taps of a sample that lies ``f`` beyond pixel 0."""
    if options.interpolation == "nearest":
        upper = (f.detach() >= 0.5).to(f.dtype)
        return [(0, 1 - upper), (1, upper)]
    if options.interpolation == "bilinear":
        return [(0, 1 - f), (1, f)]
    a = options.cubic_coefficient  # Keys (1981), "Cubic convolution interpolation for digital image processing"
    return [
        (-1, a * (f**3 - 2 * f**2 + f)),
        (0, (a + 2) * f**3 - (a + 3) * f**2 + 1),
        (1, -(a + 2) * f**3 + (2 * a + 3) * f**2 - a * f),
        (2, a * (f**2 - f**3)),
    ]


def _slopes(f: Tensor, options: _Options) -> list[Tensor]:
    """The derivatives of these weights."""
    if options.interpolation == "nearest":
        return [torch.zeros_like(f)] * 2
    if options.interpolation == "bilinear":
        return [-torch.ones_like(f), torch.ones_like(f)]
    a = options.cubic_coefficient
    return [
        a * (3 * f**2 - 4 * f + 1),
        3 * (a + 2) * f**2 - 2 * (a + 3) * f,
        -3 * (a + 2) * f**2 + 2 * (2 * a + 3) * f - a,
        a * (2 * f - 3 * f**2),
    ]


def _samples(
    light_field: Tensor, disparity: Tensor, acc: torch.dtype, options: _Options, along: Tensor | None = None
) -> Iterator[tuple[int, int, Tensor, Tensor | None]]:
    """Of each view its samples ``[B, D, C, H, W]``, and which count, ``[1 or B, D, H, W]`` (border ``valid``).

    With ``along``, of the disparity's shape: the derivative of the samples along it.
    """
    batch, rows, columns, channels, height, width = light_field.shape
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
        indices = [i for i, _ in _weights(f, options)]
        taps = [weight for _, weight in _weights(f, options)]
        pixels = [(position + i).clamp(0, size - 1) for i in indices]
        moved = _slopes(f, options) if step is not None else []
        if options.border == "zeros":
            there = [(pixel == position + i).double() for i, pixel in zip(indices, pixels, strict=True)]
            taps = [weight * mask for weight, mask in zip(taps, there, strict=True)]
            moved = [slope * mask for slope, mask in zip(moved, there, strict=False)]
        changes = []
        if step is not None:
            by = torch.where(t.detach().abs() <= limit, -offset * step, 0.0)
            changes = [(slope * by).to(acc) for slope in moved]
        return pixels, [weight.to(acc) for weight in taps], changes, inside

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
            inside = None
            if options.border == "valid":
                inside = (row_inside & column_inside).to(acc).expand(-1, planes, height, width)
            yield v, u, sample.transpose(1, 2), inside


def _share(weights: Tensor, v: int, u: int, inside: Tensor | None) -> Tensor:
    """What a view counts, ``[1 or B, A, 1 or D, 1, 1 or H, 1 or W]``."""
    if weights.dim() == 3:
        share = weights[:, v, u].view(1, -1, 1, 1, 1, 1)
    else:
        weights = weights[None] if weights.dim() == 5 else weights
        share = weights[:, :, v, u, None, None]
    return share if inside is None else share * inside[:, None, :, None]


def _sums(
    light_field: Tensor, disparity: Tensor, weights: Tensor, options: _Options, along: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Weighted sum of the views, and of the weights that count, of a shape that it can be divided by.

    With ``along``, of the disparity's shape: the derivative of the first one along it.
    """
    total = counted = light_field.new_zeros((1,) * 6, dtype=weights.dtype)
    for v, u, sample, inside in _samples(light_field, disparity, weights.dtype, options, along):
        share = _share(weights, v, u, inside)
        counted = counted + share
        total = total + share * sample[:, None]
    return total, counted


def _divided(total: Tensor, counted: Tensor, options: _Options) -> Tensor:
    if not options.divided():
        return total
    return torch.where(counted > 0, total / torch.where(counted > 0, counted, 1.0), 0.0)


def _moments(light_field: Tensor, disparity: Tensor, weights: Tensor, options: _Options) -> Tensor:
    total, counted = _sums(light_field, disparity, weights, options)
    mean = _divided(total, counted, options)
    squares = torch.zeros_like(mean)
    for v, u, sample, inside in _samples(light_field, disparity, weights.dtype, options):
        squares = squares + _share(weights, v, u, inside) * (sample[:, None] - mean).square()
    return torch.stack([mean, _divided(squares, counted, options)], 1)


def _weighted(light_field: Tensor, disparity: Tensor, weights: Tensor, options: _Options) -> Tensor:
    """``[B, A, D, V, U, C, H, W]``"""
    views = [
        _share(weights, v, u, inside) * sample[:, None]
        for v, u, sample, inside in _samples(light_field, disparity, weights.dtype, options)
    ]
    return torch.stack(views, 3).unflatten(3, light_field.shape[1:3])


def result_shape(light_field: Tensor, disparity: Tensor, aperture: Tensor, reduce: str) -> tuple[int, ...]:
    """Of what the op gives."""
    batch, rows, columns, *picture = light_field.shape
    apertures = aperture.shape[1 if aperture.dim() == 6 else 0]
    planes = disparity.shape[1 if disparity.dim() == 4 else 0]
    if reduce == "moments":
        return (batch, 2, apertures, planes, *picture)
    views = (rows, columns) if reduce == "none" else ()
    return (batch, apertures, planes, *views, *picture)


def refocus(
    light_field: Tensor,
    disparity: Tensor,
    aperture: Tensor,
    interpolation: str,
    border: str,
    normalize: bool = False,
    cubic_coefficient: float = -0.5,
    reduce: str = "mean",
) -> Tensor:
    """Shift and add, in the canonical shapes of the op.

    Args:
        light_field: ``[B, V, U, C, H, W]``, float, uint8 or uint16.
        disparity: ``[D]``, ``[D, H, W]`` or ``[B, D, H, W]``, pixels per view step.
        aperture: ``[A, V, U]``, ``[A, V, U, H, W]`` or ``[B, A, V, U, H, W]``.
        interpolation: ``nearest``, ``bilinear`` or ``bicubic``.
        border: ``replicate``, ``valid`` (not with ``none``) or ``zeros``.
        normalize: the sum is divided by that of the weights: with the border ``valid`` and for ``moments`` always,
            for ``none`` never.
        cubic_coefficient: of Keys' kernel.
        reduce: ``mean``, ``none`` or ``moments``.

    Returns: ``[B, A, D, C, H, W]``; ``none``: ``[B, A, D, V, U, C, H, W]``; ``moments``: mean and variance,
        ``[B, 2, A, D, C, H, W]``. float32 for integer light fields, else their dtype.
    """
    acc = torch.float64 if light_field.dtype == torch.float64 else torch.float32
    dtype = light_field.dtype if light_field.is_floating_point() else torch.float32
    options = _Options(interpolation, border, normalize, cubic_coefficient, reduce)
    shape = result_shape(light_field, disparity, aperture, reduce)
    if 0 in shape:
        return empty_result(shape, *(tensor.to(dtype) for tensor in (light_field[..., :0], disparity, aperture)))
    weights = aperture.to(acc)
    if reduce == "none":
        out = _weighted(light_field, disparity, weights, options)
    elif reduce == "moments":
        out = _moments(light_field, disparity, weights, options)
    else:
        out = _divided(*_sums(light_field, disparity, weights, options), options)
    return out.to(dtype).contiguous()


def refocus_tangent(
    light_field: Tensor,
    disparity: Tensor,
    aperture: Tensor,
    interpolation: str,
    border: str,
    normalize: bool,
    cubic_coefficient: float,
    along_disparity: Tensor | None,
    along_aperture: Tensor | None,
) -> Tensor:
    """Derivative of the ``mean`` along a change of the disparity and of the aperture; None: it stays.

    The aperture's is that of a sum that is divided; elsewhere ``refocus`` is linear in it.
    """
    acc = torch.float64 if light_field.dtype == torch.float64 else torch.float32
    dtype = light_field.dtype if light_field.is_floating_point() else torch.float32
    weights, options = aperture.to(acc), _Options(interpolation, border, normalize, cubic_coefficient)
    changes = []
    if along_disparity is not None:
        change, counted = _sums(light_field, disparity, weights, options, along_disparity)
        changes.append(change)
    if along_aperture is not None:
        total, counted = _sums(light_field, disparity, weights, options)
        change, change_of_counted = _sums(light_field, disparity, along_aperture.to(acc), options)
        changes.append(change - _divided(total, counted, options) * change_of_counted)
    return _divided(torch.stack(changes).sum(0), counted, options).to(dtype).contiguous()
