"""Packed raw pixels, and colours of Bayer patterns."""

import numpy as np
import pytest

from lfdeblur_models.data import LightFieldError
from lfdeblur_models.data.lenslets.bayer import PATTERNS, demosaic, planes, shifted
from lfdeblur_models.data.lenslets.devignetting import repaired
from lfdeblur_models.data.lenslets.packing import Packing

PACKINGS = [(10, "little"), (12, "big"), (16, "little"), (16, "big"), (8, "big"), (8, "little")]


@pytest.mark.parametrize("size", [(4, 8), (3, 7), (1, 1)], ids=str)
@pytest.mark.parametrize("packing", PACKINGS, ids=str)
def test_packed_pixels_come_back(packing, size):
    packing = Packing(*packing)
    picture = np.random.default_rng(0).integers(0, 1 << packing.bits, size).astype(np.uint16)
    data = packing.pack(picture)
    assert len(data) == packing.bytes_of(size) >= picture.size * packing.bits / 8
    packing.check_size("a", len(data), size)
    np.testing.assert_array_equal(packing.unpack(data, size), picture)


def test_bytes_as_the_cameras_lay_them_out():
    """F01: AB C1 23 is 0xABC, 0x123. Illum: four upper bytes, then the lower two bits of each, the first lowest."""
    np.testing.assert_array_equal(Packing(12, "big").unpack(bytes([0xAB, 0xC1, 0x23]), (1, 2)), [[0xABC, 0x123]])
    got = Packing(10, "little").unpack(bytes([1, 2, 3, 255, 0b11_10_01_00]), (2, 2))
    np.testing.assert_array_equal(got, [[4, 9], [14, 1023]])


def test_packings_that_are_refused():
    with pytest.raises(LightFieldError, match="a: unknown pixel format: got 14 bits, big endian, want one of: 10 bits"):
        Packing(14, "big").check("a")
    with pytest.raises(LightFieldError, match="a: truncated: got 149 bytes, want 150 for 10x10 of 12 bits"):
        Packing(12, "big").check_size("a", 149, (10, 10))
    with pytest.raises(LightFieldError, match="a: got 200 bytes, which are not the 150 of 10x10"):
        Packing(12, "big").check_size("a", 200, (10, 10))


def mosaic_of(colours, pattern):
    mosaic = np.empty(colours.shape[1:], np.float32)
    for index, (letter, plane) in enumerate(planes(mosaic, pattern)):
        plane[:] = colours["RGB".index(letter), index // 2 :: 2, index % 2 :: 2]
    return mosaic


@pytest.mark.parametrize("size", [(8, 10), (9, 7)], ids=str)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_ramp_of_any_colour_is_exact(pattern, size):
    """Interpolation and correction are linear, and exact for what changes evenly."""
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float32)
    colours = np.stack([0.2 + 0.01 * y, 0.5 - 0.02 * x + 0.01 * y, 0.7 - 0.01 * x])
    got = demosaic(mosaic_of(colours, pattern), pattern)
    np.testing.assert_allclose(got[:, 2:-2, 2:-2], colours[:, 2:-2, 2:-2], atol=1e-6)
    alike = demosaic(mosaic_of(np.full((3, *size), 0.3, np.float32), pattern), pattern, np.zeros(size, np.int32))
    np.testing.assert_allclose(alike, 0.3, atol=1e-6)


def test_the_published_filters():
    """Malvar, He and Cutler, figure 2: what one lit pixel gives to those around it, in eighths."""
    lit = np.zeros((11, 11), np.float32)
    lit[4, 4] = 8  # red
    red, green, blue = demosaic(lit, "RGGB")
    np.testing.assert_allclose(red[4, 2:7], [0, 4, 8, 4, 0])
    np.testing.assert_allclose(green[4, 2:7], [-1, 0, 4, 0, -1])
    np.testing.assert_allclose(blue[4, 2:7], [-1.5, 0, 6, 0, -1.5])
    lit[4, 4], lit[4, 5] = 0, 8  # green in a row of red
    red, green, blue = demosaic(lit, "RGGB")
    np.testing.assert_allclose(red[4, 3:8], [-1, 0, 5, 0, -1])
    np.testing.assert_allclose(red[2:7, 5], [0.5, 0, 5, 0, 0.5])
    np.testing.assert_allclose(blue[2:7, 5], [-1, 0, 5, 0, -1])
    np.testing.assert_allclose(green[4, 3:8], [0, 2, 8, 2, 0])


def test_no_colour_crosses_the_edge_of_a_lenslet():
    picture = np.where(np.arange(12) < 6, 0.2, 0.9).astype(np.float32) * np.ones((12, 1), np.float32)
    lenslets = (np.arange(12) >= 6).astype(np.int32) * np.ones((12, 1), np.int32)
    for pattern in PATTERNS:
        # Half a thousandth of a pixel's weight is kept for lenslets that have no pixel of a colour.
        np.testing.assert_allclose(demosaic(picture, pattern, lenslets), np.stack([picture] * 3), atol=2e-3)
        assert np.abs(demosaic(picture, pattern) - picture).max() > 0.1


def test_a_pattern_that_begins_elsewhere():
    assert "".join(shifted("RGGB", 0, 1)) == "GRBG"
    assert "".join(shifted("RGGB", 1, 0)) == "GBRG"
    assert "".join(shifted("RGGB", 3, 5)) == "BGGR"


def test_single_pixels_astray_are_replaced():
    y, x = np.mgrid[:20, :20]
    smooth = (0.4 + 0.01 * y - 0.005 * x).astype(np.float32)
    broken = smooth.copy()
    broken[5, 7], broken[12, 3], broken[0, 19] = 1.5, -0.4, 2.0
    got = repaired(broken)
    np.testing.assert_allclose(got, smooth, atol=0.03)
    np.testing.assert_array_equal(repaired(smooth), smooth)
