"""The grid of lenslets, fitted to white pictures: of every kind, turned, stretched, noisy, dusty."""

from dataclasses import replace

import numpy as np
import pytest

from lfdeblur_models.data import CAMERAS
from lfdeblur_models.data.lenslets.fit import fit_lenslets
from lfdeblur_models.data.lenslets.grid import GridError, nearest, whole_lenslets

LAB = replace(CAMERAS["lab"], size=(620, 700))
TENTH = 0.1  # pixels


def white_picture(camera, noise=0.0, vignetting=0.4, seed=0):
    """A white picture as a lens and lenslets draw it, 1 = fully lit."""
    height, width = camera.size
    grid = camera.grid(camera.size)
    points = np.arange(width) + 1j * np.arange(height)[:, None]
    out = np.abs(points - grid.centers(*nearest(grid, points))) / camera.pitch
    beyond = np.abs(points / complex(width, height).real - complex(0.4, 0.6 * height / width))  # off the middle
    white = np.exp(-((out / 0.5) ** 10)) * (1 - out**2) * (1 - vignetting * beyond)
    return white + noise * np.random.default_rng(seed).standard_normal(white.shape)


def worst(found, lenslets, camera):
    """How far the fitted grid is from the true one, over the corners of the picture: pitch times count, too."""
    true = camera.grid(camera.size)
    rows, columns = np.array([[0], [lenslets[0] - 1]]), np.array([0, lenslets[1] - 1])
    points = found.centers(rows, columns)
    at = nearest(true, points)
    assert np.ptp(at[0][:, 0]) == lenslets[0] - 1  # no lenslet was lost on the way
    assert np.ptp(at[1][0]) == lenslets[1] - 1
    return np.abs(points - true.centers(*at)).max()


@pytest.mark.parametrize(("pitch", "rotation"), [(7.3, -0.7), (10.0, 0.4), (14.2857, 3.0), (23.1, 0.0)])
@pytest.mark.parametrize("hexagonal", [False, True], ids=["square", "hexagonal"])
def test_found_to_a_tenth_of_a_pixel(hexagonal, pitch, rotation):
    camera = replace(LAB, hexagonal=hexagonal, pitch=pitch, rotation=rotation, offset=(1.3, -2.2))
    found, lenslets = fit_lenslets(white_picture(camera, noise=0.03))
    assert found.hexagonal == hexagonal
    assert worst(found, lenslets, camera) <= TENTH
    assert found.pitch == pytest.approx(pitch, abs=0.01)
    assert found.rotation == pytest.approx(rotation, abs=0.02)
    told, _ = fit_lenslets(white_picture(camera, noise=0.03), pitch * 1.03)
    assert told.step == pytest.approx(found.step, abs=1e-3)
    fewest = whole_lenslets(pitch, camera.turn, rotation, camera.size)
    assert all(0 <= have - least <= 3 for have, least in zip(lenslets, fewest, strict=True))


def test_a_stretched_grid_of_a_large_sensor():
    """As Lytro's are: 0.04 % between rows are more than a pixel over the sensor."""
    camera = replace(CAMERAS["f01"], size=(2400, 2600), stretch=1.002)
    found, lenslets = fit_lenslets(white_picture(camera, noise=0.02).astype(np.float32))
    assert worst(found, lenslets, camera) <= TENTH
    assert abs(found.turn) == pytest.approx(abs(camera.turn), abs=1e-5)


def test_the_falloff_of_the_lens_moves_no_lenslet():
    """Spots are brighter on the side of the picture's middle: once, that made the grid a tenth of a pixel too small."""
    camera = replace(LAB, hexagonal=True, pitch=12.0)
    y, x = (np.linspace(-1, 1, side) for side in camera.size)
    white = white_picture(camera, vignetting=0) * (1 - 0.25 * (y[:, None] ** 2 + x**2))
    found, lenslets = fit_lenslets(white)
    assert worst(found, lenslets, camera) <= TENTH / 4


@pytest.mark.parametrize("stretch", [0.96, 1.04])
def test_a_grid_whose_rows_are_far_from_regular(stretch):
    """A lenslet off after 25 rows, were the rows taken for those of a regular grid."""
    camera = replace(LAB, hexagonal=True, pitch=9.0, rotation=1.0, stretch=stretch)
    found, lenslets = fit_lenslets(white_picture(camera, noise=0.03))
    assert worst(found, lenslets, camera) <= TENTH


@pytest.mark.parametrize("hexagonal", [False, True], ids=["square", "hexagonal"])
def test_dust_and_scratches_are_no_lenslets(hexagonal):
    camera = replace(LAB, hexagonal=hexagonal, pitch=11.0, rotation=0.5)
    white = white_picture(camera, noise=0.02)
    rng = np.random.default_rng(2)
    y, x = np.mgrid[: white.shape[0], : white.shape[1]]
    for _ in range(25):  # specks as large as a lenslet
        row, column = rng.uniform(0, white.shape)
        white *= 1 - 0.9 * np.exp(-(((y - row) ** 2 + (x - column) ** 2) / 40))
    white[np.abs(y - 0.7 * x - 60) < 2] *= 0.3  # a dark scratch, and a bright one
    white[np.abs(y + 0.4 * x - 500) < 1.5] += 0.8
    found, lenslets = fit_lenslets(white)
    assert worst(found, lenslets, camera) <= TENTH


def test_what_is_no_grid_is_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(GridError):
        fit_lenslets(rng.random((300, 300)))
    with pytest.raises(GridError, match="too small"):
        fit_lenslets(rng.random((20, 300)))
    camera = replace(LAB, hexagonal=True, pitch=11.0)
    white = white_picture(camera)
    with pytest.raises(GridError, match="stands on end"):
        fit_lenslets(white.T)
    for wrong in (7.0, 11 / 2**0.5, 8.0, 13.0, 17.0, 20.0, 22.0, 30.0):
        for picture in (white, white_picture(replace(camera, hexagonal=False))):
            with pytest.raises(GridError):
                fit_lenslets(picture, wrong)
    with pytest.raises(GridError, match="pitch: got 13 pixels, but the square grid in it has one of 11"):
        fit_lenslets(white_picture(replace(camera, hexagonal=False)), 13.0)
    with pytest.raises(GridError, match="want 5 or more"):
        fit_lenslets(white, 1000.0)
    flat = np.sin(np.arange(300) / 2)[:, None] + np.sin(np.arange(300) / 5)
    with pytest.raises(GridError, match="want a square or hexagonal grid"):
        fit_lenslets(flat)
