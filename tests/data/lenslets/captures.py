"""Smooth scenes whose captures are simulated, and what their decoded views have to show."""

from dataclasses import replace

import numpy as np
import torch

from lfdeblur_models.data import CAMERAS, LightField, simulate_capture, write_capture
from lfdeblur_models.data.lenslets.grid import middle_part, whole_lenslets
from lfdeblur_models.data.lenslets.resample import ViewGrid, view_size

SIDE = 60  # pixels of a source view
VIEWS = 9
QUIET = (0.0, 0.0)

# As Lytro's, with fewer pixels, turned and moved.
F01 = replace(CAMERAS["f01"], size=(440, 500), rotation=0.3, offset=(2.3, -1.7))
ILLUM = replace(CAMERAS["illum"], size=(520, 600), rotation=-0.4, offset=(-3.2, 4.6))
SQUARE = replace(
    CAMERAS["illum"],
    size=(440, 500),
    pitch=11.3,
    hexagonal=False,
    stretch=1.0,
    rotation=0.5,
    offset=(2.6, 1.4),
    bayer="RGGB",
)


def scene(y, x):
    """Smooth colours at any place of a source view, ``[3, ...]`` linear light."""
    return np.stack(
        [
            0.5 + 0.2 * np.sin(0.3 * y + 0.3) + 0.15 * np.cos(0.35 * x - 0.1 * y),
            0.45 + 0.25 * np.cos(0.25 * y - 0.3 * x),
            0.4 + 0.25 * np.sin(0.35 * x + 0.15 * y),
        ]
    )


def plane(disparity):
    """A light field of the scene on one plane."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(float)
    steps = np.arange(VIEWS) - VIEWS // 2
    views = np.stack([[scene(y + disparity * v, x + disparity * u) for u in steps] for v in steps])
    return LightField(torch.from_numpy(views).float(), transfer="linear", scene="plane")


def written(path, camera, disparity=0.5, noise=QUIET, **how):
    """A capture of the plane in a file."""
    capture = simulate_capture(plane(disparity), camera, disparity=disparity, noise=noise)
    write_capture(capture, path, **how)
    return capture


def view_grid(camera, views):
    """Which views of which lenslets a container of this camera is decoded to."""
    lenslets = whole_lenslets(camera.pitch, camera.turn, camera.rotation, camera.size)
    grid = middle_part(camera.grid(camera.size), camera.size, *lenslets)
    return ViewGrid(grid, lenslets, views, view_size(lenslets, camera.turn, camera.hexagonal))


def places(sampling, capture, size):
    """Rows and columns of a source view of this size at every pixel of a decoded view."""
    height, width = sampling.size
    rows = np.arange(height)[:, None]
    points = sampling.grid.points(rows, sampling.columns(np.arange(width)) - sampling.grid.turn.real * rows)
    tall, wide = capture.camera.size
    at = (points - complex((wide - 1) / 2, (tall - 1) / 2)) / sampling.grid.step * capture.scale
    return at.imag + (size[0] - 1) / 2, at.real + (size[1] - 1) / 2


def truth(sampling, capture, disparity):
    """The decoded views that an ideal camera would give, ``[V, U, 3, H, W]``."""
    y, x = places(sampling, capture, (SIDE, SIDE))
    return np.stack(
        [
            [scene(y + disparity * VIEWS * v, x + disparity * VIEWS * u) for u in sampling.offsets()[1]]
            for v in sampling.offsets()[0]
        ]
    )


def psnr(a, b):
    return float(-10 * np.log10(np.mean((np.asarray(a, float) - np.asarray(b, float)) ** 2)))


def inner(views, margin=3):
    return views[..., margin:-margin, margin:-margin]


def parallax(views):
    """Disparity of a plane along rows and along columns, from how its views change from one to the next."""
    views = np.asarray(views, float)
    rows, columns = (count // 2 for count in views.shape[:2])
    along = []
    for axis, three in (
        (-2, views[rows - 1 : rows + 2, columns]),
        (-1, views[rows, columns - 1 : columns + 2]),
    ):
        change = inner((three[2] - three[0]) / 2)
        slope = inner(np.gradient(three[1], axis=axis))
        along.append((change * slope).sum() / (slope * slope).sum())
    return along
