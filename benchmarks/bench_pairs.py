"""Rendering a training pair from a light field against shift and add in NumPy and SciPy, and in plain PyTorch."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import pytest
import torch
from scipy import ndimage

from lfdeblur_models.data import Aperture, LightField, LightFieldPairs, disk, left_half, render_pair, right_half
from lfdeblur_models.data.rendering.exposure import cut_out

from ._harness import Case, Sides, pytest_case
from ._rivals import taps

SCIPY, SLICES = "NumPy, scipy.ndimage.shift", "torch slices add_"
FORMS = (SCIPY, SLICES)


def scipy_pair(views, disparity, halves):
    """Whole, left and right picture of ``[V, U, C, H, W]`` uint8 views; halves ``[2, V, U]``."""
    linear = np.array([_decode(np.float32(i) / 255) for i in range(256)], np.float32)[views.numpy()]
    rows, columns = linear.shape[:2]
    sums = np.zeros((2, *linear.shape[2:]), np.float32)
    for v, u in np.argwhere(halves.sum(0).numpy() > 0):
        shift = (disparity * (v - (rows - 1) / 2), disparity * (u - (columns - 1) / 2))
        for channel, picture in enumerate(linear[v, u]):
            moved = ndimage.shift(picture, shift, order=1, mode="nearest")
            for side in range(2):
                sums[side, channel] += float(halves[side, v, u]) * moved
    weights = halves.sum((1, 2)).numpy()
    pictures = (sums.sum(0) / weights.sum(), sums[0] / weights[0], sums[1] / weights[1])
    return [torch.from_numpy(_encode(picture)) for picture in pictures]


def slices_pair(views, disparity, halves, dtype=torch.float32):
    """The same with weighted slices of the padded views."""
    linear = torch.from_numpy(_decode(np.arange(256) / 255)).to(dtype)[views.int()]
    rows, columns, channels, height, width = linear.shape
    reach = int(abs(disparity) * (max(rows, columns) - 1) / 2) + 3
    padded = torch.nn.functional.pad(linear.flatten(0, 1), (reach,) * 4, mode="replicate").unflatten(0, (rows, columns))
    sums = linear.new_zeros(2, channels, height, width)
    for v, u in (halves.sum(0) > 0).nonzero().tolist():
        for i, row_weight in taps(-disparity * (v - (rows - 1) / 2), "bilinear"):
            for j, weight in taps(-disparity * (u - (columns - 1) / 2), "bilinear"):
                view = padded[v, u, :, reach + i : reach + i + height, reach + j : reach + j + width]
                for side in range(2):
                    share = float(halves[side, v, u])
                    if share:
                        sums[side].add_(view, alpha=share * row_weight * weight)
    weights = halves.sum((1, 2)).to(dtype)
    pictures = (sums.sum(0) / weights.sum(), sums[0] / weights[0], sums[1] / weights[1])
    return [torch.from_numpy(_encode(picture.numpy())) for picture in pictures]


def _decode(x):
    """sRGB to linear light, IEC 61966-2-1."""
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def _encode(x):
    x = x.clip(0, 1)
    return np.where(x <= 0.0031308, x * 12.92, 1.055 * x ** (1 / 2.4) - 0.055)


def build(views, size, rivals):
    generator = torch.Generator().manual_seed(0)
    pixels = (torch.rand(views, views, 3, *size, generator=generator) * 255).byte()
    light_field, disparity = LightField(pixels), 0.7
    aperture = disk((views, views), views / 2)
    halves = torch.stack([left_half(aperture), right_half(aperture)])

    def ours():
        pair = render_pair(light_field, disparity, aperture)
        return [pair.defocused, pair.left, pair.right]

    forms = {
        SCIPY: lambda: scipy_pair(pixels, disparity, halves),
        SLICES: lambda: slices_pair(pixels, disparity, halves),
    }
    exact = partial(slices_pair, pixels, float(torch.tensor(disparity)), halves.double(), torch.float64)
    return Sides(ours, {name: forms[name] for name in rivals}, exact)


def case(views, size, rivals=FORMS):
    height, width = size
    pixels = 3 * height * width
    return Case(
        op="render_pair",
        shape=f"{views}x{views}x3x{height}x{width} disk, two halves",
        dtype="uint8",
        device="cpu",
        build=partial(build, views, size, rivals),
        moved=pixels * (views**2 + 4 * 3),
        operations=2 * 2 * 2 * (views**2 + views) * pixels,
        # The slope of the sRGB encoding is 12.92 at black: rounding in linear light grows by it.
        tolerance={"rtol": 1e-5, "atol": 1e-4},
    )


def build_batch(views, size, crop, count, rivals):
    generator = torch.Generator().manual_seed(0)
    pixels = (torch.rand(views, views, 3, *size, generator=generator) * 255).byte()
    aperture, disparity = Aperture("disk", (views - 1) / 2), 0.7
    pairs = LightFieldPairs([LightField(pixels)], crop=crop, apertures=[aperture], disparities=[disparity])
    weights = aperture.weights((views, views))
    halves = torch.stack([left_half(weights), right_half(weights)])
    windows = [pairs.draw(index).window for index in range(count)]
    margin = int(disparity * views / 2) + 2

    def ours():
        batch = pairs.__getitems__(range(count))
        return torch.stack([item[name] for item in batch for name in ("defocused", "sharp")])

    def sharp(window):
        return cut_out(pixels[views // 2, views // 2] / 255, window)

    def theirs():
        pictures = []
        for window in windows:
            outer = window.widened(margin, size)
            whole, _, _ = scipy_pair(pixels[..., outer.y, outer.x], disparity, halves)
            pictures += [cut_out(whole, window.pixels_from(outer)), sharp(window)]
        return torch.stack(pictures)

    def exact():
        whole, _, _ = slices_pair(pixels, float(torch.tensor(disparity)), halves.double(), torch.float64)
        return torch.stack([picture for window in windows for picture in (cut_out(whole, window), sharp(window))])

    forms = {SCIPY: theirs}
    return Sides(ours, {name: forms[name] for name in rivals}, exact)


def batch_case(views, size, crop, count, rivals=(SCIPY,)):
    pixels = 3 * count * crop**2
    return Case(
        op="LightFieldPairs",
        shape=f"{count} of {crop}x{crop} from {views}x{views}x3x{size[0]}x{size[1]} disk",
        dtype="uint8",
        device="cpu",
        build=partial(build_batch, views, size, crop, count, rivals),
        moved=pixels * (views**2 + 2 * 4),
        operations=2 * 2 * 2 * views**2 * pixels,
        tolerance={"rtol": 1e-5, "atol": 1e-4},
    )


def cases(device: str, full: bool) -> Iterator[Case]:
    """The rows of this module: pictures are read and written on the CPU."""
    if device != "cpu":
        return
    yield case(9, (512, 512))
    yield batch_case(9, (512, 512), 256, 8 if full else 2)
    if full:
        yield case(15, (434, 625))


@pytest.mark.parametrize("size", [(12, 17)], ids=str)
def test_render_pair(benchmark, size):
    pytest_case(benchmark, case(3, size))


def test_light_field_pairs(benchmark):
    pytest_case(benchmark, batch_case(3, (17, 20), 12, 2))
