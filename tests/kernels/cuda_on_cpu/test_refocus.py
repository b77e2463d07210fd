"""The kernels of ``refocus``, run on the CPU, against the float64 reference."""

import math

import pytest
import torch

from lfdeblur_ops.testing import FLOATS

from .calls import BORDERS, INTEGERS, NEEDS_COMPILER, apertures, borders_and_pages, map_of, random, run_refocus

pytestmark = NEEDS_COMPILER
PLANES = [
    0.0,
    1.125,
    -0.625,
    9.5,
    -40.0,
]  # dyadic: `nearest` and `valid` jump, and are to jump here as in the reference


@borders_and_pages("refocus")
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize("dtype", FLOATS + INTEGERS, ids=str)
def test_refocus(kernels, dtype, interpolation, border, at_end):
    kernels.at_end = at_end
    for shape, a in [((1, 1, 1, 1, 1, 1), 1), ((2, 3, 4, 1, 5, 7), 2), ((1, 5, 2, 3, 10, 67), 1)]:
        light_field, aperture = random(shape, dtype), apertures(a, *shape[1:3])
        planes = PLANES if shape[-1] < 60 else [1.125]
        run_refocus(kernels, light_field, torch.tensor(planes), aperture, interpolation, border)
        run_refocus(kernels, light_field, map_of(2, *shape[-2:])[: 3 - a], aperture, interpolation, border)


@pytest.mark.parametrize("border", BORDERS["refocus"])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8], ids=str)
def test_refocus_strided_views(kernels, dtype, interpolation, border):
    stored = random((6, 3, 4, 2, 20), dtype)  # [H, V, U, C, more than W], as in a lenslet picture
    light_field = stored[..., 3:17].permute(1, 2, 3, 0, 4)[None]
    aperture = apertures(5, 3, 4)  # five planes: more than a block's
    run_refocus(kernels, light_field, torch.tensor([0.375]), aperture, interpolation, border)
    run_refocus(kernels, light_field, map_of(1, 6, 14), aperture, interpolation, border)


@pytest.mark.parametrize("axis", range(5))
@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8], ids=str)
def test_refocus_strides_beyond_32_bits(kernels, monkeypatch, dtype, axis):
    monkeypatch.setattr(kernels, "far", (0, axis))
    light_field, aperture = random((2, 2, 2, 2, 3, 9), dtype), apertures(1, 2, 2)
    for disparity in (torch.tensor([0.5]), torch.tensor([-0.25, 0.5, 1.0]), map_of(1, 3, 9)):
        run_refocus(kernels, light_field, disparity, aperture, "bilinear", "replicate")
    # Of several tiles, so that some lie inside of the view.
    light_field, disparity = random((1, 2, 2, 1, 47, 141), dtype), torch.tensor([-0.25, 0.5, 1.0])
    run_refocus(kernels, light_field, disparity, aperture, "bilinear", "replicate", gradients=False)


@pytest.mark.parametrize("border", BORDERS["refocus"])
def test_refocus_more_views_than_a_window(kernels, border):
    for rows, columns in [(70, 2), (2, 70)]:
        light_field = random((1, rows, columns, 1, 3, 5), torch.float32)
        # Dyadic, and another fraction of a pixel for the view that has a place of the table in the next window.
        disparity = torch.tensor([33, -17]) / 128
        run_refocus(kernels, light_field, disparity, apertures(1, rows, columns), "bilinear", border)


def test_refocus_more_planes_than_a_window(kernels):
    disparity = torch.arange(-35, 36) / 8
    run_refocus(kernels, random((1, 2, 3, 1, 3, 6)), disparity, apertures(1, 2, 3), "bicubic", "replicate")


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float16, torch.float32], ids=str)
def test_refocus_several_tiles(kernels, dtype):
    light_field = random((1, 2, 3, 1, 19, 135), dtype)
    for planes in ([0.3], [0.3, -1.7, 2.2]):  # not dyadic
        run_refocus(
            kernels,
            light_field,
            torch.tensor(planes).double(),
            apertures(1, 2, 3),
            "bicubic",
            "replicate",
            gradients=planes == [0.3],
        )


# What a block of the many-plane kernel needs of a view lies inside of it, across its border, or too far apart for the
# block's shared memory.
STACKS = {"near": 0.0625, "across the border": 0.6875, "far apart": 9.75}


@pytest.mark.parametrize("step", STACKS.values(), ids=STACKS)
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize("dtype", FLOATS[1:] + INTEGERS, ids=str)
def test_refocus_many_planes(kernels, dtype, interpolation, step):
    light_field = random((1, 2, 3, 1, 47, 141), dtype)
    for count in (3, 37) if interpolation == "bilinear" else (11,):
        disparity = (torch.arange(count) - count // 2) * step
        run_refocus(kernels, light_field, disparity, apertures(1, 2, 3), interpolation, "replicate", gradients=False)


@pytest.mark.parametrize("at_end", [True, False], ids=["end", "begin"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.uint8], ids=str)
def test_refocus_many_apertures(kernels, dtype, at_end):
    kernels.at_end = at_end
    light_field = random((2, 4, 3, 2, 33, 70), dtype)
    aperture = apertures(3, 4, 3)
    aperture[1, :, 0], aperture[2, :, 1:], aperture[:, 2] = 0, 0, 0  # halves, and views that nothing weighs
    aperture /= aperture.sum((1, 2), keepdim=True)
    disparity = torch.tensor([0.5, 0.25, -1.75, 0.5])
    run_refocus(kernels, light_field, disparity, aperture, "bilinear", "replicate", gradients=False)


def test_refocus_survives_nan_disparity(kernels):
    disparity = torch.tensor([float("nan"), float("inf"), -3e38])
    kernels.refocus(
        random((1, 3, 3, 1, 4, 5), torch.float32), disparity, apertures(1, 3, 3).float(), "bilinear", "valid"
    )


OPTIONS = [
    # disparity: its axes; aperture: its axes; border, normalize, cubic_coefficient, reduce
    ("d", "a", "zeros", False, -0.75, "mean"),
    ("d", "a", "replicate", False, -0.75, "mean"),
    ("dyx", "a", "zeros", False, -0.5, "mean"),
    ("bdyx", "a", "replicate", False, -0.5, "mean"),
    ("bdyx", "a", "valid", False, -0.5, "mean"),
    ("d", "ayx", "replicate", True, -0.75, "mean"),
    ("bdyx", "bayx", "valid", True, -0.5, "mean"),
    ("dyx", "bayx", "zeros", False, -0.5, "mean"),
    ("d", "a", "replicate", False, -0.5, "none"),
    ("bdyx", "ayx", "zeros", False, -0.75, "none"),
    ("d", "a", "valid", False, -0.5, "moments"),
    ("dyx", "bayx", "zeros", False, -0.5, "moments"),
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: " ".join(map(str, options)))
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.uint8], ids=str)
def test_refocus_options(kernels, monkeypatch, dtype, interpolation, options):
    monkeypatch.setattr(kernels, "at_end", dtype != torch.float16)
    of_disparity, of_aperture, *rest = options
    for shape in ((2, 2, 3, 1, 5, 7), (1, 3, 2, 5, 4, 35)) if dtype == torch.float32 else ((2, 2, 3, 1, 5, 7),):
        sizes = {"b": shape[0], "a": 2, "d": 2, "y": shape[-2], "x": shape[-1]}
        steps = map_of(1, 1, math.prod(sizes[axis] for axis in of_disparity)) + 1 / 64
        disparity = steps.reshape([sizes[axis] for axis in of_disparity])
        aperture = random([sizes[axis] for axis in of_aperture.replace("yx", "")] + [*shape[1:3]], seed=7).abs() + 0.1
        if "yx" in of_aperture:
            aperture = aperture[..., None, None] + random((*aperture.shape, *shape[-2:]), seed=8).abs()
            aperture[..., 0, 0] = 0  # nothing is seen there
        run_refocus(kernels, random(shape, dtype), disparity, aperture, interpolation, *rest)
